package bridge_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// A row is one request and what must become of it. The same rows go through the
// core, through the proxy and through /auth/verify.
type row struct {
	name    string
	method  string // GET when empty
	target  string
	headers []string // GOOD, OLD, BAD stand for tokens
	jwtOnly bool

	verdict   bridge.Verdict
	status    int // of a refusal
	detail    string
	reason    record.Reason
	challenge []string
	// What the upstream sees: MINTED:sub, OWN, or the value itself.
	authorization string
	cookie        string
	retryAfter    string
}

const dags = "/api/v2/dags"

var rows = []row{
	// Legacy on dual routes.
	{name: "basic", target: dags, headers: []string{"Authorization", bridgetest.Basic("alice", "alice")},
		verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "basic, any case of the scheme", target: dags, headers: []string{"Authorization", "bAsIc " + bridgetest.Basic("alice", "alice")[6:]},
		verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "basic, post", method: "POST", target: dags, headers: []string{"Authorization", bridgetest.Basic("bob", "bob")},
		verdict: bridge.PassMinted, authorization: "MINTED:2"},
	{name: "basic on v1", target: "/api/v1/dags", headers: []string{"Authorization", bridgetest.Basic("alice", "alice")},
		verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "basic on fab's own api", target: "/auth/fab/v1/users", headers: []string{"Authorization", bridgetest.Basic("alice", "alice")},
		verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "basic on an unknown path below /api/", target: "/api/v9/x", headers: []string{"Authorization", bridgetest.Basic("alice", "alice")},
		verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "minted goes without the cookies that say who somebody is", target: dags,
		headers: []string{"Authorization", bridgetest.Basic("alice", "alice"), "Cookie", "a=1; session=s; _token=GOOD; b=2; _access_token=x; _refresh_token=y"},
		verdict: bridge.PassMinted, authorization: "MINTED:1", cookie: "a=1; b=2"},
	{name: "negotiate", target: dags, headers: []string{"Authorization", "Negotiate alice:alice"}, verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "negotiate, any case of the scheme", target: dags, headers: []string{"Authorization", "nEGOTIATE alice:alice"}, verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "negotiate goes before the cookie", target: dags, headers: []string{"Authorization", "Negotiate alice:alice", "Cookie", "_token=OLD"},
		verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "negotiate alone", target: dags, headers: []string{"Authorization", "Negotiate"},
		status: 401, reason: record.MalformedCredential, challenge: []string{"Basic", "Negotiate"}},
	{name: "NTLM in negotiate", target: dags, headers: []string{"Authorization", "Negotiate ntlm:"},
		status: 401, detail: "Not authenticated: the client sent NTLM, for it has no Kerberos ticket for this host name. Run kinit, and use the host name that the service principal has.",
		reason: record.NTLMOffered, challenge: []string{"Basic", "Negotiate"}},
	{name: "negotiate from another origin", method: "POST", target: dags, headers: []string{"Authorization", "Negotiate alice:alice", "Origin", "https://evil.example"},
		status: 403, reason: record.CrossOrigin},
	{name: "a principal that airflow 3 judged is not looked up", target: dags, headers: []string{"Authorization", bridgetest.Basic("subject", "subject")},
		verdict: bridge.PassMinted, authorization: "MINTED:77"},
	{name: "wrong password", target: dags, headers: []string{"Authorization", bridgetest.Basic("alice", "no")},
		status: 401, detail: "Not authenticated: the credential was refused.", reason: record.WrongPassword, challenge: []string{"Basic", "Negotiate"}},
	{name: "wrong password on v1", target: "/api/v1/dags", headers: []string{"Authorization", bridgetest.Basic("alice", "no")},
		status: 401, reason: record.WrongPassword, challenge: []string{"Basic", "Negotiate"}},
	{name: "malformed", target: dags, headers: []string{"Authorization", "Basic ###"},
		status: 401, reason: record.MalformedCredential, challenge: []string{"Basic", "Negotiate"}},
	{name: "a legacy failure is final: no falling through to the cookie", target: dags,
		headers: []string{"Authorization", bridgetest.Basic("alice", "no"), "Cookie", "_token=GOOD"}, status: 401, reason: record.WrongPassword},
	{name: "absent in airflow 3", target: dags, headers: []string{"Authorization", bridgetest.Basic("mallory", "mallory")},
		status: 403, reason: record.NoUpstreamUser},
	{name: "inactive in airflow 3", target: dags, headers: []string{"Authorization", bridgetest.Basic("carol", "carol")},
		status: 403, reason: record.NoUpstreamUser},
	{name: "database gone is not a no", target: dags, headers: []string{"Authorization", bridgetest.Basic("down", "x")},
		status: 503, reason: record.SourceUnavailable, retryAfter: "2"},
	{name: "queue full", target: dags, headers: []string{"Authorization", bridgetest.Basic("busy", "x")},
		status: 503, reason: record.HashQueueFull, retryAfter: "1"},
	{name: "too many failures", target: dags, headers: []string{"Authorization", bridgetest.Basic("locked", "x")},
		status: 429, detail: "Too many attempts have failed. Try again later.", reason: record.TooManyFailures, retryAfter: "30"},
	{name: "too many failures on v1", target: "/api/v1/dags", headers: []string{"Authorization", bridgetest.Basic("locked", "x")},
		status: 429, reason: record.TooManyFailures, retryAfter: "30"},
	{name: "directory gone", target: dags, headers: []string{"Authorization", bridgetest.Basic("lost", "lost")},
		status: 503, reason: record.SourceUnavailable, retryAfter: "1"},
	{name: "a defect refuses", target: dags, headers: []string{"Authorization", bridgetest.Basic("fault", "x")},
		status: 500, reason: record.Fault},

	// A Bearer that claims to be a configured issuer's is the legacy side's to judge, and nobody else's.
	{name: "id token", target: dags, headers: []string{"Authorization", "Bearer ID.alice:alice"}, verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "id token, any case of the scheme", target: dags, headers: []string{"Authorization", "bEARER ID.alice:alice"}, verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "id token that is refused", target: dags, headers: []string{"Authorization", "Bearer ID.alice:no"},
		status: 401, detail: "Not authenticated: the credential was refused.", reason: record.WrongPassword, challenge: []string{"Basic", "Negotiate"}},
	{name: "a refused id token is final", target: dags, headers: []string{"Authorization", "Bearer ID.alice:no", "Cookie", "_token=GOOD"},
		status: 401, reason: record.WrongPassword},
	{name: "id token beside a cookie", target: dags, headers: []string{"Authorization", "Bearer ID.alice:alice", "Cookie", "_token=BAD; a=1"},
		verdict: bridge.PassMinted, authorization: "MINTED:1", cookie: "a=1"},
	{name: "id token on a modern route", target: "/ui/config", headers: []string{"Authorization", "Bearer ID.alice:alice"},
		status: 401, reason: record.SchemeNotSpoken},
	{name: "id token on a modern route beside a cookie", target: "/ui/config", headers: []string{"Authorization", "Bearer ID.alice:alice", "Cookie", "_token=GOOD"},
		verdict: bridge.PassOwn, cookie: "_token=GOOD"},
	{name: "id token in jwt_only", target: dags, headers: []string{"Authorization", "Bearer ID.alice:alice"}, jwtOnly: true,
		status: 401, reason: record.SchemeSwitchedOff},
	{name: "an id token in the cookie is the gate's", target: dags, headers: []string{"Cookie", "_token=ID.alice:alice"},
		status: 403, reason: record.TokenInvalid},

	// Airflow 2's session cookie comes last, and is final like the others.
	{name: "session", target: dags, headers: []string{"Cookie", "a=1; session=alice:alice; b=2"}, verdict: bridge.PassMinted, authorization: "MINTED:1", cookie: "a=1; b=2"},
	{name: "session on v1", method: "POST", target: "/api/v1/dags", headers: []string{"Cookie", "session=alice:alice"}, verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "session that is refused", target: dags, headers: []string{"Cookie", "session=alice:no"},
		status: 401, detail: "Not authenticated: the credential was refused.", reason: record.WrongPassword, challenge: []string{"Basic", "Negotiate"}},
	{name: "session, database gone", target: dags, headers: []string{"Cookie", "session=down:x"}, status: 503, reason: record.SourceUnavailable, retryAfter: "2"},
	{name: "session from another site", method: "POST", target: dags, headers: []string{"Cookie", "session=alice:alice", "Sec-Fetch-Site", "cross-site"},
		status: 403, detail: "another origin", reason: record.CrossOrigin},
	{name: "session from another origin, without fetch metadata", method: "PATCH", target: dags, headers: []string{"Cookie", "session=alice:alice", "Origin", "https://evil.example"},
		status: 403, reason: record.CrossOrigin},
	{name: "session from its own origin", method: "DELETE", target: dags, headers: []string{"Cookie", "session=alice:alice", "Origin", "https://airflow.example"},
		verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "a token goes before a session", target: dags, headers: []string{"Cookie", "session=alice:alice; _token=GOOD"}, verdict: bridge.PassOwn, cookie: "session=alice:alice; _token=GOOD"},
	{name: "a bad token beside a session is final", target: dags, headers: []string{"Cookie", "session=alice:alice; _token=BAD"}, status: 403, reason: record.TokenInvalid},
	{name: "basic goes before a session", target: dags, headers: []string{"Authorization", bridgetest.Basic("bob", "bob"), "Cookie", "session=alice:alice"},
		verdict: bridge.PassMinted, authorization: "MINTED:2"},
	{name: "a wrong password beside a session is final", target: dags, headers: []string{"Authorization", bridgetest.Basic("bob", "no"), "Cookie", "session=alice:alice"},
		status: 401, reason: record.WrongPassword, challenge: []string{"Basic", "Negotiate"}},
	{name: "a scheme that nobody speaks is passed over beside a session", target: dags, headers: []string{"Authorization", "Digest x", "Cookie", "session=alice:alice"},
		verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "of two sessions the first counts", target: dags, headers: []string{"Cookie", "session=bob:bob; session=alice:alice"}, verdict: bridge.PassMinted, authorization: "MINTED:2"},
	{name: "an empty session is none", target: dags, headers: []string{"Cookie", "session=; session=alice:alice"},
		status: 401, detail: "Not authenticated", reason: record.NoCredential, challenge: []string{"Basic", "Negotiate"}},
	{name: "a session in another letter case is none", target: dags, headers: []string{"Cookie", "Session=alice:alice"},
		status: 401, reason: record.NoCredential, challenge: []string{"Basic", "Negotiate"}},
	{name: "session on a modern route", target: "/ui/config", headers: []string{"Cookie", "session=alice:alice"}, status: 401, detail: "Not authenticated", reason: record.NoCredential},
	{name: "session in jwt_only", target: dags, headers: []string{"Cookie", "session=alice:alice"}, jwtOnly: true, status: 401, detail: "POST /auth/token", reason: record.SchemeSwitchedOff},

	// No credential that counts.
	{name: "none", target: dags, status: 401, detail: "Not authenticated", reason: record.NoCredential, challenge: []string{"Basic", "Negotiate"}},
	{name: "none, post", method: "POST", target: dags, status: 401, reason: record.NoCredential, challenge: []string{"Basic", "Negotiate"}},
	{name: "unknown scheme", target: dags, headers: []string{"Authorization", "Digest x"},
		status: 401, detail: "Not authenticated", reason: record.SchemeNotSpoken, challenge: []string{"Basic", "Negotiate"}},
	{name: "bearer without a token", target: dags, headers: []string{"Authorization", "Bearer"},
		status: 401, detail: "Not authenticated", reason: record.NoCredential, challenge: []string{"Basic", "Negotiate"}},
	{name: "two authorization headers", target: dags, headers: []string{"Authorization", "Bearer GOOD", "Authorization", bridgetest.Basic("alice", "alice")},
		status: 400, reason: record.DoubledCredential},
	{name: "a script in a browser is not challenged", target: dags, headers: []string{"Sec-Fetch-Mode", "cors"},
		status: 401, reason: record.NoCredential},
	{name: "a browser's page is", target: dags, headers: []string{"Sec-Fetch-Mode", "navigate"},
		status: 401, reason: record.NoCredential, challenge: []string{"Basic", "Negotiate"}},

	// Own tokens.
	{name: "bearer", target: dags, headers: []string{"Authorization", "Bearer GOOD"}, verdict: bridge.PassOwn, authorization: "Bearer GOOD"},
	{name: "bearer, lower case", target: dags, headers: []string{"Authorization", "bearer GOOD"}, verdict: bridge.PassOwn, authorization: "bearer GOOD"},
	{name: "bearer beats the cookie, which goes", target: dags, headers: []string{"Authorization", "Bearer GOOD", "Cookie", "x=1; _token=BAD; session=s"},
		verdict: bridge.PassOwn, authorization: "Bearer GOOD", cookie: "x=1; session=s"},
	{name: "a bad bearer is final", target: dags, headers: []string{"Authorization", "Bearer BAD", "Cookie", "_token=GOOD"},
		status: 403, detail: "Invalid JWT token", reason: record.TokenInvalid},
	{name: "expired", target: dags, headers: []string{"Authorization", "Bearer OLD"}, status: 401, detail: "Token Expired", reason: record.TokenExpired},
	{name: "cookie stays a cookie", target: dags, headers: []string{"Cookie", "_token=GOOD; session=s"},
		verdict: bridge.PassOwn, cookie: "_token=GOOD; session=s"},
	{name: "a remembered basic on a modern route is passed over beside a cookie", target: "/ui/config",
		headers: []string{"Authorization", bridgetest.Basic("alice", "alice"), "Cookie", "_token=GOOD"}, verdict: bridge.PassOwn, cookie: "_token=GOOD"},
	{name: "a cookie that only python sees is the one that counts", target: dags, headers: []string{"Cookie", "_token=GOOD; \xa0_token=BAD"},
		status: 403, detail: "Invalid JWT token", reason: record.TokenInvalid},
	{name: "of several cookies the judged one alone goes on", target: dags, headers: []string{"Cookie", "a=1; _token=BAD; \x85_token=GOOD"},
		verdict: bridge.PassOwn, cookie: "a=1; _token=GOOD"},
	{name: "whatever the order in which another would read them", target: dags, headers: []string{"Cookie", "_token=GOOD; \xc2\xa0_token=BAD"},
		verdict: bridge.PassOwn, cookie: "_token=GOOD"},
	{name: "none of them goes on with a minted token", target: dags, headers: []string{"Authorization", bridgetest.Basic("alice", "alice"), "Cookie", "a=1; \xa0_token=GOOD; \x85session=s"},
		verdict: bridge.PassMinted, authorization: "MINTED:1", cookie: "a=1"},
	{name: "the last of two cookies counts, as for airflow", target: dags, headers: []string{"Cookie", "_token=GOOD; _token=BAD"},
		status: 403, detail: "Invalid JWT token", reason: record.TokenInvalid},

	// Modern routes.
	{name: "modern with a bearer", target: "/ui/config", headers: []string{"Authorization", "Bearer GOOD"}, verdict: bridge.PassOwn, authorization: "Bearer GOOD"},
	{name: "modern with a cookie", target: "/ui/config", headers: []string{"Cookie", "_token=GOOD"}, verdict: bridge.PassOwn, cookie: "_token=GOOD"},
	{name: "modern knows no basic, and asks for none", target: "/ui/config", headers: []string{"Authorization", bridgetest.Basic("alice", "alice")},
		status: 401, detail: "Not authenticated", reason: record.SchemeNotSpoken},
	{name: "modern without", target: "/ui/config", status: 401, detail: "Not authenticated", reason: record.NoCredential},

	// jwt_only.
	{name: "jwt_only refuses basic and says how to get a token", target: dags, headers: []string{"Authorization", bridgetest.Basic("alice", "alice")}, jwtOnly: true,
		status: 401, detail: "POST /auth/token", reason: record.SchemeSwitchedOff},
	{name: "jwt_only lets a token through", target: dags, headers: []string{"Authorization", "Bearer GOOD"}, jwtOnly: true,
		verdict: bridge.PassOwn, authorization: "Bearer GOOD"},
	{name: "jwt_only passes a remembered basic over beside a cookie", target: dags,
		headers: []string{"Authorization", bridgetest.Basic("alice", "alice"), "Cookie", "_token=GOOD"}, jwtOnly: true, verdict: bridge.PassOwn, cookie: "_token=GOOD"},
	{name: "jwt_only asks for nothing it would not take", target: dags, jwtOnly: true, status: 401, detail: "Not authenticated", reason: record.NoCredential},

	// Public and foreign: as they came.
	{name: "public keeps its credentials", target: "/api/v2/version", headers: []string{"Authorization", bridgetest.Basic("alice", "no"), "Cookie", "_token=BAD; session=s"},
		verdict: bridge.PassAsIs, authorization: bridgetest.Basic("alice", "no"), cookie: "_token=BAD; session=s"},
	{name: "pages", target: "/dags/x/grid", headers: []string{"Cookie", "_token=BAD"}, verdict: bridge.PassAsIs, cookie: "_token=BAD"},
	{name: "logout mints nothing", target: "/api/v2/auth/logout", headers: []string{"Authorization", bridgetest.Basic("alice", "alice")},
		verdict: bridge.PassAsIs, authorization: bridgetest.Basic("alice", "alice")},
	{name: "execution is another's", target: "/execution/task-instances/x/run", headers: []string{"Authorization", "Bearer BAD"},
		verdict: bridge.PassAsIs, authorization: "Bearer BAD"},
	{name: "execution with a legacy credential gets no token", target: "/execution/x", headers: []string{"Authorization", bridgetest.Basic("alice", "alice")},
		verdict: bridge.PassAsIs, authorization: bridgetest.Basic("alice", "alice")},

	// Odd paths (C-12, C-13, C-16, C-18).
	{name: "dot segments", target: "/api/v2/version/../dags", headers: []string{"Authorization", "Bearer GOOD"}, status: 400, reason: record.BadPath},
	{name: "encoded dot segments", target: "/ui/%2e%2e/api/v2/dags", status: 400, reason: record.BadPath},
	{name: "a query does not make a path public", target: dags + "?x=/api/v2/version", status: 401, reason: record.NoCredential, challenge: []string{"Basic", "Negotiate"}},
	{name: "encoded letters are the same path", target: "/%61pi/v2/dags", status: 401, reason: record.NoCredential, challenge: []string{"Basic", "Negotiate"}},
	{name: "an encoded slash in an id", target: "/api/v2/dags/a%2Fb", headers: []string{"Authorization", "Bearer GOOD"}, verdict: bridge.PassOwn, authorization: "Bearer GOOD"},

	{name: "a tunnel", method: "CONNECT", target: dags, headers: []string{"Authorization", "Bearer GOOD"}, status: 405, reason: record.BadMethod},
	{name: "a tunnel on a public path", method: "CONNECT", target: "/page", status: 405, reason: record.BadMethod},
	{name: "an echo of what the upstream is sent", method: "TRACE", target: dags, headers: []string{"Authorization", bridgetest.Basic("alice", "alice")},
		status: 405, reason: record.BadMethod},
	{name: "an echo on v1", method: "TRACE", target: "/api/v1/dags", status: 405, reason: record.BadMethod},

	// Other origins.
	{name: "an unsafe method from another site", method: "POST", target: dags,
		headers: []string{"Authorization", bridgetest.Basic("alice", "alice"), "Sec-Fetch-Site", "cross-site"}, status: 403, detail: "another origin", reason: record.CrossOrigin},
	{name: "an unsafe method from another origin, without fetch metadata", method: "DELETE", target: dags,
		headers: []string{"Authorization", bridgetest.Basic("alice", "alice"), "Origin", "https://evil.example"}, status: 403, reason: record.CrossOrigin},
	{name: "a websocket from another site", target: dags,
		headers: []string{"Authorization", bridgetest.Basic("alice", "alice"), "Upgrade", "websocket", "Origin", "https://evil.example"}, status: 403, reason: record.CrossOrigin},
	{name: "its own origin", method: "POST", target: dags,
		headers: []string{"Authorization", bridgetest.Basic("alice", "alice"), "Origin", "https://airflow.example"}, verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "a safe method from another site", target: dags,
		headers: []string{"Authorization", bridgetest.Basic("alice", "alice"), "Sec-Fetch-Site", "cross-site"}, verdict: bridge.PassMinted, authorization: "MINTED:1"},
	{name: "a token from another site is nobody's ambient credential", method: "POST", target: dags,
		headers: []string{"Authorization", "Bearer GOOD", "Sec-Fetch-Site", "cross-site"}, verdict: bridge.PassOwn, authorization: "Bearer GOOD"},

	// Preflight.
	{name: "options goes on without a credential", method: "OPTIONS", target: dags,
		headers: []string{"Authorization", bridgetest.Basic("alice", "no"), "Cookie", "a=1; _token=BAD", "Origin", "https://x.example"}, verdict: bridge.PassAsIs, cookie: "a=1"},
	{name: "options on v1 is answered", method: "OPTIONS", target: "/api/v1/dags", verdict: bridge.Answer},
}

