package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// idle are the connections that clients keep open and do not use.
const idle = 5_000

// crowd says what a request costs while many other connections are open: memory that is not garbage must not have it
// collected.
func (b *bench) crowd() error {
	up, err := b.own(2, "upstream")
	if err != nil {
		return err
	}
	defer up.stop()
	bare, err := b.own(2, "bare", up.url)
	if err != nil {
		return err
	}
	defer bare.stop()
	ours, err := b.serve(2, up.url)
	if err != nil {
		return err
	}
	defer ours.stop()
	for _, p := range []*process{bare, ours} {
		progress("%d idle connections to %s", idle, p.url)
		for range idle {
			c, err := b.open(p)
			if err != nil {
				return fmt.Errorf("an idle connection: %w", err)
			}
			defer c.Close()
		}
	}
	row, err := b.compare(bare, ours, load{"/api/v2/small", b.file("jwt-1"), 16, b.seconds})
	if err != nil {
		return err
	}
	b.say("\n## Beside %d idle connections\n\n| cores | credential | body | connections | bare/s | ours/s | ratio/s | bare µs | ours µs | CPU ratio | budget |", idle)
	b.say("|---|---|---|---|---|---|---|---|---|---|---|\n| 2 | jwt | 1 KiB | 16 | %s | 0.90 |", row)
	return nil
}

// open makes a connection, has one request answered on it, and keeps it.
func (b *bench) open(p *process) (net.Conn, error) {
	address := strings.TrimPrefix(p.url, "http://")
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c, "GET /api/v2/version HTTP/1.1\r\nHost: %s\r\n\r\n", address)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, res.Body.Close()
}
