// Package kerberos accepts Kerberos tickets in HTTP's Negotiate scheme (RFC
// 4559): SPNEGO (RFC 4178) or a bare krb5 mechanism token (RFC 4121), answered
// in the framing that came in and, when the client asks for it, with the AP-REP
// that proves the service to the client. That last part is what Airflow 2 threw
// away, so that clients with their default settings failed.
//
// The acceptor is our own. Messages, encryption, keytab format and ASN.1 are
// gokrb5's; its server layer (packages spnego and service) is not used, for it
// takes the realm from what the client itself wrote, answers without an AP-REP,
// and can be made to panic before anybody is authenticated.
//
// A token goes this way: the header and its framing (frame.go), the key that
// opens the ticket (keytab.go), ticket and authenticator (accept.go), the name
// (principal.go, rules.go), the replay cache (replay.go), the answer (reply.go).
// Nothing is kept between two requests but the fingerprints of authenticators:
// one leg is all that is ever spoken.
//
// It refuses, among others: NTLM, mechanism lists that begin with something
// else, second legs, user-to-user tickets, RC4 unless asked for, realms that
// are not listed, names with an @ or a slash inside a component, and host/.
package kerberos

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/jetbridge/jetbridge/legacy"
)

// Bounds of [Config.Skew], and its default, which is MIT's.
const (
	maxSkew     = 15 * time.Minute
	defaultSkew = 5 * time.Minute
)

// Config is what an [Authenticator] needs. It must not change after [New].
type Config struct {
	// Keytab is the file that holds the service's keys. Required. It is read
	// again when it changes.
	Keytab string
	// KeepOldKeys is how long a key counts that is no longer in the file.
	// Zero: the file is the whole truth.
	KeepOldKeys time.Duration
	// Services are the service principals whose tickets count, each as airflow,
	// HTTP/host or HTTP/host@REALM, in the letters of the keytab. Empty: every
	// one that the keytab has a key of.
	Services []string
	// Realms are those whose users count, compared exactly; the first is the
	// default realm. Empty: those of the keytab's own principals.
	Realms []string
	// AuthToLocal are the rules by which a principal becomes a name, as in
	// krb5.conf: DEFAULT and RULE:[n:format](regexp)s/from/to/g. The first that
	// fits counts, and whom none fits is refused. Empty: the name is the whole
	// principal, user@REALM, as in Airflow 2.
	AuthToLocal []string
	// Skew is how far the clocks may differ; default 5 minutes, at most 15.
	Skew time.Duration
	// InsecureRC4 accepts etype 23, rc4-hmac, for tickets and session keys.
	InsecureRC4 bool
	// Certificates, when set, gives the certificates with which the bridge itself
	// ends TLS, the newest first: a client that binds its token to a TLS channel
	// must have bound it to one of them (RFC 5929 tls-server-end-point). One that
	// binds to none is let in. Nil: bindings are not looked at.
	Certificates func() []*x509.Certificate
	// Replays remembers authenticators. Required: who makes two Authenticators
	// for one service lets them share it.
	Replays ReplayCache
	// Log is told of a keytab that changed. Nil: nobody is.
	Log *slog.Logger
	Now func() time.Time // nil for time.Now
}

// An Authenticator judges Negotiate credentials. It is safe for concurrent use.
type Authenticator struct {
	cfg      Config
	keys     *keyring
	services []service
	realms   []string
	rules    rules
}

// New makes an Authenticator. It reads the keytab; one that cannot be read,
// holds no usable key or may be read by everybody is an error that says what to do.
func New(cfg Config) (*Authenticator, error) {
	if cfg.Replays == nil {
		return nil, errors.New("kerberos: no replay cache")
	}
	if cfg.Skew == 0 {
		cfg.Skew = defaultSkew
	}
	if cfg.Skew < 0 || cfg.Skew > maxSkew {
		return nil, fmt.Errorf("kerberos: the clock skew must be at most %v", maxSkew)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &Authenticator{cfg: cfg}
	var err error
	if a.services, err = parseServices(cfg.Services); err != nil {
		return nil, err
	}
	if a.keys, err = openKeyring(cfg); err != nil {
		return nil, err
	}
	a.realms = slices.Clone(cfg.Realms)
	if len(a.realms) == 0 {
		a.realms = a.keys.get().realms()
	}
	for _, realm := range a.realms {
		if !plainRealm(realm) {
			return nil, fmt.Errorf("kerberos: %q is no realm", realm)
		}
	}
	if a.rules, err = parseRules(cfg.AuthToLocal, a.realms[0]); err != nil {
		return nil, err
	}
	return a, nil
}

// Warnings are what the operator should hear at start: settings that do not fit
// the keytab, and rules by which two principals become one name.
func (a *Authenticator) Warnings() []string {
	warnings := a.rules.clashes(a.realms)
	entries := a.keys.get().entries
	if !slices.ContainsFunc(entries, func(e Entry) bool { return a.usable(e) == "" }) {
		warnings = append(warnings, "none of the keytab's keys counts under the present settings: every ticket will be refused")
	}
	return warnings
}

// Entries are the keys in force, for a person to compare with the KDC's. Each
// one's Why says why it does not count.
func (a *Authenticator) Entries() []Entry {
	entries := slices.Clone(a.keys.get().entries)
	for i := range entries {
		entries[i].Why = a.usable(entries[i])
	}
	return entries
}

// Scheme implements [legacy.Authenticator].
func (*Authenticator) Scheme() legacy.Scheme { return legacy.Kerberos }

// Challenge implements [legacy.Authenticator]: the bare word, for a token here
// would be one of a context that does not exist (RFC 4559 section 4.1).
func (*Authenticator) Challenge() string { return negotiate }

const negotiate = "Negotiate"

// Authenticate implements [legacy.Authenticator]. The reply of a client that
// asked for mutual authentication, or speaks SPNEGO, is one WWW-Authenticate
// header. A credential counts once.
func (a *Authenticator) Authenticate(ctx context.Context, c legacy.Credential) (proof legacy.Proof, err error) {
	// What gokrb5 is known to panic on never reaches it (accept.go). This is for
	// what nobody knows yet.
	defer func() {
		if fault := recover(); fault != nil {
			proof, err = legacy.Proof{}, fmt.Errorf("kerberos: a defect: %v", fault)
		}
	}()
	return a.judge(ctx, c)
}

// judge is Authenticate without its safety net.
func (a *Authenticator) judge(ctx context.Context, c legacy.Credential) (legacy.Proof, error) {
	token, err := parseHeader(c.Authorization)
	if err != nil {
		return legacy.Proof{}, err
	}
	in, err := parseToken(token)
	if err != nil {
		return legacy.Proof{}, err
	}
	found, err := a.accept(ctx, in)
	if err != nil {
		return legacy.Proof{}, err
	}
	proof := legacy.Proof{Principal: legacy.Principal{Name: found.name, Scheme: legacy.Kerberos}}
	answer, err := found.answer(in)
	if err != nil {
		return legacy.Proof{}, err
	}
	if answer != "" {
		proof.Reply = http.Header{"Www-Authenticate": {negotiate + " " + answer}}
	}
	return proof, nil
}
