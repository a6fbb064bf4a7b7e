package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The values of airflow3.users.via, and of tokenapi.password beside Upstream.
const (
	Database = "database"
	Upstream = "upstream"
	Bridge   = "bridge"
)

// Validate says what is wrong with a configuration whose values were read, each
// fault with its key and without a place. It looks at the value alone, opens
// nothing and changes nothing.
func Validate(c Config) []Fault {
	v := &validation{}
	v.listeners(c)
	v.bounds(c)
	if c.Whole() {
		v.airflow3(c)
		v.legacy(c)
		v.modern(c)
	}
	v.airflow2(c)
	v.migration(c)
	v.loop("airflow3.url", c.Airflow3.URL, c.Listen)
	v.loop("airflow2.url", c.Airflow2.URL, c.Listen)
	return v.faults
}

// loop refuses an upstream that is the address where clients come in: each
// request would come back until nothing is left to carry it.
func (v *validation) loop(key string, upstream *url.URL, listen string) {
	if upstream == nil {
		return
	}
	host, port, err := net.SplitHostPort(listen)
	at := upstream.Port()
	if at == "" {
		at = map[string]string{"http": "80", "https": "443"}[upstream.Scheme]
	}
	if err != nil || port != at || port == "0" {
		return
	}
	if to := upstream.Hostname(); host == to || isLocal(to) && (host == "" || isLocal(host)) {
		v.add(key, "is the address of listen: requests would go round in circles. Move one of the two to another port")
	}
}

// isLocal tells the addresses by which this machine reaches itself, the
// unspecified ones included.
func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

type validation struct{ faults []Fault }

func (v *validation) add(key, format string, args ...any) {
	v.faults = append(v.faults, Fault{Key: key, What: fmt.Sprintf(format, args...)})
}

func (v *validation) oneOf(key, value string, known ...string) {
	if !slices.Contains(known, value) {
		v.add(key, "must be %s", strings.Join(known, " or "))
	}
}

func (v *validation) between(key string, value, least, most time.Duration) {
	if value < least || value > most {
		v.add(key, "must be from %s to %s", least, most)
	}
}

func (v *validation) listeners(c Config) {
	if c.Listen == "" {
		v.add("listen", "must be host:port, such as 127.0.0.1:8080")
	}
	used := map[string]string{}
	for _, l := range []struct{ key, address string }{
		{"listen", c.Listen}, {"admin.listen", c.Admin.Listen}, {"metrics.listen", c.Metrics.Listen},
	} {
		if l.address == "" {
			continue
		}
		_, port, err := net.SplitHostPort(l.address)
		if err != nil || port != "0" && !isPort(port) {
			v.add(l.key, "must be host:port, such as 127.0.0.1:8080 or :8080 for every address")
			continue
		}
		if other, doubled := used[l.address]; doubled && port != "0" {
			v.add(l.key, "is the address of %s too", other)
		}
		used[l.address] = l.key
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		missing, other := "tls.key", "tls.cert"
		if c.TLS.Cert == "" {
			missing, other = other, missing
		}
		v.add(missing, "must be given beside %s", other)
	}
	v.oneOf("log.format", c.Log.Format, "json", "text")
	v.path("base_path", c.BasePath)
	v.path("legacy_base_path", c.LegacyBasePath)
	for _, prefix := range c.Routes.Modern {
		v.path("routes.modern", prefix)
	}
}

var plainPath = regexp.MustCompile(`^(/[0-9A-Za-z._~-]+)+$`)

func (v *validation) path(key, path string) {
	if path != "" && (!plainPath.MatchString(path) || strings.Contains(path+"/", "/./") || strings.Contains(path+"/", "/../")) {
		v.add(key, "must begin with a slash, end without one and hold letters, digits, - . _ ~ between them, such as /airflow")
	}
}

