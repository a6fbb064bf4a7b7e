package proxy

// DialBy has t connect by dial.
func (t *Transport) DialBy(dial dialer) {
	t.kept.DialContext, t.own.DialContext = watched(dial), watched(dial)
}
