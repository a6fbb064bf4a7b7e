// Package bridge is where the old ways and the new world meet: it decides, for
// each request of an Airflow client, who it is and what Airflow 3 gets to see.
//
// A request goes this way, and the code runs in this order:
//
//  1. accept: [Handler] gives the request an id, opens its record and takes
//     one snapshot of the configuration; the listener's limits are package server's.
//  2. scrub: headers by which a client could claim an identity go, whatever
//     their spelling; what a trusted proxy says of the client is believed, and
//     rebuilt as one hop.
//  3. route: the path's class (package route) says which credentials count.
//  4. credential: exactly one counts, a Bearer, a legacy Authorization, the
//     _token cookie or Airflow 2's session cookie, in this order; a Bearer that
//     names a configured OpenID issuer is a legacy one. Its failure is final.
//  5. policy: may this scheme act here today (package migration)?
//  6. authenticate: a legacy credential becomes a [legacy.Principal], a name.
//  7. resolve: that name's active user in Airflow 3's own directory (package
//     directory). Ids never travel between databases.
//  8. translate: principal and user become [modern.Claims] (package translate).
//  9. mint: a short-lived token, used again while it is young (package token).
//  10. gate: whatever token will go upstream is verified, minted or not
//     (package gate).
//  11. forward: package proxy carries the [Decision] out.
//  12. record: one wide line, the metrics, the ring of refusals (package record).
//
// Steps 2 to 10 are the decision core, [Core]: from a [Request], which is facts,
// to a [Decision], which is a value. It has two entrances, [Core.Decide] for
// every request and [Core.Authenticate] for whoever hands out tokens. The proxy
// and /auth/verify carry decisions out and decide nothing, so that every way in
// gives the same verdict.
//
// While the bridge only observes, in front of Airflow 2, an [Observer] stands in
// the core's place: of these steps accept, route (for the record alone), forward
// and record are left.
//
// It fails closed: an error on the way of a decision is a refusal, and the zero
// Decision refuses.
package bridge

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/jetbridge/jetbridge/bridge/migration"
	"github.com/jetbridge/jetbridge/bridge/route"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/modern"
)

// Config is what a core decides by. It must not change after [New].
type Config struct {
	// Routes tells a path's class. Required.
	Routes interface {
		Match(method, rawPath string) (route.Target, error)
	}
	// TrustedProxies are the peers whose X-Forwarded-* are believed. None by default.
	TrustedProxies []netip.Prefix
	// Authenticators are the legacy schemes that are spoken, in the order of
	// Airflow 2's chain. None: only JWTs count.
	Authenticators []legacy.Authenticator
	// Directory is Airflow 3's own. Required, unless every authenticator's
	// principals carry a Subject.
	Directory legacy.Directory
	// BasicUser reads the user's name of a Basic header, for the record of a scheme
	// that is switched off, which nobody judges. Nil: none is recorded.
	BasicUser func(authorization string) (string, bool)
	// IDTokens says of a Bearer, which nobody has verified, whether it claims to
	// be of a configured OpenID issuer: then the legacy side judges it, and else
	// the gate. Nil: none does.
	IDTokens func(token string) bool
	// Translator makes claims. Pure. Required.
	Translator interface {
		Claims(legacy.Principal, legacy.User) (modern.Claims, error)
	}
	// Minter signs claims; Gate verifies what will go upstream. Required.
	Minter interface {
		Mint(c modern.Claims, lifetime time.Duration) (string, modern.Claims, error)
	}
	Gate interface {
		Check(token string) (modern.Claims, error)
	}
	// Policy says which schemes may act today. Required.
	Policy *migration.Policy
	// Lifetime of a token minted for a bridged request; default 5 minutes.
	Lifetime time.Duration
	// Clients bounds how many users' tokens are kept for use again; default 100,000.
	Clients int
	// CookiePath is the path of Airflow 3's _token cookie; default "/".
	CookiePath string
	// SessionCookie is the name of Airflow 2's session cookie; default "session".
	SessionCookie string
	// CORS2 and CORS3 are what the bridge's own answers on /api/v1 and
	// elsewhere say to other origins. Zero: nothing.
	CORS2, CORS3 CORS
	// Minted, when set, is told of each token that was signed.
	Minted func()
	// Now is the clock; nil for time.Now.
	Now func() time.Time
}

// Core decides. It is safe for concurrent use.
type Core struct {
	Config
	schemes map[Scheme]legacy.Authenticator
	origins *http.CrossOriginProtection
	minted  *lru.Cache[string, mintedToken]
	renewed *lru.Cache[string, time.Time]
	// renewing makes sure that one refused token is replaced once.
	renewing sync.Mutex
}

