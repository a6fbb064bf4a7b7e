package fab

// Running is how many hashes are being computed now.
func (h *Hasher) Running() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.running) - h.waiting
}

// Waiting is how many hashes wait to be computed.
func (h *Hasher) Waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiting
}
