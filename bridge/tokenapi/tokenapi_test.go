package tokenapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/migration"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/tokenapi"
)

type keep struct{ last record.Record }

func (k *keep) Record(r *record.Record) { k.last = *r }

// serve puts the token API behind a core, with an upstream that echoes the body.
func serve(t *testing.T, judge bool, change ...func(*bridge.Config)) (*bridgetest.World, *httptest.Server, *keep) {
	t.Helper()
	w := bridgetest.New(t, change...)
	upstream := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d := bridge.DecisionFrom(r.Context()); d.Verdict != bridge.PassAsIs {
			t.Errorf("the upstream is asked with verdict %v", d.Verdict)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || r.ContentLength != int64(len(body)) {
			t.Errorf("body of %d bytes, announced %d: %v", len(body), r.ContentLength, err)
		}
		w.WriteHeader(http.StatusTeapot)
		w.Write(body)
	})
	api, err := tokenapi.New(tokenapi.Config{Core: w.Core, Upstream: upstream, Lifetime: 24 * time.Hour, CLILifetime: time.Hour, Bridge: judge})
	if err != nil {
		t.Fatal(err)
	}
	sink := &keep{}
	h, err := bridge.NewHandler(bridge.HandlerConfig{Decider: w.Core, Forward: http.NotFoundHandler(), Own: api, Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return w, srv, sink
}

func post(t *testing.T, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	if body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(got)
}

func TestTokenAPI(t *testing.T) {
	only := func(scheme string) func(*bridge.Config) {
		return func(cfg *bridge.Config) {
			p, err := migration.New(migration.Config{Mode: migration.JWTOnly, TokenSchemes: []string{scheme}})
			if err != nil {
				t.Fatal(err)
			}
			cfg.Policy = p
		}
	}
	onlyKerberos, onlySessions := only("kerberos"), only("session")
	jwtOnly := bridgetest.JWTOnly(t)
	const upstream = http.StatusTeapot
	for _, c := range []struct {
		name, path, body string
		headers          []string
		judge            bool
		change           func(*bridge.Config)
		status           int
		text             string        // in the body of whatever is no token
		subject          string        // of a token
		lifetime         time.Duration // of a token
		challenge        string
		reason           record.Reason
	}{
		{name: "a legacy credential and no body", headers: []string{"Authorization", bridgetest.Basic("alice", "alice")}, status: 201, subject: "1", lifetime: 24 * time.Hour},
		{name: "cli", path: "/cli", headers: []string{"Authorization", bridgetest.Basic("bob", "bob")}, status: 201, subject: "2", lifetime: time.Hour},
		{name: "kerberos gets its reply", headers: []string{"Authorization", "Negotiate bob:bob"}, status: 201, subject: "2", lifetime: 24 * time.Hour, challenge: "Negotiate AP-REP"},
		{name: "jwt_only leaves the way to a token open", change: jwtOnly, headers: []string{"Authorization", bridgetest.Basic("alice", "alice")},
			status: 201, subject: "1", lifetime: 24 * time.Hour},
		{name: "but not for a scheme that token_schemes leaves out", change: onlyKerberos, headers: []string{"Authorization", bridgetest.Basic("alice", "alice")},
			status: 401, text: "switched off here. (request id", challenge: "Negotiate", reason: record.SchemeSwitchedOff},
		{name: "wrong", headers: []string{"Authorization", bridgetest.Basic("alice", "no")}, status: 401, text: "refused", challenge: "Basic|Negotiate", reason: record.WrongPassword},
		{name: "nothing at all asks for a proof", status: 401, text: "Not authenticated", challenge: "Basic|Negotiate", reason: record.NoCredential},
		{name: "unknown in airflow 3", headers: []string{"Authorization", bridgetest.Basic("mallory", "mallory")}, status: 403, reason: record.NoUpstreamUser},
		{name: "cannot tell", headers: []string{"Authorization", bridgetest.Basic("down", "x")}, status: 503, reason: record.SourceUnavailable},
		{name: "a session", headers: []string{"Cookie", "session=alice:alice"}, status: 201, subject: "1", lifetime: 24 * time.Hour},
		{name: "a session in jwt_only", change: jwtOnly, headers: []string{"Cookie", "session=alice:alice"}, status: 201, subject: "1", lifetime: 24 * time.Hour},
		{name: "a session that is refused", headers: []string{"Cookie", "session=alice:no"}, status: 401, text: "refused", challenge: "Basic|Negotiate", reason: record.WrongPassword},
		{name: "a session that may not buy a token", change: onlyKerberos, headers: []string{"Cookie", "session=alice:alice"}, status: 401, challenge: "Negotiate", reason: record.NoCredential},
		{name: "a session from another site", headers: []string{"Cookie", "session=alice:alice", "Sec-Fetch-Site", "cross-site"}, status: 403, reason: record.CrossOrigin},
		{name: "basic beside a session", headers: []string{"Authorization", bridgetest.Basic("bob", "bob"), "Cookie", "session=alice:alice"}, status: 201, subject: "2", lifetime: 24 * time.Hour},
		{name: "a remembered basic that may not", change: onlySessions, headers: []string{"Authorization", bridgetest.Basic("bob", "bob"), "Cookie", "session=alice:alice"},
			status: 201, subject: "1", lifetime: 24 * time.Hour},
		{name: "two proofs", headers: []string{"Authorization", "Basic x", "Authorization", "Basic y"}, status: 400, reason: record.DoubledCredential},
		{name: "a token does not renew itself", headers: []string{"Authorization", "Bearer x"}, status: upstream},
		{name: "from another origin", headers: []string{"Authorization", bridgetest.Basic("alice", "alice"), "Origin", "https://evil.example"}, status: 403, reason: record.CrossOrigin},

		{name: "password for airflow 3", body: `{"username":"alice","password":"alice"}`, status: upstream, text: `{"username":"alice","password":"alice"}`},
		{name: "password for the bridge", judge: true, body: `{"username":"alice","password":"alice"}`, status: 201, subject: "1", lifetime: 24 * time.Hour},
		{name: "whom the bridge refuses airflow 3 answers", judge: true, body: `{"username":"alice","password":"no"}`, status: upstream, text: "alice"},
		{name: "names in other letters are airflow 3's to answer", judge: true, body: `{"Username":"alice","password":"alice"}`, status: upstream},
		{name: "the last of a name counts, as for airflow 3", judge: true, body: `{"username":"alice","username":"bob","password":"bob"}`, status: 201, subject: "2", lifetime: 24 * time.Hour},
		{name: "but not that of another name", judge: true, body: `{"username":"alice","Username":"bob","password":"bob"}`, status: upstream},
		{name: "cannot tell, in a body", judge: true, body: `{"username":"down","password":"x"}`, status: 503, reason: record.SourceUnavailable},
		{name: "a name that airflow 3 lacks is its to answer", judge: true, body: `{"username":"mallory","password":"mallory"}`, status: upstream, text: "mallory"},
		{name: "a form is airflow 3's to answer", judge: true, body: "username=a&password=b", status: upstream, text: "username=a"},
		{name: "so is JSON that does not say so", judge: true, headers: []string{"Content-Type", "text/plain"}, body: `{"username":"alice","password":"alice"}`, status: upstream},
		{name: "but not a dialect of JSON", judge: true, headers: []string{"Content-Type", "Application/vnd.api+JSON"}, body: `{"username":"alice","password":"alice"}`, status: 201, subject: "1", lifetime: 24 * time.Hour},
		{name: "so is a body without a password", judge: true, body: `{"username":"alice"}`, status: upstream},
		{name: "and a name that Basic cannot carry", judge: true, body: `{"username":"a:b","password":"x"}`, status: upstream},
		{name: "nor is a password judged that token_schemes leaves out", judge: true, change: onlyKerberos, body: `{"username":"alice","password":"alice"}`, status: upstream},
		{name: "a body beyond the bound", judge: true, body: strings.Repeat("x", 65<<10), status: 413, reason: record.BadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			var changes []func(*bridge.Config)
			if c.change != nil {
				changes = append(changes, c.change)
			}
			w, srv, sink := serve(t, c.judge, changes...)
			res, body := post(t, srv.URL+"/auth/token"+c.path, c.body, c.headers...)
			srv.Close() // the record is written when the answer is done
			if res.StatusCode != c.status || !strings.Contains(body, c.text) {
				t.Fatalf("%d %s, want %d %q", res.StatusCode, body, c.status, c.text)
			}
			if got := strings.Join(res.Header["Www-Authenticate"], "|"); got != c.challenge {
				t.Errorf("WWW-Authenticate %q, want %q", got, c.challenge)
			}
			if sink.last.Reason != c.reason {
				t.Errorf("recorded reason %q, want %q", sink.last.Reason, c.reason)
			}
			if c.subject == "" {
				return
			}
			var answer map[string]string
			if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer) != 1 {
				t.Fatalf("answer %s: %v", body, err)
			}
			claims, err := w.Key.Verify(answer["access_token"])
			if err != nil {
				t.Fatal(err)
			}
			if claims.Subject != c.subject || !claims.ExpiresAt.Equal(bridgetest.Now.Add(c.lifetime)) {
				t.Errorf("a token for %q until %v, want %q until %v", claims.Subject, claims.ExpiresAt, c.subject, bridgetest.Now.Add(c.lifetime))
			}
			if sink.last.Subject != c.subject || sink.last.TokenID != claims.ID || sink.last.Name == "" {
				t.Errorf("recorded %+v", sink.last)
			}
			if got := res.Header.Get("Deprecation"); (got == "") != (c.change != nil) { // the changed policies have no calendar
				t.Errorf("Deprecation %q", got)
			}
			if res.Header.Get("Cache-Control") != "no-store" {
				t.Error("a token may be stored")
			}
		})
	}
}
