// Package config reads the operator's one YAML file, its overrides in the
// environment, the secret files and the airflow.cfg that it names, and gives one
// plain value, [Config].
//
// [Load] is strict and tells everything that is wrong at once, each fault with
// its line, its key and what to write instead: unknown and doubled keys, a
// second document, wrong types, values out of bounds. It reads what it is given
// ([Source]) and changes nothing; a reload is another Load, and [NeedsRestart]
// says what of it has to wait.
//
// Every key has an override JETBRIDGE__SECTION__KEY, lists with commas. A secret
// may be given as key_file instead, the name of a file whose one trailing
// newline is not part of it. Names of files are relative to the configuration
// file. What the YAML leaves out is filled from the airflow.cfg that
// airflow3.config and airflow2.config name, by Airflow's own rules. The
// AIRFLOW__* environment belongs to Airflow 3 when both are named.
package config

import (
	"log/slog"
	"net/netip"
	"net/url"
	"time"
)

// A Config is everything that the operator decided: the file, the environment,
// the secret files and Airflow's own configuration, resolved. It is a plain
// value that nobody changes once [Load] returned it. A field's tag is its key in
// the file; the key of a nested field is the path of the tags, with dots.
type Config struct {
	// Listen is where clients come in, host:port.
	Listen string `yaml:"listen" restart:"yes"`
	// TLS ends TLS on Listen; zero means plain HTTP.
	TLS TLS `yaml:"tls" restart:"yes"`
	// Admin is where the migration page will be; empty for nowhere.
	Admin Listener `yaml:"admin" restart:"yes"`
	// Metrics is where metrics, liveness and readiness are served, without a
	// login; empty for nowhere.
	Metrics Listener `yaml:"metrics" restart:"yes"`
	// TrustedProxies are the peers whose X-Forwarded-* headers are believed. A
	// single address is a prefix of its full length. Empty: nobody.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
	// BasePath is the path below which clients find Airflow 3: empty, or with a
	// leading slash and without a trailing one. LegacyBasePath is the one below
	// which they found Airflow 2.
	BasePath       string `yaml:"base_path"`
	LegacyBasePath string `yaml:"legacy_base_path"`

	Log       Log       `yaml:"log"`
	Server    Server    `yaml:"server" restart:"yes"`
	Airflow3  Airflow3  `yaml:"airflow3"`
	Airflow2  Airflow2  `yaml:"airflow2"`
	Legacy    Legacy    `yaml:"legacy"`
	Modern    Modern    `yaml:"modern"`
	Routes    Routes    `yaml:"routes"`
	TokenAPI  TokenAPI  `yaml:"tokenapi"`
	Migration Migration `yaml:"migration"`
	Store     Store     `yaml:"store" restart:"yes"`

	// Files are the files that were read, absolute, the configuration file
	// first: what to watch for a reload.
	Files []string
	// Warnings are what the operator should hear at start, in order.
	Warnings []string
}

// TLS names the PEM files of a listener's certificate chain and key, absolute.
// Both or neither.
type TLS struct {
	Cert string `yaml:"cert" path:"yes"`
	Key  string `yaml:"key" path:"yes"`
}

// A Listener is an address, host:port, or empty for none.
type Listener struct {
	Listen string `yaml:"listen"`
}

// Log says how the program logs.
type Log struct {
	Format string     `yaml:"format" restart:"yes"` // "json" or "text"
	Level  slog.Level `yaml:"level"`
}

// Server holds the bounds of the client listener.
type Server struct {
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	IdleTimeout       time.Duration `yaml:"idle_timeout"`
	// StallTimeout is how long a body may stand still in either direction.
	StallTimeout time.Duration `yaml:"stall_timeout"`
	// MinBodyRate is how many bytes a second a request's body must bring, on
	// average, beyond a first StallTimeout.
	MinBodyRate int `yaml:"min_body_rate"`
	// DrainDelay is how long requests are still taken after readiness turned,
	// DrainTimeout how long those under way may then take.
	DrainDelay     time.Duration `yaml:"drain_delay"`
	DrainTimeout   time.Duration `yaml:"drain_timeout"`
	MaxHeaderBytes int           `yaml:"max_header_bytes"`
}