// New makes the core of one configuration.
func New(cfg Config) (*Core, error) {
	if cfg.Routes == nil || cfg.Translator == nil || cfg.Minter == nil || cfg.Gate == nil || cfg.Policy == nil {
		return nil, errors.New("bridge: Routes, Translator, Minter, Gate and Policy are required")
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = 5 * time.Minute
	}
	if cfg.Clients == 0 {
		cfg.Clients = 100_000
	}
	if cfg.BasicUser == nil {
		cfg.BasicUser = func(string) (string, bool) { return "", false }
	}
	if cfg.IDTokens == nil {
		cfg.IDTokens = func(string) bool { return false }
	}
	if cfg.CookiePath == "" {
		cfg.CookiePath = "/"
	}
	if cfg.SessionCookie == "" {
		cfg.SessionCookie = sessionCookie
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.TrustedProxies = slices.Clone(cfg.TrustedProxies)
	cfg.Authenticators = slices.Clone(cfg.Authenticators)

	c := &Core{Config: cfg, schemes: map[Scheme]legacy.Authenticator{}}
	for _, a := range cfg.Authenticators {
		c.schemes[Scheme(a.Scheme())] = a
	}
	c.origins = protection(cfg.CORS2, cfg.CORS3)
	var err error
	if c.minted, err = lru.New[string, mintedToken](cfg.Clients); err != nil {
		return nil, err
	}
	c.renewed, err = lru.New[string, time.Time](cfg.Clients)
	return c, err
}

// Decide says what becomes of r. It always gives a decision: whatever goes
// wrong on its way refuses.
func (c *Core) Decide(ctx context.Context, r Request) Decision {
	d, no := c.scrub(r)
	if no == nil {
		no = c.route(r, &d)
	}
	if no == nil {
		no = c.admit(ctx, r, &d)
	}
	if no != nil {
		return c.Refused(r, d, no)
	}
	if d.Target.V1 && d.Verdict != Answer {
		addAll(d.Client, c.cors(r, d.Target)) // whoever answers there, it is not Airflow 2
	}
	return d
}

// admit takes a request of a known class to its verdict.
func (c *Core) admit(ctx context.Context, r Request, d *Decision) *Refusal {
	switch d.Target.Class {
	case route.Public, route.Foreign:
		d.Verdict = PassAsIs
		return nil
	case route.Bridge:
		d.Verdict = Answer
		return nil
	}
	if r.Method == http.MethodOptions {
		c.preflight(r, d)
		return nil
	}
	cred, no := c.credential(r, d)
	if no != nil {
		return no
	}
	d.Scheme = cred.scheme
	if cred.scheme == JWT {
		return c.own(r, d, cred)
	}
	id, no := c.identify(ctx, r, d.from, cred.legacy(), c.Policy.Allows)
	d.Principal = id.Principal
	addAll(d.Client, id.Reply)
	if no != nil {
		return no
	}
	return c.bridged(r, d, id)
}

// route finds the path's class, and the shape of the bridge's answers on it. A
// method that nobody may forward is refused on every path.
func (c *Core) route(r Request, d *Decision) *Refusal {
	target, err := c.Routes.Match(r.Method, r.RawPath)
	d.Target = target
	d.Dialect = dialectOf(target)
	if err != nil {
		return badPath(err)
	}
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return badMethod()
	}
	return nil
}

// own lets a client's own JWT through, in the form in which it came.
func (c *Core) own(r Request, d *Decision, cred credential) *Refusal {
	claims, err := c.Gate.Check(cred.token)
	if err != nil {
		return c.tokenRefused(d, cred, err)
	}
	d.Claims = claims
	if !cred.cookie {
		d.setCookies(r.Header, tokenCookie)
	} else {
		d.Scheme = JWT
		d.oneToken(r.Header, cred.token)
		if len(r.Header["Authorization"]) > 0 {
			d.Remove = append(d.Remove, "Authorization") // one that was passed over
		}
	}
	d.Verdict = PassOwn
	return nil
}

// bridged lets a principal through with a token of the bridge's.
func (c *Core) bridged(r Request, d *Decision, id Identity) *Refusal {
	token, claims, no := c.token(id.Claims)
	if no != nil {
		return no
	}
	d.Claims = claims
	d.Remove = append(d.Remove, "Authorization")
	d.Set.Set("Authorization", "Bearer "+token)
	d.setCookies(r.Header, c.authCookies()...)
	// A session that Airflow 3's FAB begins under this token would stand in the
	// place of the old one, and is a session of Airflow 3's.
	d.StripSetCookie = []string{tokenCookie, sessionCookie, c.SessionCookie}
	if id.Principal.Scheme == legacy.Kerberos {
		// A client that was answered under a cookie next time would miss the proof
		// that it asks of the service.
		d.StripSetCookie = []string{EveryCookie}
	}
	d.Again = &Renewal{claims: id.Claims, refused: claims.ID}
	addAll(d.Client, c.Policy.Headers())
	d.Verdict = PassMinted
	return nil
}
