// Package openid judges OpenID Connect ID tokens that clients send as a Bearer:
// Google's as Airflow 2's google_openid backend took them
// (airflow/providers/google/common/auth_backend/google_openid.py), and those of
// every other issuer that the configuration lists.
//
// A token proves a name only if a listed issuer signed it with one of its own
// published keys, in an algorithm that was configured, for an audience that is
// ours, and it is good now. Nothing in a token chooses where keys come from: an
// issuer that is not listed, and every jku, x5u, jwk or x5c, is without effect.
//
// Which issuer a token claims is read unverified ([Authenticator.Claims]): it says
// which verifier must judge the token, and that one alone does.
//
// Keys are fetched in the background ([Authenticator.Run]) and kept while the
// issuer is down; [New] asks nobody, so that a bridge starts without its issuer.
// Without keys the answer is "cannot tell now", never "no".
package openid

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/jetbridge/jetbridge/legacy"
)

// Google is the issuer whose tokens Airflow 2 knew. Its tokens may spell it
// without the scheme.
const (
	Google      = "https://accounts.google.com"
	googleShort = "accounts.google.com"
)

// maxToken bounds a token, in bytes: ID tokens that list groups are long.
const maxToken = 16 << 10

// Email is the claim that is looked up as an e-mail address.
const Email = "email"

// An Issuer is one that is believed.
type Issuer struct {
	// URL is the issuer's identifier, compared as a whole with iss. Required.
	URL string
	// Audience are ours: aud must name one of them. At least one; empty is
	// refused, for then a token that was made for anybody would count.
	Audience []string
	// Keys is where the key set is, when discovery is not to be asked; KeyFile
	// names a file that holds it, and nothing is fetched then.
	Keys, KeyFile string
	// CAFile names a file with the authorities in PEM form that its TLS is signed
	// by, such as a cluster's own. Empty: the system's.
	CAFile string
	// Algorithms are those that count. Nil: RS256 and ES256.
	Algorithms []string
	// Name is the claim that names the user. Empty: "email".
	Name string
	// Users says who the holder of a name is in Airflow; others go by their own
	// name. The way in for service accounts, whose tokens have no e-mail.
	Users map[string]string
	// Require are claims that must have exactly this text, be the truth value that it
	// spells, or hold it in a list.
	Require map[string]string
	// InsecureUnverifiedEmail takes an e-mail address that the issuer has not
	// verified: whoever may write one there may be anybody.
	InsecureUnverifiedEmail bool
}

