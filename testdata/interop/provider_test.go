package interop

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/openid"
)

func startProvider(t *testing.T) *Provider {
	t.Helper()
	p, err := world.install.StartProvider(t.Context(), t.TempDir())
	if p != nil && p.Process != nil {
		t.Cleanup(func() { p.Stop() })
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func login(t *testing.T, p *Provider, client, user string) Tokens {
	t.Helper()
	tokens, err := p.Login(client, user)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// A judge is the bridge's, of a provider's tokens, at a time that the test moves. It begins a minute ahead, so that
// whatever the provider makes in the meantime is of the past.
type judge struct {
	*openid.Authenticator
	clock *bridgetest.Clock
}

func newJudge(t *testing.T, p *Provider, leeway time.Duration) judge {
	t.Helper()
	clock := bridgetest.NewClock(time.Now().Add(time.Minute))
	a, err := openid.New(openid.Config{
		Issuers: []openid.Issuer{{URL: p.URL, Audience: []string{"airflow"}}}, Leeway: leeway, Now: clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return judge{a, clock}
}

// say is "in", or the reason of a refusal.
func (j judge) say(ctx context.Context, token string) string {
	proof, err := j.Authenticate(ctx, legacy.Credential{Scheme: legacy.OpenID, Authorization: "Bearer " + token})
	var refused *legacy.Refusal
	switch {
	case err == nil && proof.Principal.Name == "viewer@example.com":
		return "in"
	case errors.As(err, &refused):
		return string(refused.Reason)
	}
	return fmt.Sprint(proof.Principal.Name, err)
}

const (
	providersInvalid = string(legacy.IDTokenInvalid)
	providersExpired = string(legacy.IDTokenExpired)
	providersUnknown = string(legacy.SourceUnavailable)
)

func (j judge) want(t *testing.T, what, token, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if got := j.say(ctx, token); got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// TestProviderTokens: of what a real provider makes, the ID token of a user with a verified address counts, where it was
// made for us, and no other token.
func TestProviderTokens(t *testing.T) {
	p := startProvider(t)
	j := newJudge(t, p, 0)
	tokens := login(t, p, "airflow", "viewer")
	j.want(t, "the ID token", tokens.ID, "in")
	j.want(t, "the access token", tokens.Access, providersInvalid)
	j.want(t, "the ID token of another client", login(t, p, "other", "viewer").ID, providersInvalid)
	j.want(t, "the ID token of an address that is not verified", login(t, p, "airflow", "unverified").ID, providersInvalid)
	j.want(t, "the ID token under another's signature", tokens.ID[:strings.LastIndexByte(tokens.ID, '.')]+tokens.Access[strings.LastIndexByte(tokens.Access, '.'):], providersInvalid)
}

// TestProviderRotation: a new key counts as soon as we may ask again, an old one as long as it is published.
func TestProviderRotation(t *testing.T) {
	p := startProvider(t)
	j := newJudge(t, p, 0)
	first := login(t, p, "airflow", "viewer").ID
	j.want(t, "the first key", first, "in")
	if err := p.Rotate(); err != nil {
		t.Fatal(err)
	}
	second := login(t, p, "airflow", "viewer").ID
	j.clock.Advance(31 * time.Second)
	j.want(t, "the second key", second, "in")
	j.want(t, "the first key, still published", first, "in")
	if err := errors.Join(p.Rotate(), p.Retire()); err != nil {
		t.Fatal(err)
	}
	j.clock.Advance(31 * time.Second)
	j.want(t, "the third key", login(t, p, "airflow", "viewer").ID, "in")
	j.want(t, "the first key, retired", first, providersInvalid)
	j.want(t, "the second key, retired", second, providersInvalid)
}

// TestProviderOutage: known keys count while a provider hangs or is gone, for a day; what only it could tell is "cannot
// tell"; and one that comes back with other keys is believed.
func TestProviderOutage(t *testing.T) {
	p := startProvider(t)
	j, late := newJudge(t, p, 0), newJudge(t, p, 0)
	first := login(t, p, "airflow", "viewer").ID
	j.want(t, "before", first, "in")
	if err := p.Rotate(); err != nil {
		t.Fatal(err)
	}
	second := login(t, p, "airflow", "viewer").ID

	p.signal(syscall.SIGSTOP)
	j.clock.Advance(2 * time.Hour)
	j.want(t, "a known key, while it hangs", first, "in")
	hurried, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got := late.say(hurried, first); got != providersUnknown {
		t.Errorf("a client that leaves: %s", got)
	}
	p.signal(syscall.SIGCONT)
	p.Stop()

	j.clock.Advance(time.Minute)
	j.want(t, "a known key, while it is gone", first, "in")
	j.want(t, "a key that may be new", second, providersUnknown)
	j.clock.Advance(23 * time.Hour)
	j.want(t, "a key known for longer than a day", first, providersUnknown)
	if states := j.States(); len(states) != 1 || states[0].Err == nil {
		t.Errorf("states %+v", states)
	}

	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	j.clock.Advance(31 * time.Second)
	j.want(t, "a new key, when it is back", login(t, p, "airflow", "viewer").ID, "in")
	j.want(t, "a key of before", first, providersInvalid)
}

// TestProviderClock: a clock that differs from the provider's counts within the leeway.
func TestProviderClock(t *testing.T) {
	p := startProvider(t)
	token := login(t, p, "airflow", "viewer").ID
	issued := time.Unix(int64(claimsOf(t, token)["iat"].(float64)), 0)
	for _, tt := range []struct {
		name            string
		ahead           time.Duration // of our clock
		strict, lenient string
	}{
		{"ours is slow", -30 * time.Second, providersInvalid, "in"},
		{"ours is much slower", -5 * time.Minute, providersInvalid, providersInvalid},
		{"ours is fast, at the end of the token's life", 72*time.Hour + 30*time.Second, providersExpired, "in"},
		{"ours is much faster", 72*time.Hour + 5*time.Minute, providersExpired, providersExpired},
	} {
		strict, lenient := newJudge(t, p, 0), newJudge(t, p, time.Minute)
		for _, j := range []judge{strict, lenient} {
			j.clock.Advance(issued.Sub(j.clock.Now()) + tt.ahead)
		}
		strict.want(t, tt.name, token, tt.strict)
		lenient.want(t, tt.name+", with a leeway", token, tt.lenient)
	}
}

// TestProviderBridge: the whole program, with a real provider in front of a real Airflow 3.
func TestProviderBridge(t *testing.T) {
	p := startProvider(t)
	listen, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	b, err := StartBridge(t.Context(), world.binary, world.dir, "provider", listen, fmt.Sprintf(
		`airflow3: {url: %q, config: %q, auth_manager: fab}
legacy: {auth_backends: [google_openid], openid: {issuers: [{issuer: %q, audience: airflow}]}}`, world.fab.URL, world.fab.Config, p.URL))
	if b != nil {
		t.Cleanup(b.Stop)
	}
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, target, token string) answer {
		return send(t, b.URL, request{Method: method, Target: target, Headers: []string{"Authorization: Bearer " + token}})
	}
	good, other := login(t, p, "airflow", "viewer").ID, login(t, p, "other", "viewer").ID
	if a := ask("GET", "/api/v2/dags", good); a.Status != http.StatusOK {
		t.Errorf("an ID token: %s", a.text())
	}
	if a := ask("GET", "/api/v2/dags", other); a.Status != http.StatusUnauthorized {
		t.Errorf("one of another audience: %s", a.text())
	}
	bought := tokenIn(t, ask("POST", "/auth/token", good))
	if a := send(t, world.fab.URL, request{Method: "GET", Target: "/api/v2/dags", Headers: []string{"Authorization: Bearer " + bought}}); a.Status != http.StatusOK {
		t.Errorf("a token that it bought, at Airflow itself: %s", a.text())
	}
	// Signed by Airflow's secret, it is good for Airflow; it names the provider, whose keys alone may judge it here.
	both := recipe{Claims: map[string]string{"iss": fmt.Sprintf("%q", p.URL)}}.token(world.fab)
	if a := send(t, world.fab.URL, request{Method: "GET", Target: "/api/v2/dags", Headers: []string{"Authorization: Bearer " + both}}); a.Status != http.StatusOK {
		t.Errorf("a token of Airflow's that names the provider, at Airflow itself: %s", a.text())
	}
	if a := ask("GET", "/api/v2/dags", both); a.Status != http.StatusUnauthorized {
		t.Errorf("a token of Airflow's that names the provider: %s", a.text())
	}
	check := func() string {
		out, _ := exec.CommandContext(t.Context(), world.binary, "check", "--config", filepath.Join(world.dir, "provider", "jetbridge.yaml")).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, " openid ") {
				return line
			}
		}
		return string(out)
	}
	if line := check(); !strings.HasPrefix(line, "ok ") || !strings.Contains(line, p.URL+": 1 keys") {
		t.Errorf("check says %q", line)
	}
	p.Stop()
	if a := ask("GET", "/api/v2/dags", good); a.Status != http.StatusOK {
		t.Errorf("while the provider is gone: %s", a.text())
	}
	if line := check(); strings.HasPrefix(line, "ok ") || !strings.Contains(line, "connection refused") {
		t.Errorf("check says %q of a provider that is gone", line)
	}
}
