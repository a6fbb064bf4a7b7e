package bridge_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// keep keeps the records that it is given, in order.
type keep struct{ records chan record.Record }

func (k keep) Record(r *record.Record) { k.records <- *r }

// TestRecord: each request leaves one record, whatever became of it.
func TestRecord(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v2/cut":
			w.Header().Set("Content-Length", "1000000")
			w.Write(make([]byte, 500_000))
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/api/v2/talk":
			c, err := websocket.Accept(w, r, nil)
			if err == nil {
				c.CloseNow()
			}
		default:
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, "hello")
		}
	}))
	defer upstream.Close()
	w := bridgetest.New(t)
	kept := keep{make(chan record.Record, 10)}
	front := httptest.NewServer(newHandler(t, w, upstream.URL, kept))
	defer front.Close()

	for _, c := range []struct {
		name, path, user string
		want             record.Record
	}{
		{"passed", "/api/v2/dags?secret=1", "alice:alice", record.Record{Path: "/api/v2/dags", Class: "dual", Scheme: "basic", Verdict: "pass_minted",
			Name: "alice", Subject: "1", Status: 418, Sent: 5, Origin: "upstream"}},
		{"refused", "/api/v2/dags", "alice:no", record.Record{Path: "/api/v2/dags", Class: "dual", Scheme: "basic", Verdict: "refuse",
			Reason: record.WrongPassword, Status: 401, Origin: "bridge"}},
		{"cut by the upstream", "/api/v2/cut", "alice:alice", record.Record{Path: "/api/v2/cut", Class: "dual", Scheme: "basic", Verdict: "pass_minted",
			Name: "alice", Subject: "1", Status: 200, Origin: "upstream"}},
		{"public", "/x", "", record.Record{Path: "/x", Class: "public", Verdict: "pass_as_is", Status: 418, Sent: 5, Origin: "upstream"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodGet, front.URL+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if user, password, ok := strings.Cut(c.user, ":"); ok {
				req.SetBasicAuth(user, password)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_, readErr := io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if cut := c.path == "/api/v2/cut"; cut != (readErr != nil) {
				t.Errorf("reading the answer: %v", readErr)
			}
			got := <-kept.records
			if got.ID == "" || got.Start.IsZero() || !got.Client.IsValid() {
				t.Errorf("record %+v", got)
			}
			if c.want.Sent == 0 {
				got.Sent = 0
			}
			same := record.Record{Path: got.Path, Class: got.Class, Scheme: got.Scheme, Verdict: got.Verdict, Name: got.Name, Subject: got.Subject,
				Reason: got.Reason, Status: got.Status, Sent: got.Sent, Origin: got.Origin}
			if same != c.want {
				t.Errorf("recorded %+v\nwant %+v", same, c.want)
			}
		})
	}

	t.Run("a websocket", func(t *testing.T) {
		header := http.Header{"Authorization": {bridgetest.Basic("alice", "alice")}}
		c, _, err := websocket.Dial(context.Background(), front.URL+"/api/v2/talk", &websocket.DialOptions{HTTPHeader: header})
		if err != nil {
			t.Fatal(err)
		}
		c.CloseNow()
		if got := <-kept.records; got.Status != http.StatusSwitchingProtocols || got.Subject != "1" {
			t.Errorf("recorded %+v", got)
		}
	})
}

// TestZeroDecisionRefuses: what nobody decided passes nothing.
func TestZeroDecisionRefuses(t *testing.T) {
	if d := bridge.DecisionFrom(context.Background()); d.Verdict != bridge.Refuse {
		t.Errorf("verdict %v", d.Verdict)
	}
}

// TestV1: what passes on /api/v1 goes to whoever speaks it, and to nobody else; what
// does not pass goes to nobody.
func TestV1(t *testing.T) {
	w := bridgetest.New(t)
	answers := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if bridge.DecisionFrom(r.Context()).Verdict == bridge.Refuse {
				t.Error("a refusal was carried out")
			}
			w.WriteHeader(status)
		})
	}
	h, err := bridge.NewHandler(bridge.HandlerConfig{Decider: w.Core, Forward: answers(202), V1: answers(201), Sink: record.Fanout{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target, user string
		status       int
	}{
		{"/api/v1/dags", "alice:alice", 201},
		{"/api/v1/version", "", 201},
		{"/api/v1/dags", "alice:no", 401},
		{"/api/v2/dags", "alice:alice", 202},
		{"/x/api/v1/dags", "alice:alice", 202},
	} {
		r := httptest.NewRequest("GET", c.target, nil)
		if name, password, ok := strings.Cut(c.user, ":"); ok {
			r.SetBasicAuth(name, password)
		}
		out := httptest.NewRecorder()
		h.ServeHTTP(out, r)
		if out.Code != c.status {
			t.Errorf("%s as %q: %d, want %d", c.target, c.user, out.Code, c.status)
		}
	}
}