// world of the row, and its request with the tokens filled in.
func (r row) prepare(t *testing.T) (*bridgetest.World, bridge.Request, *strings.Replacer) {
	t.Helper()
	var w *bridgetest.World
	if r.jwtOnly {
		w = bridgetest.New(t, bridgetest.JWTOnly(t))
	} else {
		w = bridgetest.New(t)
	}
	good := w.Sign(t, "9", time.Hour)
	tokens := strings.NewReplacer("GOOD", good, "OLD", w.Sign(t, "9", -1), "BAD", good[:len(good)-8]+"AAAAAAAA")
	headers := make([]string, len(r.headers))
	for i, h := range r.headers {
		headers[i] = tokens.Replace(h)
	}
	method := r.method
	if method == "" {
		method = http.MethodGet
	}
	return w, bridgetest.Ask(method, r.target, headers...), tokens
}

// check compares what the upstream would see with what the row says.
func (r row) check(t *testing.T, w *bridgetest.World, tokens *strings.Replacer, authorization, cookie string) {
	t.Helper()
	if subject, ok := strings.CutPrefix(r.authorization, "MINTED:"); ok {
		claims, err := w.Key.Verify(strings.TrimPrefix(authorization, "Bearer "))
		if err != nil {
			t.Fatalf("the upstream sees %q: %v", authorization, err)
		}
		if claims.Subject != subject {
			t.Errorf("the upstream sees subject %q, want %q", claims.Subject, subject)
		}
	} else if want := tokens.Replace(r.authorization); authorization != want {
		t.Errorf("the upstream sees Authorization %q, want %q", authorization, want)
	}
	if want := tokens.Replace(r.cookie); cookie != want {
		t.Errorf("the upstream sees Cookie %q, want %q", cookie, want)
	}
}

