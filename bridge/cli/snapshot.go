package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/apiv1"
	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/bridge/migration"
	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/proxy"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/route"
	"github.com/jetbridge/jetbridge/bridge/server"
	"github.com/jetbridge/jetbridge/bridge/tokenapi"
	"github.com/jetbridge/jetbridge/bridge/translate"
	"github.com/jetbridge/jetbridge/bridge/verify"
	"github.com/jetbridge/jetbridge/modern/gate"
	"github.com/jetbridge/jetbridge/modern/token"
)

// A snapshot is one configuration at work.
type snapshot struct {
	cfg        *config.Config
	handler    http.Handler
	core       *bridge.Core
	key        *token.Key
	transport  *proxy.Transport
	connection connection
	identity   identity         // who asks for users, and where
	old        *proxy.Transport // to the Airflow 2 that is observed; nil in every other mode
	notDual    error            // why mode dual would not start, while that is not the mode
	warnings   []string
	release    func()
}

// snapshot makes everything that one configuration needs. What an earlier
// snapshot has too, by the same settings, is shared with it.
func (a *assembler) snapshot(cfg *config.Config) (s *snapshot, err error) {
	t := &taker{shelf: &a.shelf}
	s = &snapshot{cfg: cfg, release: t.release}
	defer func() {
		if err != nil {
			t.release()
		}
	}()
	if cfg.Migration.Mode == config.Observe {
		return s, a.observe(t, s)
	}
	if err = a.parts(t, s); err != nil {
		return nil, err
	}
	s.handler, err = a.handler(t, s)
	return s, err
}

// parts makes the core and what it decides by.
func (a *assembler) parts(t *taker, s *snapshot) (err error) {
	up := s.cfg.Airflow3
	if s.key, err = a.key(t, s.cfg); err != nil {
		return err
	}
	if s.connection, err = connect(up.URL, up.CAFile, up.IdleTimeout, up.AnswerTimeout); err != nil {
		return fmt.Errorf("airflow3.ca_file: %w", err)
	}
	if s.transport, err = a.transport(t, s.connection); err != nil {
		return fmt.Errorf("airflow3.ca_file: %w", err)
	}
	if s.identity, err = a.identity(t, s); err != nil {
		return err
	}
	s.warnings = append(s.warnings, s.identity.warnings...)
	s.core, err = a.core(t, s)
	return err
}

// signing are the settings of tokens.
type signing struct {
	secret, algorithm, audience, issuer, manager string
	leeway                                       int64
}

func signingOf(cfg *config.Config) signing {
	m := cfg.Modern
	return signing{m.Secret.Reveal(), m.Algorithm, m.Audience, m.Issuer, cfg.Airflow3.AuthManager, int64(m.Leeway)}
}

// key mints and verifies. Under the simple auth manager a token without a role
// is none.
func (a *assembler) key(t *taker, cfg *config.Config) (*token.Key, error) {
	m, settings := cfg.Modern, signingOf(cfg)
	return take(t, settings, func() (*token.Key, func(), error) {
		c := token.Config{
			Secret: []byte(settings.secret), Algorithm: m.Algorithm, Audience: m.Audience, Issuers: m.Issuers(),
			Leeway: m.Leeway, Now: a.now,
		}
		if m.Leeway == 0 {
			c.Leeway = -1 // none, which is not the default
		}
		if cfg.Airflow3.AuthManager == config.Simple {
			c.Required = []string{"role"}
		}
		key, err := token.New(c)
		return key, nil, err
	})
}

// gated are the settings of a gate: a verified token is verified under them.
type gated struct{ signing }

func (a *assembler) gate(t *taker, s *snapshot) (*gate.Gate, error) {
	return take(t, gated{signingOf(s.cfg)}, func() (*gate.Gate, func(), error) {
		g, err := gate.New(gate.Config{Verifier: s.key, CacheSize: clients, Now: a.now})
		return g, nil, err
	})
}

// clients is how many known clients are remembered, each with a credential, a
// user and a token.
const clients = 131_072

