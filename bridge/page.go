package bridge

import "net/http"

// SameOrigin is the guard of a page of the bridge's own, whatever r's method: it
// refuses a request that a page of another origin sent, as every unsafe method
// under a legacy scheme is refused. Clients that name no origin go on. Nil when
// there is nothing to refuse.
func (c *Core) SameOrigin(r Request) *Refusal {
	from, err := trusted(c.TrustedProxies).hop(r)
	if err != nil {
		return badHop(err)
	}
	r.Method = http.MethodPost
	return c.sameOrigin(r, from.host)
}

// EndToken are the Set-Cookie lines that take Airflow 3's _token from a browser
// that came with one: it counts before a session, and would hide one that begins.
// None for a browser that has none.
func (c *Core) EndToken(r Request, d Decision) []string {
	if !carriesToken(r.Header) {
		return nil
	}
	return c.deletedCookies(d.from.proto == "https")
}