func (v *validation) bounds(c Config) {
	for _, b := range []struct {
		key                string
		value, least, most time.Duration
	}{
		{"server.read_header_timeout", c.Server.ReadHeaderTimeout, time.Second, 5 * time.Minute},
		{"server.idle_timeout", c.Server.IdleTimeout, time.Second, time.Hour},
		{"server.stall_timeout", c.Server.StallTimeout, time.Second, time.Hour},
		{"server.drain_delay", c.Server.DrainDelay, 0, 5 * time.Minute},
		{"server.drain_timeout", c.Server.DrainTimeout, 0, time.Hour},
		{"airflow3.idle_timeout", c.Airflow3.IdleTimeout, 100 * time.Millisecond, time.Hour},
		{"airflow3.answer_timeout", c.Airflow3.AnswerTimeout, time.Second, 24 * time.Hour},
		{"airflow3.users.recheck", c.Airflow3.Users.Recheck, time.Second, time.Hour},
		{"airflow3.users.outage_grace", c.Airflow3.Users.OutageGrace, 0, time.Hour},
		{"legacy.users.recheck", c.Legacy.Users.Recheck, time.Second, time.Hour},
		{"legacy.users.outage_grace", c.Legacy.Users.OutageGrace, 0, time.Hour},
		{"legacy.lockout.window", c.Legacy.Lockout.Window, time.Second, 24 * time.Hour},
		{"legacy.kerberos.keep_old_keys", c.Legacy.Kerberos.KeepOldKeys, 0, 30 * 24 * time.Hour},
		{"legacy.kerberos.clock_skew", c.Legacy.Kerberos.ClockSkew, time.Second, 15 * time.Minute},
		{"legacy.openid.leeway", c.Legacy.OpenID.Leeway, 0, 5 * time.Minute},
		{"modern.leeway", c.Modern.Leeway, 0, 5 * time.Minute},
		{"modern.lifetime", c.Modern.Lifetime, 30 * time.Second, time.Hour},
		{"modern.max_issued_lifetime", c.Modern.MaxIssuedLifetime, time.Minute, 365 * 24 * time.Hour},
		{"tokenapi.lifetime", c.TokenAPI.Lifetime, time.Second, 365 * 24 * time.Hour},
		{"tokenapi.cli_lifetime", c.TokenAPI.CLILifetime, time.Second, 365 * 24 * time.Hour},
	} {
		v.between(b.key, b.value, b.least, b.most)
	}
	for _, b := range []struct {
		key   string
		value int
	}{{"legacy.lockout.failures", c.Legacy.Lockout.Failures}, {"legacy.lockout.address_failures", c.Legacy.Lockout.AddressFailures}} {
		if b.value < 0 || b.value > 1_000_000 {
			v.add(b.key, "must be from 0, which counts none, to 1000000")
		}
	}
	if n := c.Server.MaxHeaderBytes; n < 8<<10 || n > 1<<20 {
		v.add("server.max_header_bytes", "must be from %d to %d", 8<<10, 1<<20)
	}
	if n := c.Server.MinBodyRate; n < 1 || n > 1<<20 {
		v.add("server.min_body_rate", "must be from %d to %d bytes a second", 1, 1<<20)
	}
}

var version = regexp.MustCompile(`^2\.[0-9]{1,2}\.[0-9]{1,2}$`)

func (v *validation) airflow3(c Config) {
	if c.Airflow3.URL == nil {
		v.add("airflow3.url", "is required: where Airflow 3's API server listens, such as http://127.0.0.1:8081")
	} else if c.Airflow3.CAFile != "" && c.Airflow3.URL.Scheme != "https" {
		v.add("airflow3.ca_file", "needs an https:// airflow3.url")
	}
	switch c.Airflow3.AuthManager {
	case FAB, Simple:
	case "":
		v.add("airflow3.auth_manager", "is required: fab or simple, unless airflow3.config names Airflow 3's airflow.cfg")
	default:
		v.add("airflow3.auth_manager", "must be fab or simple, or Airflow's dotted name of one of the two: others are not built in")
	}
	users := c.Airflow3.Users
	v.oneOf("airflow3.users.via", users.Via, Database, Upstream)
	if users.Via == Database {
		switch {
		case c.Airflow3.AuthManager == FAB && users.DSN == "":
			v.add("airflow3.users.dsn", "is required to look users up in FAB's tables: the SQLAlchemy URL of Airflow 3's database, unless airflow3.config is given")
		case c.Airflow3.AuthManager == Simple && len(c.Airflow3.SimpleUsers) == 0:
			v.add("airflow3.simple_users", "is required to look users up in the simple auth manager: [name:role, …], unless airflow3.config is given")
		}
	}
	if users.Via == Upstream {
		for _, k := range []struct {
			path string
			dsn  Secret
		}{{"airflow3.users.dsn", users.DSN}, {"legacy.users.dsn", c.Legacy.Users.DSN}} {
			if k.dsn != "" {
				v.add(k.path, "is not asked while airflow3.users.via is upstream: remove it, or write via: database")
			}
		}
	}
	names := map[string]bool{}
	for _, u := range c.Airflow3.SimpleUsers {
		if names[u.Name] {
			v.add("airflow3.simple_users", "names one user twice")
		}
		names[u.Name] = true
	}
}

