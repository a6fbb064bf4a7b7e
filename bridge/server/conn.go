package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A listener knows the connections that it has given out, so that those which
// an upgrade took away from net/http can be closed too.
type listener struct {
	net.Listener
	stall time.Duration

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
	left   chan struct{} // closed when the listener is and the last connection went
}

func newListener(l net.Listener, stall time.Duration) *listener {
	return &listener{Listener: l, stall: stall, conns: map[*conn]struct{}{}, left: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: inner, of: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed { // while it was taken
		return nil, errors.Join(net.ErrClosed, inner.Close())
	}
	l.conns[c] = struct{}{}
	return c, nil
}

// Close takes no more connections; those that are there stay. Closing twice is no
// error, since net/http does too.
func (l *listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if len(l.conns) == 0 {
		close(l.left)
	}
	return l.Listener.Close()
}

// forget is told of a connection that is gone.
func (l *listener) forget(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.conns[c]; !there {
		return
	}
	delete(l.conns, c)
	if l.closed && len(l.conns) == 0 {
		close(l.left)
	}
}

// closeConns closes every connection that is still open.
func (l *listener) closeConns() {
	l.mu.Lock()
	var open []*conn
	for c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}

// A conn is a connection whose peer must take what is written to it.
type conn struct {
	net.Conn
	of *listener
}

// Write fails when the peer takes none of b for the stall timeout. It overrides
// any other write deadline.
func (c *conn) Write(b []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.of.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *conn) Close() error {
	c.of.forget(c)
	return c.Conn.Close()
}

// CloseWrite is what net/http ends a connection with so that the peer still
// reads the answer to a request that it has not finished sending.
func (c *conn) CloseWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return errors.ErrUnsupported
}

// boundBodies has reading a request's body fail when the client sends nothing
// for the stall timeout, or for longer than that less than rate bytes a second.
func boundBodies(h http.Handler, stall time.Duration, rate int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			h.ServeHTTP(w, r)
			return
		}
		b := &body{ReadCloser: r.Body, control: http.NewResponseController(w), stall: stall, rate: rate, stream: r.ProtoMajor >= 2}
		if !b.stream {
			// Also for a handler that reads nothing: net/http then reads some
			// of the body to keep the connection, for which it has no limit.
			b.limit(stall)
		}
		// A copy: net/http looks at its own request's body to tell what to do
		// about a rest.
		r = r.WithContext(r.Context())
		r.Body = b
		h.ServeHTTP(w, r)
	})
}

type body struct {
	io.ReadCloser
	control *http.ResponseController
	stall   time.Duration
	rate    int
	stream  bool // of HTTP/2, whose deadline ends the body even while nobody reads

	waited time.Duration // for the client, in Read
	read   int64
}

func (b *body) Read(p []byte) (int, error) {
	start := time.Now()
	b.limit(min(b.stall, b.patience()))
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(start)
	b.read += int64(n)
	if err == io.EOF || b.stream {
		// After the end, which some ask for twice, the connection is read only
		// to learn that the client left, for which it may take its time. After
		// any other error net/http may still look for the rest.
		b.limit(0)
	}
	return n, err
}

// patience is how much longer the client may be waited for, at what it has sent
// so far. A body that drips a byte before each stall timeout would else hold a
// request, and one of the upstream's, for ever. It is never zero, which is no
// limit to limit.
func (b *body) patience() time.Duration {
	earned := time.Duration(float64(b.read) / float64(b.rate) * float64(time.Second))
	return max(b.stall+earned-b.waited, time.Nanosecond)
}

// limit sets the time for the next read; none for zero. net/http's own writers
// all can, and a connection that is gone says so when it is read.
func (b *body) limit(d time.Duration) {
	var deadline time.Time
	if d > 0 {
		deadline = time.Now().Add(d)
	}
	_ = b.control.SetReadDeadline(deadline)
}
