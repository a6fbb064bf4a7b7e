package fab

// Running is how many hashes are being computed now.
func (h *Hasher) Running() int {
	running, _ := h.queue.Load()
	return running
}

// Waiting is how many hashes wait to be computed.
func (h *Hasher) Waiting() int {
	_, waiting := h.queue.Load()
	return waiting
}