func (v *validation) airflow2(c Config) {
	if c.Airflow2.URL == nil && c.Migration.Mode == Observe {
		v.add("airflow2.url", "is required in mode observe: where Airflow 2's web server listens now, such as http://127.0.0.1:8081")
	}
	if c.Airflow2.CAFile != "" && (c.Airflow2.URL == nil || c.Airflow2.URL.Scheme != "https") {
		v.add("airflow2.ca_file", "needs an https:// airflow2.url")
	}
	if !version.MatchString(c.Airflow2.Version) {
		v.add("airflow2.version", "must be a version of Airflow 2 with three numbers, such as 2.10.5")
	}
	if n := c.Airflow2.MaximumPageLimit; n < 1 || n > 100_000 {
		v.add("airflow2.maximum_page_limit", "must be from 1 to 100000")
	}
}

func (v *validation) legacy(c Config) {
	// Airflow makes something of an empty list, and takes a name twice.
	if len(c.Legacy.AuthBackends) == 0 && !c.Legacy.FromAirflow && c.Migration.Mode != JWTOnly {
		v.add("legacy.auth_backends", "is required in mode dual: the old ways that clients may use, such as [basic_auth]")
	}
	for _, k := range []struct {
		path  string
		names []string
	}{{"legacy.auth_backends", c.Legacy.AuthBackends}, {"legacy.ignore_backends", c.Legacy.IgnoreBackends}} {
		for i, name := range k.names {
			if slices.Contains(k.names[:i], name) && !c.Legacy.FromAirflow {
				v.add(k.path, "names %q twice", name)
			}
		}
	}
	// Under FAB Airflow 3's own database is the default, and was asked for already.
	if (c.Legacy.uses("basic_auth") || c.Legacy.uses("session")) && c.Legacy.Users.DSN == "" && c.Airflow3.Users.Via == Database && c.Airflow3.AuthManager == Simple {
		v.add("legacy.users.dsn", "is required to prove old passwords: the SQLAlchemy URL of the database that holds Airflow 2's users")
	}
	v.sessionValues(c.Legacy.Session)
	if c.Legacy.uses("session") {
		v.faults = append(v.faults, SessionFaults(c)...)
	}
	if c.Migration.Mode != Observe { // then they are warnings
		v.faults = append(v.faults, loginFaults(c)...)
	}
	v.kerberos(c)
	v.openid(c)
	for name, role := range c.Legacy.Roles {
		switch strings.ToLower(role) {
		case "viewer", "user", "op", "admin":
		default:
			v.add("legacy.roles", "%q must become viewer, user, op or admin", name)
		}
	}
	if len(c.Legacy.Roles) > 0 && c.Airflow3.AuthManager == FAB {
		v.add("legacy.roles", "is for the simple auth manager: under fab the roles stand in Airflow 3's database")
	}
}

// uses says whether a backend of those names counts, in Airflow's dotted form or
// the short one.
func (l Legacy) uses(names ...string) bool {
	is := func(name string) bool { return slices.Contains(names, name[strings.LastIndexByte(name, '.')+1:]) }
	return slices.ContainsFunc(l.AuthBackends, is) && !slices.ContainsFunc(l.IgnoreBackends, is)
}