// Airflow3 is the upstream.
type Airflow3 struct {
	// URL is scheme, host and port alone. Nil only while Observe: the rest of
	// Airflow3, Legacy and Modern may then be missing too (see [Config.Whole]).
	URL *url.URL `yaml:"url"`
	// IdleTimeout is how long an unused connection is kept, shorter than
	// Airflow's own keep-alive. AnswerTimeout is how long an answer may take to
	// begin.
	IdleTimeout   time.Duration `yaml:"idle_timeout"`
	AnswerTimeout time.Duration `yaml:"answer_timeout"`
	// CAFile is a PEM bundle that replaces the system's for an https URL;
	// empty for the system's.
	CAFile string `yaml:"ca_file" path:"yes"`
	// ConfigFile is Airflow 3's airflow.cfg; empty when none is read.
	ConfigFile string `yaml:"config" path:"yes"`
	// AuthManager is FAB or Simple.
	AuthManager string        `yaml:"auth_manager"`
	Users       UpstreamUsers `yaml:"users"`
	// SimpleUsers is the directory of the simple auth manager.
	SimpleUsers []SimpleUser `yaml:"simple_users"`
	// SecretKey is its [api] secret_key, which signs FAB's own cookies; empty where
	// nobody needs to tell them from others.
	SecretKey Secret `yaml:"secret_key"`
	CORS      CORS   `yaml:"cors"`
}

// The auth managers of Airflow 3 that the bridge speaks to.
const (
	FAB    = "fab"
	Simple = "simple"
)

// UpstreamUsers is how the bridge asks for Airflow 3's own users.
type UpstreamUsers struct {
	// Via is "database" (FAB's tables, or SimpleUsers) or "upstream" (Airflow
	// 3's own token API).
	Via string `yaml:"via"`
	// DSN is a SQLAlchemy URL; set whenever FAB is asked via its database.
	DSN Secret `yaml:"dsn"`
	// Schema is PostgreSQL's schema, or MySQL's database, of Airflow's tables;
	// empty for the search path, or the DSN's own.
	Schema string `yaml:"schema"`
	// Recheck is how old an answer may be.
	Recheck time.Duration `yaml:"recheck"`
	// OutageGrace is how much longer than Recheck a known answer is used while
	// the source is down.
	OutageGrace time.Duration `yaml:"outage_grace"`
}

// A SimpleUser is one entry of [core] simple_auth_manager_users.
type SimpleUser struct {
	Name, Role string
	Teams      []string // nil before Airflow 3.2 and without multi_team
}

// CORS holds Airflow's three [api] access_control_* options as Airflow writes
// them; empty for not set.
type CORS struct {
	AllowHeaders string `yaml:"allow_headers"`
	AllowMethods string `yaml:"allow_methods"`
	AllowOrigins string `yaml:"allow_origins"`
}

// Airflow2 is the system that is being left.
type Airflow2 struct {
	// URL is scheme, host and port alone: where requests go while Observe. Nil
	// when not set.
	URL *url.URL `yaml:"url"`
	// CAFile is a PEM bundle that replaces the system's for an https URL;
	// empty for the system's.
	CAFile string `yaml:"ca_file" path:"yes"`
	// ConfigFile is Airflow 2's airflow.cfg; empty when none is read.
	ConfigFile string `yaml:"config" path:"yes"`
	// Version is the Airflow 2 that clients knew, as 2.10.5.
	Version string `yaml:"version"`
	// MaximumPageLimit is its [api] maximum_page_limit.
	MaximumPageLimit int  `yaml:"maximum_page_limit"`
	CORS             CORS `yaml:"cors"`
}

// Legacy says which old ways clients may use.
type Legacy struct {
	// AuthBackends is the chain in order, as written: Airflow's dotted names or
	// the short ones. It may be empty in mode JWTOnly, or when FromAirflow.
	AuthBackends []string `yaml:"auth_backends"`
	// FromAirflow tells that AuthBackends was read from Airflow's own
	// configuration, where Airflow rewrites it at start.
	FromAirflow bool
	// IgnoreBackends are backends that AuthBackends may name without effect.
	IgnoreBackends []string `yaml:"ignore_backends"`
	// AnonymousUser is who a request is under the "default" backend; empty: that
	// backend is an error.
	AnonymousUser string      `yaml:"anonymous_user"`
	Users         LegacyUsers `yaml:"users"`
	Lockout       Lockout     `yaml:"lockout"`
	Session       Session     `yaml:"session"`
	Kerberos      Kerberos    `yaml:"kerberos"`
	OpenID        OpenID      `yaml:"openid"`
	// Roles maps further role names of Airflow 2 to a role of the simple auth
	// manager: viewer, user, op or admin.
	Roles map[string]string `yaml:"roles"`
}

// LegacyUsers is where old passwords and sessions are proven.
type LegacyUsers struct {
	// DSN is a SQLAlchemy URL. Empty only while old passwords are proven at
	// Airflow 3's own token API (Airflow3.Users.Via is "upstream").
	DSN         Secret        `yaml:"dsn"`
	Schema      string        `yaml:"schema"`
	Recheck     time.Duration `yaml:"recheck"`
	OutageGrace time.Duration `yaml:"outage_grace"`
}

