package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/proxy"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// A front is a proxy behind a real server that gives every request one decision.
type front struct {
	*httptest.Server
	records chan *record.Record // one per request, when it is done
}

// newFront forwards to upstream as d says. cfg's Upstream is set here.
func newFront(t testing.TB, upstream string, d bridge.Decision, cfg proxy.Config) *front {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Upstream = u
	if cfg.Transport == nil {
		tr := proxy.NewTransport(proxy.TransportConfig{})
		t.Cleanup(tr.CloseIdleConnections)
		cfg.Transport = tr
	}
	p, err := proxy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{records: make(chan *record.Record, 1000)}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &record.Record{ID: "id-1"}
		defer func() { f.records <- rec }()
		ctx := record.With(r.Context(), rec)
		p.ServeHTTP(w, r.WithContext(bridge.WithDecision(ctx, d)))
	}))
	t.Cleanup(f.Close)
	return f
}

func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// serveRaw runs one function over each connection and hands it the request's head.
func serveRaw(t testing.TB, answer func(c net.Conn, r *bufio.Reader, head string)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				if head := readHead(r); head != "" {
					answer(c, r, head)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func readHead(r *bufio.Reader) string {
	var head strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return ""
		}
		if head.WriteString(line); line == "\r\n" {
			return head.String()
		}
	}
}