func TestDecide(t *testing.T) {
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			w, req, tokens := r.prepare(t)
			d := w.Core.Decide(context.Background(), req)
			if d.Verdict != r.verdict || d.Reason != r.reason {
				t.Fatalf("%v %q (%v), want %v %q", d.Verdict, d.Reason, d.Cause, r.verdict, r.reason)
			}
			if r.verdict == bridge.Refuse {
				if d.Problem.Status != r.status || !strings.Contains(d.Problem.Detail, r.detail) {
					t.Errorf("problem %d %q, want %d %q", d.Problem.Status, d.Problem.Detail, r.status, r.detail)
				}
				if diff := cmp.Diff(r.challenge, d.Client["Www-Authenticate"]); diff != "" {
					t.Errorf("challenges (-want +got):\n%s", diff)
				}
				if got := d.Client.Get("Retry-After"); got != r.retryAfter {
					t.Errorf("Retry-After %q, want %q", got, r.retryAfter)
				}
				return
			}
			if r.verdict != bridge.Answer {
				r.check(t, w, tokens, strings.Join(d.Upstream(req.Header, "Authorization"), "|"), strings.Join(d.Upstream(req.Header, "Cookie"), "; "))
			}
			// No request passes a dual or modern route without claims that were verified.
			if passes := d.Verdict == bridge.PassMinted || d.Verdict == bridge.PassOwn; passes != (d.Claims.Subject != "") {
				t.Errorf("verdict %v with claims %+v", d.Verdict, d.Claims)
			}
		})
	}
}

