package server_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/jetbridge/jetbridge/bridge/server"
)

func status(code int, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		io.WriteString(w, text)
	})
}

func engine(t *testing.T, log *syncBuffer, routes ...server.Route) string {
	t.Helper()
	h, err := server.NewEngine(server.EngineConfig{
		Routes: routes, NotFound: status(404, "none"), WrongMethod: status(405, "other"), Fault: status(500, "fault"),
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(log, nil), slog.LevelError)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func TestEngine(t *testing.T) {
	var log syncBuffer
	url := engine(t, &log,
		server.Route{Method: "POST", Path: "/auth/token", Handler: says("token")},
		server.Route{Method: "GET", Path: "/auth/verify", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.RemoteAddr[:9]+" "+r.URL.RawQuery)
		})},
		server.Route{Method: "GET", Path: "/bare", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) })},
	)
	tests := []struct {
		method, path string
		status       int
		body         string
	}{
		{"POST", "/auth/token", 200, "token"},
		{"POST", "/auth/t%6Fken", 200, "token"}, // matched as its class was: decoded
		{"GET", "/auth/verify?a=%zz", 200, "127.0.0.1 a=%zz"},
		{"GET", "/bare", 202, ""},
		{"GET", "/auth/token", 405, "other"},
		{"POST", "/auth/token/", 404, "none"},
		{"POST", "/AUTH/TOKEN", 404, "none"},
		{"POST", "//auth/token", 404, "none"},
		{"POST", "/auth/./token", 404, "none"},
		{"GET", "/", 404, "none"},
	}
	for _, tt := range tests {
		req := mustRequest(url)
		req.URL.Opaque = strings.TrimPrefix(url, "http:") + tt.path
		req.Method = tt.method
		req.Header.Set("X-Forwarded-For", "192.0.2.66")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != tt.status || string(body) != tt.body {
			t.Errorf("%s %s: %d %q, want %d %q", tt.method, tt.path, res.StatusCode, body, tt.status, tt.body)
		}
		if tt.status == 405 && res.Header.Get("Allow") != "POST" {
			t.Errorf("%s %s: Allow is %q", tt.method, tt.path, res.Header.Get("Allow"))
		}
	}
	if gin.Mode() != gin.ReleaseMode {
		t.Errorf("gin is in mode %s", gin.Mode())
	}
	if got := log.take(); got != "" {
		t.Errorf("logged %q", got)
	}
}

func TestPanics(t *testing.T) {
	tests := []struct {
		name   string
		handle http.HandlerFunc
		whole  bool
		logged string
	}{
		{"before anything", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1234")
			w.Header().Set("Set-Cookie", "s3cret")
			panic("s3cret")
		}, true, "panic=string"},
		{"a runtime error", func(w http.ResponseWriter, _ *http.Request) {
			var v any = "s3cret"
			_ = v.(int)
		}, true, "interface {} is string, not int"},
		{"after the beginning", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			panic("s3cret")
		}, false, "panic=string"},
		{"to cut the answer", func(w http.ResponseWriter, _ *http.Request) {
			panic(http.ErrAbortHandler)
		}, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log syncBuffer
			url := engine(t, &log, server.Route{Method: "GET", Path: "/x", Handler: tt.handle})
			req := mustRequest(url + "/x?q=s3cret")
			req.Header.Set("Authorization", "Basic s3cret")
			res, err := http.DefaultTransport.RoundTrip(req)
			var body []byte
			if err == nil {
				body, err = io.ReadAll(res.Body)
				res.Body.Close()
			}
			if (err == nil) != tt.whole {
				t.Errorf("the answer came with %v", err)
			}
			if tt.whole && (res.StatusCode != 500 || string(body) != "fault" || res.Header.Get("Set-Cookie") != "") {
				t.Errorf("answered %d %v %q", res.StatusCode, res.Header, body)
			}
			if got := log.take(); strings.Contains(got, "s3cret") || !strings.Contains(got, tt.logged) || (got == "") != (tt.logged == "") {
				t.Errorf("logged %s", got)
			}
		})
	}
}

func TestNewEngineRefuses(t *testing.T) {
	ok := server.EngineConfig{NotFound: says(""), WrongMethod: says(""), Fault: says(""), Log: slog.New(slog.DiscardHandler)}
	if _, err := server.NewEngine(ok); err != nil {
		t.Error(err)
	}
	if _, err := server.NewEngine(server.EngineConfig{}); err == nil {
		t.Error("an empty configuration was taken")
	}
	for _, routes := range [][]server.Route{
		{{Method: "GET", Path: "x", Handler: says("")}},
		{{Method: "", Path: "/x", Handler: says("")}},
		{{Method: "GET", Path: "/x"}},
		{{Method: "GET", Path: "/x", Handler: says("")}, {Method: "GET", Path: "/x", Handler: says("")}},
		{{Method: "GET", Path: "/:a", Handler: says("")}, {Method: "GET", Path: "/:b", Handler: says("")}},
	} {
		cfg := ok
		cfg.Routes = routes
		if h, err := server.NewEngine(cfg); err == nil || h != nil {
			t.Errorf("%v was taken", routes)
		}
	}
}
