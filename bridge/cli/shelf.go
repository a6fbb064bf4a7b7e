package cli

import "sync"

// A shelf keeps the parts that outlive a reload as long as their own settings
// stay the same: connections, and the memory of known clients. A part goes when
// the last snapshot that took it is released.
type shelf struct {
	mu    sync.Mutex
	parts map[any]*part
}

type part struct {
	value any
	close func()
	users int
}

// A taker is one snapshot's hold on the parts that it took.
type taker struct {
	shelf *shelf
	keys  []any
}

// take gives the part of these settings, made by make if it is not there. Each
// kind of part has a type of settings of its own, which must be comparable.
func take[T any, K comparable](t *taker, settings K, make func() (T, func(), error)) (T, error) {
	s := t.shelf
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.parts[settings]
	if !ok {
		value, close, err := make()
		if err != nil {
			return value, err
		}
		p = &part{value: value, close: close}
		if s.parts == nil {
			s.parts = map[any]*part{}
		}
		s.parts[settings] = p
	}
	p.users++
	t.keys = append(t.keys, settings)
	return p.value.(T), nil
}

// release lets go of everything that was taken.
func (t *taker) release() {
	s := t.shelf
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range t.keys {
		p := s.parts[key]
		if p.users--; p.users == 0 {
			delete(s.parts, key)
			if p.close != nil {
				p.close()
			}
		}
	}
	t.keys = nil
}