// TestRenamedSession: a site that renamed the cookie has its sessions under that
// name alone; neither name goes upstream with a minted token, or comes back.
func TestRenamedSession(t *testing.T) {
	w := bridgetest.New(t, func(cfg *bridge.Config) { cfg.SessionCookie = "airflow2" })
	if d := w.Core.Decide(t.Context(), bridgetest.Ask("GET", dags, "Cookie", "session=alice:alice")); d.Reason != record.NoCredential {
		t.Errorf("under the usual name: %v %s", d.Verdict, d.Reason)
	}
	req := bridgetest.Ask("GET", dags, "Cookie", "session=bob:bob; airflow2=alice:alice; x=1")
	d := w.Core.Decide(t.Context(), req)
	if d.Verdict != bridge.PassMinted || d.Scheme != "session" || d.Claims.Subject != "1" {
		t.Errorf("under its own: %v %s, %s is %s", d.Verdict, d.Reason, d.Scheme, d.Claims.Subject)
	}
	if diff := cmp.Diff([]string{"x=1"}, d.Upstream(req.Header, "Cookie")); diff != "" {
		t.Errorf("upstream (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"_token", "session", "airflow2"}, d.StripSetCookie); diff != "" {
		t.Errorf("stripped from the answer (-want +got):\n%s", diff)
	}
}

// C-14: whatever the Host, its case, port or dot, the path alone decides.
func TestHostDecidesNothing(t *testing.T) {
	w := bridgetest.New(t)
	for _, host := range []string{"airflow.example", "AIRFLOW.example", "airflow.example.", "airflow.example:80", "airflow.example.:8080", "[2001:DB8::1]:80", "xn--bcher-kva.example", "localhost", ""} {
		for target, want := range map[string]bridge.Verdict{dags: bridge.Refuse, "/ui/config": bridge.Refuse, "/api/v2/version": bridge.PassAsIs} {
			req := bridgetest.Ask("GET", target)
			req.Host = host
			if d := w.Core.Decide(context.Background(), req); d.Verdict != want || d.Reason == record.BadGatewayHeaders {
				t.Errorf("%q, %s: %v %s", host, target, d.Verdict, d.Reason)
			}
		}
	}
	for _, host := range []string{"b\u00fccher.example", "a b", "a/b", "a@b", "a,b", "a\x00", strings.Repeat("a", 300)} {
		req := bridgetest.Ask("GET", "/api/v2/version")
		req.Host = host
		if d := w.Core.Decide(context.Background(), req); d.Reason != record.BadGatewayHeaders {
			t.Errorf("%q: %v %s", host, d.Verdict, d.Reason)
		}
	}
}
