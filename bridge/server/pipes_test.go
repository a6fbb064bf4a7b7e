package server_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/jetbridge/jetbridge/bridge/server"
)

// pipes is a listener in memory, whose connections obey a bubble's clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// ask sends request and reads until the server closes the connection.
func (p *pipes) ask(t *testing.T, request string) string {
	t.Helper()
	c := p.dial()
	defer c.Close()
	go io.WriteString(c, request)
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(answer)
}

// A bubble is a server whose clock is a test's.
type bubble struct {
	*server.Server
	public, side *pipes
	stop         context.CancelFunc
	done         chan error // what Serve returned
}

// inBubble runs f beside a server in a bubble.
func inBubble(t *testing.T, cfg server.Config, f func(*bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{public: newPipes(), side: newPipes(), done: make(chan error, 1)}
		cfg.Public.Listener, cfg.Side.Listener = b.public, b.side
		cfg.Log = slog.New(slog.DiscardHandler)
		var err error
		if b.Server, err = server.New(cfg); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		b.stop = stop
		ended := make(chan struct{})
		go func() {
			b.done <- b.Serve(ctx)
			close(ended)
		}()
		f(b)
		stop()
		<-ended
	})
}