// connection are the settings of a way to the upstream.
type connection struct {
	url, ca      string // the authority's certificates themselves: the file may change
	idle, answer time.Duration
}

// connect finds the settings of the way to an Airflow.
func connect(to *url.URL, caFile string, idle, answer time.Duration) (connection, error) {
	c := connection{url: to.String(), idle: idle, answer: answer}
	if caFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(caFile)
	c.ca = string(pem)
	return c, err
}

func (a *assembler) transport(t *taker, to connection) (*proxy.Transport, error) {
	return take(t, to, func() (*proxy.Transport, func(), error) {
		c := proxy.TransportConfig{IdleTimeout: to.idle, HeaderTimeout: to.answer}
		if to.ca != "" {
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM([]byte(to.ca)) {
				return nil, nil, errors.New("it holds no certificate in PEM form")
			}
			c.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
		}
		transport := proxy.NewTransport(c)
		return transport, transport.CloseIdleConnections, nil
	})
}

func (a *assembler) core(t *taker, s *snapshot) (*bridge.Core, error) {
	cfg := s.cfg
	routes, err := route.New(route.Config{BasePath: cfg.BasePath, LegacyBasePath: cfg.LegacyBasePath, Modern: cfg.Routes.Modern, Reach: apiv1.Reach(), Login: hasLogin(cfg)})
	if err != nil {
		return nil, err
	}
	rules := translate.Config{Manager: translate.Manager(cfg.Airflow3.AuthManager)}
	if rules.Manager == translate.Simple {
		rules.Roles = cfg.Legacy.Roles
	}
	translator, err := translate.New(rules)
	if err != nil {
		return nil, err
	}
	mode := migration.Mode(cfg.Migration.Mode)
	if mode == migration.Observe {
		mode = migration.Dual // what it would be
	}
	policy, err := migration.New(migration.Config{
		Mode: mode, DeprecatedSince: cfg.Migration.DeprecatedSince, Sunset: cfg.Migration.Sunset,
		Link: cfg.Migration.Link, TokenSchemes: cfg.Migration.TokenSchemes,
	})
	if err != nil {
		return nil, err
	}
	checker, err := a.gate(t, s)
	if err != nil {
		return nil, err
	}
	var idTokens func(string) bool
	if tokens := s.identity.idTokens; tokens != nil {
		idTokens = tokens.Claims
	}
	return bridge.New(bridge.Config{
		BasicUser: basicUser, IDTokens: idTokens, Routes: routes, TrustedProxies: cfg.TrustedProxies, Authenticators: s.identity.authenticators, Directory: s.identity.directory,
		Translator: translator, Minter: s.key, Gate: checker, Policy: policy, Lifetime: cfg.Modern.Lifetime, Clients: clients,
		CookiePath: cfg.BasePath + "/", SessionCookie: cfg.Legacy.Session.CookieName, CORS2: cors2(cfg.Airflow2.CORS), CORS3: cors3(cfg.Airflow3.CORS), Minted: a.metrics.Minted, Now: a.now,
	})
}

// cors2 reads the settings as Airflow 2 does: origins parted by single spaces.
func cors2(c config.CORS) bridge.CORS {
	out := bridge.CORS{Methods: c.AllowMethods, Headers: c.AllowHeaders}
	if c.AllowOrigins != "" {
		out.Origins = strings.Split(c.AllowOrigins, " ")
	}
	return out
}

// cors3 reads them as Airflow 3 does: a list parted by commas.
func cors3(c config.CORS) bridge.CORS {
	out := bridge.CORS{Methods: c.AllowMethods, Headers: c.AllowHeaders}
	for origin := range strings.SplitSeq(c.AllowOrigins, ",") {
		if origin = strings.TrimSpace(origin); origin != "" {
			out.Origins = append(out.Origins, origin)
		}
	}
	return out
}

