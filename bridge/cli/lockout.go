package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// lockout says how guessing is slowed down, and who is locked out now: that the
// serving process alone knows, and tells in its metrics.
func (c *checker) lockout(ctx context.Context) []finding {
	if c.snapshot.identity.guard == nil {
		return nil // only observing
	}
	bounds := c.cfg.Legacy.Lockout
	f := finding{Part: "lockout", OK: true, Detail: "no failure is counted"}
	var parts []string
	for _, b := range []struct {
		failures int
		of       string
	}{{bounds.Failures, "an account"}, {bounds.AddressFailures, "an address"}} {
		if b.failures > 0 {
			parts = append(parts, fmt.Sprintf("%d failures of %s", b.failures, b.of))
		}
	}
	if len(parts) > 0 {
		f.Detail = strings.Join(parts, ", ") + ", within " + bounds.Window.String()
	}
	if accounts, addresses, ok := c.lockedNow(ctx); ok {
		f.Detail += fmt.Sprintf("; locked out now: %d accounts, %d addresses", accounts, addresses)
	}
	return []finding{f}
}

// lockedNow asks the metrics of the process that serves; false when none does.
func (c *checker) lockedNow(ctx context.Context) (accounts, addresses int, ok bool) {
	_, port, err := net.SplitHostPort(c.cfg.Metrics.Listen)
	if err != nil || port == "0" {
		return 0, 0, false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.cfg.Metrics.Listen+"/metrics", nil)
	if err != nil {
		return 0, 0, false
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, 0, false
	}
	defer res.Body.Close()
	found := map[string]int{}
	for lines := bufio.NewScanner(io.LimitReader(res.Body, 1<<20)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.Atoi(value); err == nil {
			found[name] = n
		}
	}
	accounts, ok = found["jetbridge_locked_accounts"]
	return accounts, found["jetbridge_locked_addresses"], ok
}