// Config is what an [Authenticator] needs. It is copied.
type Config struct {
	// Issuers are believed; at least one, each once.
	Issuers []Issuer
	// Emails finds the user of an e-mail address in the old database, as
	// Airflow's find_user(email=…) did: an exact match. Nil: the address itself
	// is the user's name.
	Emails interface {
		LookupEmail(ctx context.Context, address string) (legacy.User, error)
	}
	// Leeway is for clocks that differ, on exp, nbf and iat. Zero: none, as
	// google-auth for Python has it.
	Leeway time.Duration
	// Keep is how long keys count after they were fetched while the issuer
	// cannot be asked. Zero: a day.
	Keep time.Duration
	// Client fetches from issuers without a CAFile; nil for one that obeys no
	// redirect and its own time limits.
	Client *http.Client
	// Proxy names the proxy for an address, for clients that are made here, as
	// [http.Transport] has it. Nil: none, whatever the environment says.
	Proxy func(*http.Request) (*url.URL, error)
	// Failed is told when an issuer's keys cannot be fetched, and when they can
	// again (nil error), by several issuers at once. Nil: nobody is.
	Failed func(issuer string, err error)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// An Authenticator judges ID tokens. It is safe for concurrent use.
type Authenticator struct {
	cfg     Config
	issuers map[string]*issuer
}

// An issuer is one with what judges its tokens.
type issuer struct {
	Issuer
	keys   *keySet
	checks *oidc.Config
}

// New makes an Authenticator. It reads key files and asks nobody else.
func New(cfg Config) (*Authenticator, error) {
	if len(cfg.Issuers) == 0 {
		return nil, errors.New("openid: no issuer")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Keep == 0 {
		cfg.Keep = 24 * time.Hour
	}
	if cfg.Leeway < 0 || cfg.Keep < 0 {
		return nil, errors.New("openid: a negative time")
	}
	if cfg.Client == nil {
		cfg.Client = newClient(cfg.Proxy, nil)
	}
	a := &Authenticator{cfg: cfg, issuers: map[string]*issuer{}}
	for _, i := range cfg.Issuers {
		if err := a.add(i); err != nil {
			return nil, fmt.Errorf("openid: issuer %q: %w", i.URL, err)
		}
	}
	return a, nil
}

// newClient makes one that trusts roots; nil for the system's.
func newClient(proxy func(*http.Request) (*url.URL, error), roots *x509.CertPool) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: proxy, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: fetchTimeout, IdleConnTimeout: time.Minute, MaxIdleConns: 4, ForceAttemptHTTP2: true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (a *Authenticator) clientFor(cfg Issuer) (*http.Client, error) {
	if cfg.CAFile == "" {
		return a.cfg.Client, nil
	}
	text, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", cfg.CAFile)
	}
	return newClient(a.cfg.Proxy, roots), nil
}

func (a *Authenticator) add(cfg Issuer) error {
	if err := checkURL(cfg.URL, true); err != nil {
		return err
	}
	if a.issuers[cfg.URL] != nil {
		return errors.New("listed twice")
	}
	if len(cfg.Audience) == 0 || slices.Contains(cfg.Audience, "") {
		return errors.New("an empty audience: a token that the issuer made for anybody would count here; name the client id that your clients ask tokens for")
	}
	if cfg.Name == "" {
		cfg.Name = Email
	}
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = []string{oidc.RS256, oidc.ES256}
	}
	for _, name := range cfg.Algorithms {
		if !slices.Contains(algorithmNames(), name) {
			return fmt.Errorf("the algorithm %q is none of %s", name, strings.Join(algorithmNames(), ", "))
		}
	}
	client, err := a.clientFor(cfg)
	if err != nil {
		return err
	}
	keys := &keySet{issuer: cfg.URL, source: cfg.Keys, client: client, now: a.cfg.Now, keep: a.cfg.Keep}
	switch {
	case cfg.Keys != "" && cfg.KeyFile != "":
		return errors.New("keys from an address and from a file: give one")
	case cfg.KeyFile != "":
		text, err := os.ReadFile(cfg.KeyFile)
		if err != nil {
			return err
		}
		if keys.keys, err = parseKeys(text); err != nil {
			return fmt.Errorf("%s: %w", cfg.KeyFile, err)
		}
		keys.good, keys.fixed = a.cfg.Now(), true
	case cfg.Keys != "":
		if err := checkURL(cfg.Keys, strings.HasPrefix(cfg.URL, "http://")); err != nil {
			return fmt.Errorf("the address of its keys: %w", err)
		}
	}
	i := &issuer{Issuer: cfg, keys: keys, checks: &oidc.Config{
		SupportedSigningAlgs: cfg.Algorithms,
		// Audience and times are judged in claims.go: several audiences, and
		// one leeway for all times.
		SkipClientIDCheck: true, SkipExpiryCheck: true,
	}}
	a.issuers[cfg.URL] = i
	if cfg.URL == Google {
		a.issuers[googleShort] = i
	}
	return nil
}

// Run fetches keys now and then until ctx ends, so that no client waits for it,
// nor one issuer's for another's.
func (a *Authenticator) Run(ctx context.Context) {
	a.each(func(i *issuer) {
		for failing := false; ; {
			err := i.keys.refresh(ctx)
			if ctx.Err() != nil {
				return
			}
			if (err != nil) != failing && a.cfg.Failed != nil {
				a.cfg.Failed(i.URL, err)
			}
			failing = err != nil
			next := refreshEvery
			if failing {
				next = retryAfter
			}
			select {
			case <-time.After(next):
			case <-ctx.Done():
				return
			}
		}
	})
}

