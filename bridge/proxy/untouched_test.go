package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/proxy"
)

// TestUntouched: what an Observer lets through has every header that came and no
// other, forwarding ones included, however the client's Connection names them.
func TestUntouched(t *testing.T) {
	heads := make(chan string, 1)
	upstream := serveRaw(t, func(c net.Conn, _ *bufio.Reader, head string) {
		heads <- head
		_, _ = io.WriteString(c, "HTTP/1.1 401 UNAUTHORIZED\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\n"+
			"WWW-Authenticate: Basic\r\nSet-Cookie: _token=x\r\nSet-Cookie: session=y\r\nContent-Length: 6\r\n\r\n<html>")
	})
	f := newFront(t, upstream, bridge.Decision{Verdict: bridge.PassUntouched}, proxy.Config{})
	c, r := sendRaw(t, f, "GET /a//b/../%2e%2F;x?q=%zz&y HTTP/1.1\r\nHost: airflow.example.com\r\n"+
		"Authorization: Basic YTpi\r\nAuthorization: Negotiate YII=\r\nConnection: X-Forwarded-Proto\r\n"+
		"Cookie: _token=a; session=b\r\nForwarded: for=192.0.2.1\r\nRemote-User: mallory\r\nX-Forwarded-For: 192.0.2.1\r\n"+
		"X-Forwarded-For: 192.0.2.2\r\nX-Forwarded-Proto: https\r\nX_Remote_User: mallory\r\n\r\n")
	want := []string{
		"GET /a//b/../%2e%2F;x?q=%zz&y HTTP/1.1", "Host: airflow.example.com",
		"Authorization: Basic YTpi", "Authorization: Negotiate YII=", "Cookie: _token=a; session=b",
		"Forwarded: for=192.0.2.1", "Remote-User: mallory", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2",
		"X-Forwarded-Proto: https", "X_remote_user: mallory", "", "",
	}
	if diff := cmp.Diff(want, strings.Split(<-heads, "\r\n")); diff != "" {
		t.Errorf("the upstream saw (-want +got):\n%s", diff)
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != "<html>" || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("%v: %d %q", err, res.StatusCode, body)
	}
	answer := http.Header{
		"Date": {"Thu, 26 Nov 2026 12:00:00 GMT"}, "Www-Authenticate": {"Basic"},
		"Set-Cookie": {"_token=x", "session=y"}, "Content-Length": {"6"},
	}
	if diff := cmp.Diff(answer, res.Header); diff != "" {
		t.Errorf("the client saw (-want +got):\n%s", diff)
	}
	c.Close()
}