func (v *validation) openid(c Config) {
	used := c.Legacy.uses("google_openid")
	if used && len(c.Legacy.OpenID.Issuers) == 0 {
		v.add("legacy.openid.issuers", "is required by the backend google_openid: [{issuer: %s, audience: …}]; Airflow 2's own default audience is empty, with which it refuses every token, unless airflow2.config sets [api] google_oauth2_audience", Google)
	}
	for _, i := range c.Legacy.OpenID.Issuers {
		if used && slices.Contains(c.Modern.Issuers(), i.Issuer) {
			v.add("legacy.openid.issuers", "%q is modern.issuer too: nobody could tell Airflow's tokens from ID tokens", i.Issuer)
		}
	}
	if used && c.Airflow3.Users.Via == Upstream {
		v.add("airflow3.users.via", "must be database beside the backend google_openid: an ID token cannot be shown to Airflow 3's token API")
	}
}

func (v *validation) kerberos(c Config) {
	k := c.Legacy.Kerberos
	used := c.Legacy.uses("kerberos_auth", "kerberos")
	if used && k.Keytab == "" {
		v.add("legacy.kerberos.keytab", "is required by the backend kerberos_auth: the file with the keys of the service, unless KRB5_KTNAME or airflow2.config names it")
	}
	v.oneOf("legacy.kerberos.channel_bindings", k.ChannelBindings, BindingsOff, BindingsAccept)
	if k.ChannelBindings == BindingsAccept && c.TLS.Cert == "" {
		v.add("legacy.kerberos.channel_bindings", "accept needs tls.cert: a client binds its token to the TLS that it sees, and here somebody else ends that")
	}
	if used && c.Airflow3.Users.Via == Upstream {
		v.add("airflow3.users.via", "must be database beside the backend kerberos_auth: a ticket cannot be shown to Airflow 3's token API")
	}
}

func (v *validation) modern(c Config) {
	if c.Modern.Secret == "" {
		v.add("modern.secret", "is required: Airflow 3's [api_auth] jwt_secret, unless airflow3.config is given and sets it")
	}
	if weak := weakness(c.Modern.Secret, "token"); weak != "" && !c.Modern.InsecureWeakSecret {
		v.add("modern.secret", "%s. Give Airflow 3 and jetbridge a new one, such as `openssl rand -base64 48` prints, or set modern.insecure_weak_secret: true to go on with it", weak)
	}
	if c.Modern.Audience == "" {
		v.add("modern.audience", "must not be empty")
	}
	if slices.Contains(c.Modern.Issuers(), "") {
		v.add("modern.issuer", "has an empty item between its commas")
	}
	switch c.Modern.Algorithm {
	case "HS256", "HS384", "HS512":
	default:
		v.add("modern.algorithm", "must be HS256, HS384 or HS512: others are not built in yet")
	}
	v.oneOf("tokenapi.password", c.TokenAPI.Password, Upstream, Bridge)
}

func (v *validation) migration(c Config) {
	m := c.Migration
	switch m.Mode {
	case Observe, Dual, JWTOnly:
	default:
		v.add("migration.mode", "must be observe, dual or jwt_only")
	}
	if !m.Sunset.IsZero() && m.Sunset.Before(m.DeprecatedSince) {
		v.add("migration.sunset", "lies before migration.deprecated_since")
	}
	if m.Link != "" {
		u, err := url.Parse(m.Link)
		// The link goes into a header between angle brackets.
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.ContainsAny(m.Link, " <>\"\\") {
			v.add("migration.link", "must be an http:// or https:// address")
		}
	}
	for i, scheme := range m.TokenSchemes {
		switch scheme {
		case "basic", "session", "kerberos", "openid":
		default:
			v.add("migration.token_schemes", "must be all, or a list of basic, session, kerberos, openid")
		}
		if slices.Contains(m.TokenSchemes[:i], scheme) {
			v.add("migration.token_schemes", "names %s twice", scheme)
		}
	}
}