// each does something for all issuers at once that are asked for keys, and waits.
func (a *Authenticator) each(do func(*issuer)) {
	var all sync.WaitGroup
	for _, cfg := range a.cfg.Issuers {
		if i := a.issuers[cfg.URL]; !i.keys.fixed {
			all.Go(func() { do(i) })
		}
	}
	all.Wait()
}

// A State is how it stands with an issuer's keys, for people.
type State struct {
	Issuer string
	// Keys are those that count; 0 also when they were fetched too long ago.
	Keys int
	// Age is how long ago they were fetched; without meaning for none.
	Age time.Duration
	// Err is why the last fetch failed; nil when it did not.
	Err error
}

// Ask asks each issuer for its keys, unless that was done a moment ago, and says
// how it went, as [Authenticator.States] does.
func (a *Authenticator) Ask(ctx context.Context) []State {
	a.each(func(i *issuer) { _ = i.keys.refresh(ctx) }) // its state tells
	return a.States()
}

// States says how it stands with each issuer, in the order in which they were
// configured. It asks nobody.
func (a *Authenticator) States() []State {
	states := make([]State, 0, len(a.cfg.Issuers))
	for _, cfg := range a.cfg.Issuers {
		n, age, err := a.issuers[cfg.URL].keys.state()
		states = append(states, State{Issuer: cfg.URL, Keys: n, Age: age, Err: err})
	}
	return states
}

// Scheme implements [legacy.Authenticator].
func (*Authenticator) Scheme() legacy.Scheme { return legacy.OpenID }

// Challenge implements [legacy.Authenticator]: Airflow 2 asked for nothing.
func (*Authenticator) Challenge() string { return "" }

// Claims says whether token claims to be of one of the issuers, which nobody has
// verified: it decides who must judge it.
func (a *Authenticator) Claims(token string) bool {
	name, ok := unverifiedIssuer(token, a.issuers)
	return ok && a.issuers[name] != nil
}

// Authenticate implements [legacy.Authenticator].
func (a *Authenticator) Authenticate(ctx context.Context, c legacy.Credential) (legacy.Proof, error) {
	token, ok := bearer(c.Authorization)
	if !ok {
		return legacy.Proof{}, legacy.Rejected(legacy.MalformedCredential, nil)
	}
	claimed, ok := unverifiedIssuer(token, a.issuers)
	i := a.issuers[claimed]
	if !ok || i == nil {
		return legacy.Proof{}, legacy.Rejected(legacy.MalformedCredential, nil)
	}
	signature := &signature{keys: i.keys}
	verified, err := oidc.NewVerifier(i.URL, signature, i.checks).Verify(ctx, token)
	switch {
	case signature.unknown != nil:
		return legacy.Proof{}, legacy.Unavailable(legacy.SourceUnavailable, fmt.Errorf("%s: %w", i.URL, signature.unknown), retryAfter)
	case err != nil:
		// go-oidc's words quote claims.
		return legacy.Proof{}, legacy.Rejected(legacy.IDTokenInvalid, errors.New("signature, algorithm or issuer"))
	}
	facts, err := readClaims(verified)
	if err != nil {
		return legacy.Proof{}, err
	}
	if err := a.judge(i, facts); err != nil {
		return legacy.Proof{}, err
	}
	return a.principal(ctx, i, facts)
}

// bearer reads the header as Airflow 2 did: two words, one space between.
func bearer(header string) (string, bool) {
	word, token, ok := strings.Cut(header, " ")
	return token, ok && strings.EqualFold(word, "Bearer") && token != "" && len(token) <= maxToken && !strings.Contains(token, " ")
}
