package proxy

import (
	"context"
	"net"
)

// DialBy has t connect by dial.
func (t *Transport) DialBy(dial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	t.kept.DialContext, t.own.DialContext = dial, dial
}