func (a *assembler) handler(t *taker, s *snapshot) (http.Handler, error) {
	cfg := s.cfg
	forward, err := proxy.New(proxy.Config{
		Upstream: cfg.Airflow3.URL, Transport: s.transport, MintAgain: s.core.MintAgain, Version: cfg.Airflow2.Version, Now: a.now,
	})
	if err != nil {
		return nil, err
	}
	old, err := a.apiV1(s, forward)
	if err != nil {
		return nil, err
	}
	own, err := a.own(t, s, forward)
	if err != nil {
		return nil, err
	}
	return bridge.NewHandler(bridge.HandlerConfig{
		Decider: s.core, Forward: forward, V1: old, Own: own, Version: cfg.Airflow2.Version, Sink: a.sink, Now: a.now,
	})
}

// apiV1 speaks Airflow 2's REST API over the way to Airflow 3, or says that it is
// switched off.
func (a *assembler) apiV1(s *snapshot, way *proxy.Proxy) (http.Handler, error) {
	cfg := s.cfg
	if !cfg.Migration.APIv1 {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec, d := record.From(r.Context()), bridge.DecisionFrom(r.Context())
			rec.Reason, rec.Origin = record.APIv1SwitchedOff, "bridge"
			d.Problem = problem.Problem{
				Status: http.StatusGone, Detail: "Airflow 2's REST API is switched off here. Use Airflow 3's, /api/v2.", RequestID: rec.ID,
			}
			bridge.WriteRefusal(w, r.Method, cfg.Airflow2.Version, d)
		}), nil
	}
	return apiv1.New(apiv1.Config{
		Upstream: cfg.Airflow3.URL.JoinPath(cfg.BasePath), Transport: way.Transport(), Fail: way.Fail,
		Version: cfg.Airflow2.Version, AuthManager: cfg.Airflow3.AuthManager, PageLimit: cfg.Airflow2.MaximumPageLimit, Now: a.now,
	})
}

// own is what the bridge answers itself, behind accept, scrub and route.
func (a *assembler) own(t *taker, s *snapshot, forward http.Handler) (http.Handler, error) {
	cfg := s.cfg
	tokens, err := tokenapi.New(tokenapi.Config{
		Core: s.core, Upstream: forward, Lifetime: cfg.TokenAPI.Lifetime, CLILifetime: cfg.TokenAPI.CLILifetime,
		Bridge: cfg.TokenAPI.Password == config.Bridge,
	})
	if err != nil {
		return nil, err
	}
	verifier, err := verify.New(verify.Config{Core: s.core, BasePath: cfg.BasePath, Version: cfg.Airflow2.Version})
	if err != nil {
		return nil, err
	}
	routes, err := a.login(t, s)
	if err != nil {
		return nil, err
	}
	health := apiv1.Health(s.transport, cfg.Airflow3.URL.String()+cfg.BasePath+"/api/v2/monitor/health")
	return server.NewEngine(server.EngineConfig{
		Routes: append(routes, []server.Route{
			{Method: http.MethodPost, Path: "/auth/token", Handler: tokens},
			{Method: http.MethodPost, Path: "/auth/token/cli", Handler: tokens},
			{Method: http.MethodGet, Path: "/auth/verify", Handler: verifier},
			{Method: http.MethodHead, Path: "/auth/verify", Handler: verifier},
			{Method: http.MethodGet, Path: "/health", Handler: health},
			{Method: http.MethodHead, Path: "/health", Handler: health},
		}...),
		NotFound:    refusing(http.StatusNotFound, record.BadRequest, "There is nothing here."),
		WrongMethod: refusing(http.StatusMethodNotAllowed, record.BadRequest, "Method Not Allowed"),
		Fault:       refusing(http.StatusInternalServerError, record.Fault, "The request could not be answered."),
		Log:         a.log,
	})
}

// refusing always answers with one problem.
func refusing(status int, why record.Reason, detail string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := record.From(r.Context())
		rec.Reason = why
		problem.Write(w, r.Method, problem.V2, "", problem.Problem{Status: status, Detail: detail, RequestID: rec.ID})
	})
}
