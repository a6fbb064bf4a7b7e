package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// What a [conn] has seen since a request took it.
const (
	taken    int32 = iota
	asked          // the request's first bytes were sent
	answered       // and bytes came after that
)

// A conn knows whether bytes came from the upstream since a request was sent on
// it. What came before belongs to nobody: net/http closes a connection on which
// something comes unasked, but hands it to the next request before it looks.
type conn struct {
	net.Conn
	state atomic.Int32
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.state.CompareAndSwap(asked, answered)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	c.state.CompareAndSwap(taken, asked)
	return c.Conn.Write(p)
}

// A dialer is net.Dialer's DialContext.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// watched makes a dialer's connections conns.
func watched(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c}, nil
	}
}

// A watch finds out whether what a request is answered with came before it was
// sent: the surplus of another's answer.
type watch struct {
	conn    atomic.Pointer[conn]
	surplus atomic.Bool
}

// on gives req to be sent under the watch. The request must be one that is sent
// at once, without a body.
func (w *watch) on(req *http.Request) *http.Request {
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: w.got, GotFirstResponseByte: w.first}))
}

func (w *watch) got(info httptrace.GotConnInfo) {
	under := info.Conn
	if secure, ok := under.(*tls.Conn); ok {
		under = secure.NetConn()
	}
	c, ok := under.(*conn)
	if ok {
		c.state.Store(taken)
	}
	w.conn.Store(c)
}

func (w *watch) first() {
	if c := w.conn.Load(); c != nil && c.state.Load() != answered {
		w.surplus.Store(true)
		_ = c.Close()
	}
}
