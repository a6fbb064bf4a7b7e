package config

import (
	"cmp"
	"log/slog"
	"net/url"
	"time"
)

// Default is what holds where nobody says anything. It is not whole: the
// upstream, its auth manager, the secret and, in dual mode, the chain of
// backends have no default.
func Default() Config {
	return Config{
		Listen:  "127.0.0.1:8080",
		Metrics: Listener{Listen: "127.0.0.1:9091"},
		Log:     Log{Format: "json", Level: slog.LevelInfo},
		Server: Server{
			ReadHeaderTimeout: 10 * time.Second,
			IdleTimeout:       2 * time.Minute,
			StallTimeout:      time.Minute,
			MinBodyRate:       100,
			DrainTimeout:      30 * time.Second,
			MaxHeaderBytes:    128 << 10,
		},
		Airflow3: Airflow3{
			IdleTimeout:   4 * time.Second,
			AnswerTimeout: 10 * time.Minute,
			Users:         UpstreamUsers{Via: Database, OutageGrace: time.Minute},
		},
		Airflow2: Airflow2{Version: "2.10.5", MaximumPageLimit: 100},
		Legacy: Legacy{
			Users:    LegacyUsers{Recheck: databaseRecheck, OutageGrace: time.Minute},
			Lockout:  Lockout{Failures: 10, AddressFailures: 500, Window: 5 * time.Minute},
			Session:  defaultSession(),
			Kerberos: Kerberos{ClockSkew: 5 * time.Minute, ChannelBindings: BindingsOff},
		},
		Modern: Modern{
			Algorithm:         "HS512",
			Audience:          "apache-airflow",
			Leeway:            10 * time.Second,
			Lifetime:          5 * time.Minute,
			MaxIssuedLifetime: 24 * time.Hour,
		},
		TokenAPI:  TokenAPI{Lifetime: 24 * time.Hour, CLILifetime: time.Hour},
		Migration: Migration{Mode: Dual, APIv1: true},
		Store:     Store{DSN: "sqlite:///jetbridge.db"},
	}
}

// How old an answer about a user may be when nobody says so: a database is asked
// in no time, Airflow 3's token API takes a password's hash.
const (
	databaseRecheck = 5 * time.Second
	upstreamRecheck = 5 * time.Minute
)

// derive fills what hangs on other values. given tells which keys somebody set.
func (c *Config) derive(given map[string]origin) {
	if _, ok := given["airflow3.users.recheck"]; !ok {
		c.Airflow3.Users.Recheck = databaseRecheck
		if c.Airflow3.Users.Via == Upstream {
			c.Airflow3.Users.Recheck = upstreamRecheck
		}
	}
	// Where old passwords live unless somebody says otherwise: an upgrade in
	// place leaves them in the database that Airflow 3 took over.
	if c.Legacy.Users.DSN == "" && c.Airflow3.Users.Via == Database {
		c.Legacy.Users.DSN, c.Legacy.Users.Schema = c.Airflow3.Users.DSN, c.Airflow3.Users.Schema
	}
	if c.TokenAPI.Password == "" {
		// The login page of the simple auth manager posts to the token API.
		c.TokenAPI.Password = Bridge
		if c.Airflow3.AuthManager == Simple {
			c.TokenAPI.Password = Upstream
		}
	}
	c.TokenAPI.Lifetime = c.capped("tokenapi.lifetime", c.TokenAPI.Lifetime)
	c.TokenAPI.CLILifetime = c.capped("tokenapi.cli_lifetime", c.TokenAPI.CLILifetime)
	c.deriveSession(given)
	c.deriveStages()
	if weak := weakness(c.Modern.Secret, "token"); weak != "" && c.Modern.InsecureWeakSecret {
		c.warn("modern.insecure_weak_secret: the secret %s", weak)
	}
	if c.Legacy.Kerberos.InsecureRC4 {
		c.warn("legacy.kerberos.insecure_rc4: tickets under rc4-hmac are accepted, whose keys can be guessed from a ticket: give the service AES keys")
	}
	for _, i := range c.Legacy.OpenID.Issuers {
		keys, err := url.Parse(cmp.Or(i.Keys, i.Issuer))
		if err == nil && i.KeyFile == "" && keys.Scheme == "http" && !isLocal(keys.Hostname()) {
			c.warn("legacy.openid.issuers: the keys of %s come without TLS: whoever stands between can sign for anybody", i.Issuer)
		}
		if i.InsecureUnverifiedEmail {
			c.warn("legacy.openid.issuers: insecure_unverified_email of %s: whoever may write an address there may be anybody", i.Issuer)
		}
	}
	if c.Admin.Listen != "" {
		c.warn("admin.listen: the migration page is not built in yet: nothing listens there")
	}
}

func (c *Config) capped(key string, lifetime time.Duration) time.Duration {
	most := c.Modern.MaxIssuedLifetime
	if lifetime > most {
		c.warn("%s: %s is capped by modern.max_issued_lifetime, %s", key, lifetime, most)
	}
	return min(lifetime, most)
}