// Lockout says how many wrong passwords are too many; zero of either means that
// they are not counted.
type Lockout struct {
	// Failures is how many an account may have in a row, AddressFailures an
	// address, and Window the time in which as many come back.
	Failures        int           `yaml:"failures"`
	AddressFailures int           `yaml:"address_failures"`
	Window          time.Duration `yaml:"window"`
}

// Kerberos is the backend kerberos_auth.
type Kerberos struct {
	// Keytab is a file, absolute. Empty only while the backend is not used.
	Keytab string `yaml:"keytab" path:"yes"`
	// KeepOldKeys is how long a key counts that is no longer in the keytab.
	KeepOldKeys time.Duration `yaml:"keep_old_keys"`
	// Service lists the services whose tickets count: airflow, HTTP/host or
	// HTTP/host@REALM. Empty: all of the keytab.
	Service []string `yaml:"service"`
	// Realms are those whose users count; empty: those of the keytab.
	Realms []string `yaml:"realms"`
	// AuthToLocal are rules as in krb5.conf; empty: the whole principal is the name.
	AuthToLocal []string      `yaml:"auth_to_local"`
	ClockSkew   time.Duration `yaml:"clock_skew"`
	// ChannelBindings is BindingsOff or BindingsAccept.
	ChannelBindings string `yaml:"channel_bindings"`
	// InsecureRC4 accepts rc4-hmac.
	InsecureRC4 bool `yaml:"insecure_rc4"`
}

// The values of legacy.kerberos.channel_bindings.
const (
	BindingsOff    = "off"
	BindingsAccept = "accept"
)

// Modern says which tokens Airflow 3 accepts.
type Modern struct {
	// Secret is Airflow 3's [api_auth] jwt_secret, the text itself. Never empty.
	Secret Secret `yaml:"secret"`
	// InsecureWeakSecret takes a secret that is short, monotonous or published.
	InsecureWeakSecret bool `yaml:"insecure_weak_secret"`
	// Algorithm is HS256, HS384 or HS512.
	Algorithm string `yaml:"algorithm"`
	// Audience is one literal audience: Airflow's core API does not split it.
	Audience string `yaml:"audience"`
	// Issuer is empty for no issuer. Airflow splits it at commas: it mints with
	// the first and accepts each; see [Modern.Issuers].
	Issuer string `yaml:"issuer"`
	// Leeway is the clock skew that exp, nbf and iat are allowed.
	Leeway time.Duration `yaml:"leeway"`
	// Lifetime is that of a token minted for one bridged request.
	Lifetime time.Duration `yaml:"lifetime"`
	// MaxIssuedLifetime caps the tokens that clients are given.
	MaxIssuedLifetime time.Duration `yaml:"max_issued_lifetime"`
}

// Routes adjusts the route classes.
type Routes struct {
	// Modern are path prefixes, base path taken off, that only a JWT opens, and what on
	// /api/v1 is translated to them.
	Modern []string `yaml:"modern"`
}

// TokenAPI is POST /auth/token and /auth/token/cli.
type TokenAPI struct {
	// Password is who judges a user and password in the body: "upstream" or
	// "bridge".
	Password string `yaml:"password"`
	// Lifetime and CLILifetime are those of the issued tokens, already capped by
	// Modern.MaxIssuedLifetime.
	Lifetime    time.Duration `yaml:"lifetime"`
	CLILifetime time.Duration `yaml:"cli_lifetime"`
}

// Migration is the mode and the calendar.
type Migration struct {
	// Mode is Observe, Dual or JWTOnly.
	Mode string `yaml:"mode"`
	// DeprecatedSince and Sunset are UTC; the zero time means not set.
	DeprecatedSince time.Time `yaml:"deprecated_since"`
	Sunset          time.Time `yaml:"sunset"`
	// Link is where the migration is explained to clients; empty for nowhere.
	Link string `yaml:"link"`
	// TokenSchemes are the schemes that may still get a token at the token API,
	// whatever the mode; nil for every one that is configured, empty for none.
	TokenSchemes []string `yaml:"token_schemes" all:"yes"`
	// APIv1 says whether Airflow 2's REST API is spoken.
	APIv1 bool `yaml:"api_v1"`
}

// The modes.
const (
	Observe = "observe"
	Dual    = "dual"
	JWTOnly = "jwt_only"
)

// Whole says whether the configuration is enough for every mode: while Observe
// it need not know Airflow 3 yet.
func (c Config) Whole() bool { return c.Migration.Mode != Observe || c.Airflow3.URL != nil }

// Issuers splits Issuer at commas as Airflow does: tokens are minted with the
// first, each is accepted. Nil when there is none.
func (m Modern) Issuers() []string { return splitList(m.Issuer) }

// Store is where the bridge keeps its own records.
type Store struct {
	// DSN is a SQLAlchemy URL; a file of SQLite is absolute.
	DSN Secret `yaml:"dsn"`
}