// sendRaw writes request to f and gives the connection to read the answer from.
func sendRaw(t testing.TB, f *front, request string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func do(t testing.TB, req *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func newRequest(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func asIs() bridge.Decision { return bridge.Decision{Verdict: bridge.PassAsIs} }

// TestTarget is about C-12 and C-18: what was judged is what is asked.
func TestTarget(t *testing.T) {
	tests := []struct{ base, sent, want string }{
		{"", "/", "/"},
		{"", "/api/v2/dags/a%2Fb/dagRuns/x%2fy", "/api/v2/dags/a%2Fb/dagRuns/x%2fy"},
		{"", "/a//b;x=1/./c", "/a//b;x=1/./c"},
		{"", "//a/b", "//a/b"},
		{"", "//a%2Fb//c?d", "//a%2Fb//c?d"},
		{"/sub", `//a%2F{b}`, `/sub//a%2F{b}`},
		{"", `/a|b{c}"<>^` + "`", `/a|b{c}"<>^` + "`"},
		{"", "/\xe4%E4%C3%A4", "/\xe4%E4%C3%A4"},
		{"", "/a:b@c!$&'()*+,~", "/a:b@c!$&'()*+,~"},
		{"", "/a?b=%zz&c;d&&=e", "/a?b=%zz&c;d&&=e"},
		{"", "/a?q={}|\"\xff", "/a?q={}|\"\xff"},
		{"", "/a?", "/a?"},
		{"", "/a??b?", "/a??b?"},
		{"", "/a#b", "/a%23b"},
		{"", "/a?b#c", "/a?b#c"},
		{"", "http://elsewhere.example/a%2Fb?q=%zz", "/a%2Fb?q=%zz"},
		{"", `HTTP://elsewhere.example:80/api/v2/da"gs/%2F`, `/api/v2/da"gs/%2F`},
		{"", "http://elsewhere.example//a/b?c://d/e", "//a/b?c://d/e"},
		{"", "http://elsewhere.example", "/"},
		{"", "http://elsewhere.example?a/b", "/?a/b"},
		{"/sub", "/a%2Fb?c", "/sub/a%2Fb?c"},
		{"/s%2Fub/", "//a", "/s%2Fub//a"},
		{"/", "/a", "/a"},
	}
	for _, tt := range tests {
		t.Run(tt.base+" "+tt.sent, func(t *testing.T) {
			heads := make(chan string, 1)
			up := serveRaw(t, func(c net.Conn, _ *bufio.Reader, head string) {
				heads <- head
				io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			})
			f := newFront(t, up+tt.base, asIs(), proxy.Config{})
			_, r := sendRaw(t, f, "GET "+tt.sent+" HTTP/1.1\r\nHost: bridge.example\r\n\r\n")
			if line, _ := r.ReadString('\n'); line != "HTTP/1.1 204 No Content\r\n" {
				t.Fatalf("answered %q", line)
			}
			got, _, _ := strings.Cut(<-heads, "\r\n")
			if want := "GET " + tt.want + " HTTP/1.1"; got != want {
				t.Errorf("the upstream was asked %q, want %q", got, want)
			}
		})
	}
}

// TestTargetRefused: what has no path, or one that net/http would write
// otherwise than it came.
func TestTargetRefused(t *testing.T) {
	up := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the upstream was asked %q", r.RequestURI) })
	f := newFront(t, up, asIs(), proxy.Config{})
	f.Config.DisableGeneralOptionsHandler = true
	for _, request := range []string{
		"CONNECT db.example:5432", "CONNECT http://h/a", "OPTIONS *", "GET x:/a", "GET x:a", "GET x:/a?b://c/d",
		`GET //x/%2fy"z`, "GET //a/{b}", "GET //\xe4/%2F", `GET http://h//x/%2F"`, "GET //a^b",
	} {
		_, r := sendRaw(t, f, request+" HTTP/1.1\r\nHost: h\r\n\r\n")
		if line, _ := r.ReadString('\n'); line != "HTTP/1.1 400 Bad Request\r\n" {
			t.Errorf("%q: answered %q", request, line)
			continue
		}
		if rec := <-f.records; rec.Reason != record.BadPath || rec.Origin != "bridge" {
			t.Errorf("%q: recorded %q from %q", request, rec.Reason, rec.Origin)
		}
	}
}

// TestHeaders is about C-01 to C-04.
func TestHeaders(t *testing.T) {
	tests := []struct {
		name  string
		sent  string // header lines
		d     bridge.Decision
		names []string // of the headers that are compared
		want  http.Header
	}{
		{
			name: "the client's Connection header removes none of ours",
			sent: "Connection: Authorization, X-Forwarded-For, X-Request-Id, Cookie\r\nAuthorization: Basic eDp5\r\nCookie: a=b\r\n",
			d: bridge.Decision{Remove: []string{"Authorization"}, Set: http.Header{
				"Authorization": {"Bearer t"}, "X-Forwarded-For": {"192.0.2.1"}, "X-Request-Id": {"id-1"},
			}},
			names: []string{"Authorization", "X-Forwarded-For", "X-Request-Id", "Cookie", "Connection"},
			want:  http.Header{"Authorization": {"Bearer t"}, "X-Forwarded-For": {"192.0.2.1"}, "X-Request-Id": {"id-1"}},
		},
		{
			name: "headers go by the names as they came",
			sent: "X_Remote_User: mallory\r\nx.remote.user: mallory\r\nx-REMOTE-user: mallory\r\nX-Kept: yes\r\n",
			d: bridge.Decision{
				Remove: []string{"X_remote_user", "X.remote.user", "X-Remote-User"},
			},
			names: []string{"X_remote_user", "X.remote.user", "X-Remote-User", "X-Kept"},
			want:  http.Header{"X-Kept": {"yes"}},
		},
		{
			name:  "removed first, set then",
			sent:  "Cookie: a=b; session=s\r\nCookie: _token=t\r\n",
			d:     bridge.Decision{Remove: []string{"Cookie"}, Set: http.Header{"Cookie": {"a=b"}}},
			names: []string{"Cookie"},
			want:  http.Header{"Cookie": {"a=b"}},
		},
		{
			name:  "no forwarding header that the decision does not hold",
			sent:  "X-Forwarded-For: 192.0.2.66\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.66\r\n",
			names: []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Via"},
			want:  http.Header{},
		},
		{
			name:  "nothing of its own in User-Agent and Accept-Encoding",
			names: []string{"User-Agent", "Accept-Encoding"},
			want:  http.Header{},
		},
		{
			name:  "an upgrade to HTTP is not passed on",
			sent:  "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
			names: []string{"Connection", "Upgrade", "Http2-Settings"},
			want:  http.Header{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := http.Header{}
			up := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				for _, name := range tt.names {
					if v, ok := r.Header[name]; ok {
						got[name] = v
					}
				}
			})
			tt.d.Verdict = bridge.PassMinted
			f := newFront(t, up, tt.d, proxy.Config{})
			_, r := sendRaw(t, f, "GET / HTTP/1.1\r\nHost: bridge.example\r\n"+tt.sent+"\r\n")
			if line, _ := r.ReadString('\n'); line != "HTTP/1.1 200 OK\r\n" {
				t.Fatalf("answered %q", line)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHost(t *testing.T) {
	for configured, want := range map[string]string{"": "bridge.example", "airflow.example": "airflow.example"} {
		up := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })
		f := newFront(t, up, asIs(), proxy.Config{Host: configured})
		req := newRequest(t, "GET", f.URL, nil)
		req.Host = "bridge.example"
		if _, got := do(t, req); got != want {
			t.Errorf("with Host %q the upstream sees %q, want %q", configured, got, want)
		}
	}
}

func TestClientHeaders(t *testing.T) {
	up := serve(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Request-Id", "the upstream's")
		h.Set("Link", "<a>; rel=next")
		h.Add("Set-Cookie", "_token=; Max-Age=0")
		h.Add("Set-Cookie", " _token =x")
		h.Add("Set-Cookie", "_token2=kept; Path=/_token=")
		h.Add("Set-Cookie", "_TOKEN=kept")
		h.Add("Set-Cookie", "no pair")
		h.Set("Keep-Alive", "timeout=5")
		h.Set("Www-Authenticate", "Bearer")
		h.Set("Vary", "Accept-Encoding")
		h["Date"] = nil
		if r.URL.Path == "/only" {
			h["Set-Cookie"] = []string{"_token=x"}
		}
	})
	d := asIs()
	d.Client = http.Header{
		"X-Request-Id": {"id-1"}, "Link": {"<b>; rel=deprecation"}, "Deprecation": {"@1"}, "Www-Authenticate": {"Negotiate x"},
		"Vary": {"Origin"},
	}
	d.StripSetCookie = []string{"_token"}
	f := newFront(t, up, d, proxy.Config{})
	want := http.Header{
		"X-Request-Id": {"id-1"}, "Link": {"<a>; rel=next", "<b>; rel=deprecation"}, "Deprecation": {"@1"},
		"Www-Authenticate": {"Bearer", "Negotiate x"}, "Vary": {"Accept-Encoding", "Origin"}, "Content-Length": {"0"},
		"Set-Cookie": {"_token2=kept; Path=/_token=", "_TOKEN=kept", "no pair"},
	}
	for _, path := range []string{"/", "/only"} {
		if path == "/only" {
			delete(want, "Set-Cookie")
		}
		res, _ := do(t, newRequest(t, "GET", f.URL+path, nil))
		res.Header.Del("Date")
		if diff := cmp.Diff(want, res.Header); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if rec := <-f.records; rec.Origin != "upstream" || rec.Upstream <= 0 || rec.Err != "" {
		t.Errorf("recorded %+v", rec)
	}
}

func TestAnswersWithoutBody(t *testing.T) {
	tests := []struct {
		method string
		status int
		length string
	}{{"HEAD", 200, "1234"}, {"GET", 204, ""}, {"GET", 304, ""}, {"OPTIONS", 200, "0"}}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.method, tt.status), func(t *testing.T) {
			up := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != tt.method {
					t.Errorf("the upstream saw %s", r.Method)
				}
				w.Header().Set("Etag", `"e"`)
				if tt.length != "" {
					w.Header().Set("Content-Length", tt.length)
				}
				w.WriteHeader(tt.status)
			})
			f := newFront(t, up, asIs(), proxy.Config{})
			res, body := do(t, newRequest(t, tt.method, f.URL, nil))
			if res.StatusCode != tt.status || body != "" || res.Header.Get("Content-Length") != tt.length || res.Header.Get("Etag") != `"e"` {
				t.Errorf("answered %d %v %q", res.StatusCode, res.Header, body)
			}
		})
	}
}

func TestRefusesWithoutDecision(t *testing.T) {
	for _, v := range []bridge.Verdict{bridge.Refuse, bridge.Answer} {
		up := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was asked") })
		f := newFront(t, up, bridge.Decision{Verdict: v}, proxy.Config{})
		res, _ := do(t, newRequest(t, "GET", f.URL, nil))
		if rec := <-f.records; res.StatusCode != 500 || rec.Reason != record.Fault {
			t.Errorf("verdict %v: answered %d, recorded %q", v, res.StatusCode, rec.Reason)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, raw := range []string{"", "ftp://h", "http:///p", "http:h", "//h", "http://u:p@h", "http://h?q", "http://h/#f"} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := proxy.New(proxy.Config{Upstream: u}); err == nil {
			t.Errorf("%q was taken", raw)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("the error shows a password: %v", err)
		}
	}
	if _, err := proxy.New(proxy.Config{}); err == nil {
		t.Error("no upstream was taken")
	}
}
