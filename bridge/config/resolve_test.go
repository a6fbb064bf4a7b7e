package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestResolved says what each good file comes to, as far as it differs from
// what one without Airflow's own files comes to.
func TestResolved(t *testing.T) {
	folder, err := filepath.Abs(filepath.Join("..", "..", "testdata", "config"))
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(folder, "files", name) }
	minimal := func() Config {
		c := Default()
		c.Airflow3.URL = &url.URL{Scheme: "http", Host: "127.0.0.1:8081"}
		c.Airflow3.AuthManager = FAB
		c.Airflow3.Users.DSN = "postgresql://db/airflow"
		c.Airflow3.Users.Recheck = 5 * time.Second
		c.Legacy.AuthBackends = []string{"basic_auth"}
		c.Legacy.Users.DSN = "postgresql://db/airflow"
		c.Modern.Secret = "0123456789abcdefghijklmnopqrstuvwxyz"
		c.TokenAPI.Password = Bridge
		c.Store.DSN = Secret("sqlite:///" + filepath.Join(folder, "jetbridge.db"))
		return c
	}
	fromAirflow := func(c *Config) {
		c.BasePath, c.LegacyBasePath = "/airflow", "/old"
		c.Airflow3.ConfigFile, c.Airflow2.ConfigFile = file("airflow3.cfg"), file("airflow2.cfg")
		c.Airflow3.Users.DSN = "postgresql+psycopg2://airflow:p%40ss@db/airflow3"
		c.Airflow3.CORS.AllowOrigins = "https://portal.example.com"
		c.Legacy.AuthBackends, c.Legacy.FromAirflow = []string{"airflow.providers.fab.auth_manager.api.auth.backend.basic_auth"}, true
		c.Legacy.Users.DSN = "sqlite:////var/lib/airflow2/airflow.db"
		c.Modern.Secret = "a secret of Airflow 3, long enough for anything that asks"
		c.Modern.Issuer = "https://airflow.example.com, airflow"
		c.TokenAPI.Lifetime = 12 * time.Hour
		c.Files = []string{file("airflow3.cfg"), file("airflow2.cfg")}
	}
	cases := map[string]func(*Config){
		"minimal":      func(*Config) {},
		"from-airflow": fromAirflow,
		"from-airflow-simple": func(c *Config) {
			c.LegacyBasePath = "/old"
			c.Airflow3.ConfigFile, c.Airflow2.ConfigFile = file("airflow3-simple.cfg"), file("airflow2.cfg")
			c.Airflow3.AuthManager = Simple
			c.Airflow3.SimpleUsers = []SimpleUser{{"alice", "admin", nil}, {"bob", "viewer", []string{"red", "blue"}}}
			c.Airflow3.Users.DSN = Secret("sqlite:///" + file("airflow.db"))
			c.Legacy.AuthBackends, c.Legacy.FromAirflow = []string{"airflow.providers.fab.auth_manager.api.auth.backend.basic_auth"}, true
			c.Legacy.Users.DSN = "sqlite:////var/lib/airflow2/airflow.db"
			c.Modern.Secret = "the-secret-of-the-simple-manager"
			c.TokenAPI.Password = Upstream
			c.Files = []string{file("airflow3-simple.cfg"), file("airflow2.cfg")}
		},
		"upstream": func(c *Config) {
			c.Airflow3.URL = &url.URL{Scheme: "https", Host: "airflow.example.com"}
			c.Airflow3.CAFile = file("ca.pem")
			c.Airflow3.Users = UpstreamUsers{Via: Upstream, Recheck: 10 * time.Minute, OutageGrace: time.Minute}
			c.Legacy.AuthBackends = []string{"airflow.api.auth.backend.basic_auth"}
			c.Legacy.Users.DSN = ""
			c.Modern.Secret = "the secret in a file"
			c.Files = []string{file("jwt.secret")}
		},
		"simple": func(c *Config) {
			c.Airflow3.URL.Host = "localhost:8081"
			c.Airflow3.AuthManager = Simple
			c.Airflow3.SimpleUsers = []SimpleUser{{"alice", "admin", nil}, {"bob", "OP", nil}, {"carol", "", nil}, {"dora", "viewer", []string{"red", "blue"}}}
			c.Airflow3.Users.DSN = ""
			c.Legacy.Users.DSN = "postgresql://airflow:hunter2@db/airflow"
			c.Legacy.Roles = map[string]string{"Data Engineers": "op", "2024": "viewer"}
			c.TokenAPI.Password = Upstream
			c.Files = []string{file("dsn.secret")}
		},
		"kerberos": func(c *Config) {
			c.Airflow3.AuthManager, c.TokenAPI.Password = Simple, Upstream
			c.Airflow3.SimpleUsers = []SimpleUser{{"alice@EXAMPLE.TEST", "admin", nil}}
			c.Airflow3.Users.DSN, c.Legacy.Users.DSN = "", ""
			c.Legacy.AuthBackends, c.Legacy.IgnoreBackends = []string{"kerberos_auth", "session"}, []string{"session"}
			c.Legacy.Kerberos = Kerberos{
				Keytab: file("../airflow.keytab"), KeepOldKeys: 24 * time.Hour, Service: []string{"airflow", "HTTP/airflow.example.test"},
				Realms: []string{"EXAMPLE.TEST"}, AuthToLocal: []string{`RULE:[2:$1@$0](etl@EXAMPLE\.TEST)s/@.*//`, "DEFAULT"},
				ClockSkew: 5 * time.Minute, ChannelBindings: BindingsOff,
			}
		},
		"dotted-manager": func(*Config) {},
		"openid": func(c *Config) {
			c.Legacy.AuthBackends = []string{"google_openid"}
			c.Legacy.OpenID = OpenID{Leeway: 10 * time.Second, Issuers: []Issuer{
				{Issuer: Google, Audience: []string{"ours"}},
				{
					Issuer: "https://idp.example.com/realms/data", Audience: []string{"airflow", "airflow-cli"}, KeyFile: file("keys.json"),
					Algorithms: []string{"PS256"}, Claim: "preferred_username", Users: map[string]string{"svc-etl": "etl"},
					Require: map[string]string{"azp": "airflow"}, InsecureUnverifiedEmail: true,
				},
				{Issuer: "http://idp.example.com", Audience: []string{"ours"}},
				{Issuer: "http://127.0.0.1:5556", Audience: []string{"ours"}},
				{Issuer: "https://kubernetes.default.svc", Audience: []string{"ours"}, CAFile: file("ca.crt"), Claim: "sub"},
			}}
			c.Warnings = []string{"legacy.openid.issuers: insecure_unverified_email of https://idp.example.com/realms/data: whoever may write an address there may be anybody",
				"legacy.openid.issuers: the keys of http://idp.example.com come without TLS: whoever stands between can sign for anybody"}
		},
		"secret-weak": func(c *Config) {
			c.Modern.Secret, c.Modern.InsecureWeakSecret = "s", true
			c.Warnings = []string{"modern.insecure_weak_secret: the secret is shorter than 16 bytes: it can be guessed from any token that was signed with it"}
		},
		"observe": func(c *Config) {
			c.Airflow2.URL = &url.URL{Scheme: "http", Host: "127.0.0.1:8081"}
			c.Airflow3.URL, c.Airflow3.AuthManager, c.Airflow3.Users.DSN = nil, "", ""
			c.Legacy.AuthBackends, c.Legacy.Users.DSN, c.Modern.Secret = nil, "", ""
			c.Migration.Mode = Observe
		},
		"observe-whole": func(c *Config) {
			c.Airflow2.URL, c.Airflow2.CAFile = &url.URL{Scheme: "https", Host: "127.0.0.1:8443"}, file("ca.pem")
			c.Migration.Mode = Observe
		},
		"mysql": func(c *Config) {
			c.Airflow3.Users.DSN = "mysql+mysqldb://airflow:p%40ss@localhost/airflow3?unix_socket=/run/mysqld/mysqld.sock&charset=utf8mb4"
			c.Airflow3.Users.Schema = "airflow3"
			c.Legacy.Users.DSN = "mariadb+pymysql://airflow:p%40ss@[::1]:3307/airflow2?ssl_ca=/etc/mysql/ca.pem"
		},
		"jwt-only": func(c *Config) {
			c.Legacy.AuthBackends = nil
			c.Migration = Migration{Mode: JWTOnly, TokenSchemes: []string{}, APIv1: true}
		},
		"calendar": func(c *Config) {
			c.Migration.DeprecatedSince = time.Date(2025, 4, 22, 0, 0, 0, 0, time.UTC)
			c.Migration.Sunset = time.Date(2026, 4, 22, 8, 0, 0, 0, time.UTC)
			c.Migration.Link = "https://wiki.example.com/airflow-3?from=2"
			c.Migration.TokenSchemes = []string{"basic", "kerberos"}
		},
		"nulls": func(c *Config) { c.Migration.DeprecatedSince = time.Date(2025, 4, 22, 0, 0, 0, 0, time.UTC) },
		"network": func(c *Config) {
			c.Listen = "[::1]:8443"
			c.TLS = TLS{Cert: file("tls.crt"), Key: file("tls.key")}
			c.Metrics.Listen = ""
			c.TrustedProxies = []netip.Prefix{
				netip.MustParsePrefix("10.0.0.7/32"), netip.MustParsePrefix("10.1.0.0/16"),
				netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fd00::/8"),
			}
			c.BasePath, c.LegacyBasePath = "/airflow", "/old/airflow"
			c.Routes.Modern = []string{"/my-plugin", "/plugins/x.y"}
			c.Log = Log{Format: "text", Level: slog.LevelDebug}
			c.Server = Server{5 * time.Second, 90 * time.Second, 10 * time.Second, 50, 5 * time.Second, 0, 64 << 10}
		},
		"quoted": func(c *Config) {
			c.Legacy.AuthBackends = []string{"basic_auth", "session"}
			c.Legacy.Session.SecretKeys = Secrets{"the key that signs\n", "another's key, which counts"}
			c.Modern.Secret = "two lines\nof a secret"
		},
		"environment": func(c *Config) {
			c.Airflow3.URL.Host = "airflow3:8080"
			c.Airflow3.AuthManager = Simple
			c.Airflow3.SimpleUsers = []SimpleUser{{"alice", "admin", nil}, {"bob", "op", nil}}
			c.Airflow3.Users.DSN = ""
			c.Modern.Secret = "the secret in a file"
			c.Legacy.AuthBackends = []string{"basic_auth", "session"}
			c.Legacy.Session.SecretKeys = Secrets{"one key, with commas"}
			c.Legacy.Kerberos.Keytab = file("../airflow.keytab")
			c.Legacy.Users.DSN = "mysql://db/airflow2"
			c.Legacy.Roles = map[string]string{"Data Engineers": "op", "Guests": "viewer"}
			c.Server.MaxHeaderBytes = 64 << 10
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32"), netip.MustParsePrefix("10.1.0.0/16")}
			c.Migration.Sunset = time.Date(2026, 4, 22, 0, 0, 0, 0, time.UTC)
			c.TokenAPI.Password = Upstream
			c.Files = []string{file("jwt.secret")}
		},
		"airflow-environment": func(c *Config) {
			fromAirflow(c)
			c.Modern.Secret, c.Modern.Audience, c.Modern.Issuer = "from the environment", "a,b", "from the YAML"
			c.Warnings = []string{wasIgnored("AIRFLOW__API__AUTH_BACKENDS", "legacy.auth_backends")}
		},
		"no-file-of-airflow": func(c *Config) {
			c.Airflow3.ConfigFile = "/dev/null"
			c.Files = []string{"/dev/null"}
		},
	}
	maps.Copy(cases, sessionCases(file))
	for name, f := range corpus(t, ".good.yaml") {
		change := cases[strings.TrimSuffix(name, ".good.yaml")]
		if change == nil {
			t.Errorf("%s: nothing says what it comes to", name)
			continue
		}
		got, err := Load(Source{Path: f.path, Environ: f.environ})
		if err != nil {
			t.Errorf("%s:\n%v", name, err)
			continue
		}
		want := minimal()
		change(&want)
		want.Files = append([]string{filepath.Join(folder, name)}, want.Files...)
		if diff := cmp.Diff(reveal(want), reveal(*got), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
			t.Errorf("%s: want (-) and got (+) differ:\n%s", name, diff)
		}
	}
}

const minimalYAML = `airflow3:
  url: http://127.0.0.1:8081
  auth_manager: fab
  users: {dsn: "postgresql://db/airflow"}
legacy: {auth_backends: [basic_auth]}
modern: {secret: 0123456789abcdefghijklmnopqrstuvwxyz}
`

// A secret is in the file or in a file of its own; the environment's word counts
// over both.
func TestSecretFiles(t *testing.T) {
	without := strings.Replace(minimalYAML, "modern: {secret: 0123456789abcdefghijklmnopqrstuvwxyz}\n", "", 1)
	const inFile = "modern: {secret_file: f}\n"
	for _, c := range []struct {
		name, content string
		environ       []string
		want          string
	}{
		{"file", without + inFile, nil, "in f"},
		{"variable over value", minimalYAML, []string{"JETBRIDGE__MODERN__SECRET=e"}, "e"},
		{"variable over file", without + inFile, []string{"JETBRIDGE__MODERN__SECRET=e"}, "e"},
		{"variable's file over value", minimalYAML, []string{"JETBRIDGE__MODERN__SECRET_FILE=g"}, "in g"},
		{"variable's file over file", without + inFile, []string{"JETBRIDGE__MODERN__SECRET_FILE=/elsewhere/h"}, "in h"},
		{"one newline goes", without + "modern: {secret_file: two-newlines}\n", nil, "s\n"},
		{"a carriage return goes with it", without + "modern: {secret_file: windows}\n", nil, "s"},
		{"spaces stay", without + "modern: {secret_file: spaces}\n", nil, " s "},
	} {
		got, err := load(map[string]string{
			"/etc/jetbridge/f": "in f\n", "/etc/jetbridge/g": "in g", "/elsewhere/h": "in h\n",
			"/etc/jetbridge/two-newlines": "s\n\n", "/etc/jetbridge/windows": "s\r\n", "/etc/jetbridge/spaces": " s ",
		}, c.content, append(c.environ, "JETBRIDGE__MODERN__INSECURE_WEAK_SECRET=true")...)
		if err != nil || got.Modern.Secret.Reveal() != c.want {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	for name, content := range map[string]string{"long": strings.Repeat("x", maxSecret+1), "nul": "a\x00b", "empty": "", "newline": "\n"} {
		if c, err := load(map[string]string{"/etc/jetbridge/f": content}, without+inFile); err == nil {
			t.Errorf("%s: %v", name, c)
		}
	}
	_, err := load(nil, minimalYAML, "JETBRIDGE__MODERN__SECRET=e", "JETBRIDGE__MODERN__SECRET_FILE=g")
	if want := "JETBRIDGE__MODERN__SECRET_FILE: modern.secret_file: stands beside modern.secret"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("both variables: %v", err)
	}
}

func TestSecretIsNeverSeen(t *testing.T) {
	c, err := load(nil, strings.ReplaceAll(minimalYAML, "secret: 0123456789abcdefghijklmnopqrstuvwxyz", "secret: hunter2-hunter2-hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logger.Info("x", "secret", c.Modern.Secret, "config", *c)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", c.Modern.Secret, "config", *c)
	seen := log.String() + string(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s"} {
		seen += fmt.Sprintf(verb, c.Modern.Secret) + fmt.Sprintf(verb, *c) + fmt.Sprintf(verb, &c.Modern.Secret)
	}
	if strings.Contains(seen, "hunter2") || strings.Contains(seen, fmt.Sprintf("%x", "hunter2")) {
		t.Errorf("it is seen: %s", seen)
	}
	if !strings.Contains(seen, redacted) || c.Modern.Secret.Reveal() != "hunter2-hunter2-hunter2" {
		t.Error("nothing was printed")
	}
	if several := fmt.Sprintf("%v %+v %#v %q %x", Secrets{"hunter2"}, Secrets{"hunter2"}, Secrets{"hunter2"}, Secrets{"hunter2"}, Secrets{"hunter2"}); strings.Contains(several, "hunter2") || strings.Contains(several, "68756e746572") {
		t.Errorf("of several: %s", several)
	}
	if Secret("").String() != Secret("x").String() || Secret("x").GoString() != redacted {
		t.Error("the text tells whether there is a secret")
	}
}

func TestWarnings(t *testing.T) {
	files := map[string]string{"/etc/jetbridge/airflow3.cfg": "[api_auth]\njwt_expiration_time = 172800\njwt_secret = 0123456789abcdefghijklmnopqrstuvwxyz\n[core]\nsimple_auth_manager_all_admins = True\n"}
	c, err := load(files, "airflow3: {url: \"http://a:1\", config: airflow3.cfg}\nlegacy: {auth_backends: [basic_auth]}\nadmin: {listen: \":9090\"}\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`/etc/jetbridge/airflow3.cfg [core] simple_auth_manager_all_admins is "True": Airflow 3 takes everybody who reaches it for an admin`,
		"tokenapi.lifetime: 48h0m0s is capped by modern.max_issued_lifetime, 24h0m0s",
		"admin.listen: the migration page is not built in yet: nothing listens there",
	}
	if diff := cmp.Diff(want, c.Warnings); diff != "" {
		t.Error(diff)
	}
	if c.TokenAPI.Lifetime != 24*time.Hour {
		t.Errorf("lifetime is %s", c.TokenAPI.Lifetime)
	}
}

// What Airflow 2's file does not say is not taken from Airflow's defaults where
// Airflow 3's database is the better guess; what it says of the chain goes on as
// it is, for Airflow rewrites it.
func TestAirflow2LeavesOut(t *testing.T) {
	yaml := strings.Replace(minimalYAML, "legacy: {auth_backends: [basic_auth]}", "airflow2: {config: airflow2.cfg}", 1)
	for cfg, want := range map[string][]string{
		"":                             nil,
		"[api]\nauth_backends =\n":     {},
		"[api]\nauth_backend = a\n":    {"a"},
		"[api]\nauth_backends = a , a": {"a", "a"},
	} {
		c, err := load(map[string]string{"/etc/jetbridge/airflow2.cfg": cfg}, yaml)
		if err != nil || !c.Legacy.FromAirflow || !cmp.Equal(want, c.Legacy.AuthBackends) || c.Legacy.Users.DSN != "postgresql://db/airflow" {
			t.Errorf("%q: %+v, %v", cfg, c, err)
		}
	}
	c, err := load(map[string]string{"/etc/jetbridge/airflow2.cfg": "[api]\nauth_backends = a\n"}, minimalYAML+"airflow2: {config: airflow2.cfg}\n")
	if err != nil || c.Legacy.FromAirflow || !cmp.Equal([]string{"basic_auth"}, c.Legacy.AuthBackends) {
		t.Errorf("a list in the YAML is literal: %+v, %v", c, err)
	}
}

// The bridge's own file goes before KRB5_KTNAME, and that before Airflow's, as in
// Airflow 2.
func TestKeytab(t *testing.T) {
	const cfg = "[kerberos]\nkeytab = airflow2.keytab\n"
	for _, c := range []struct{ yaml, ktname, airflow2, want string }{
		{"own.keytab", "/from/the/environment", cfg, "/etc/jetbridge/own.keytab"},
		{"", "/from/the/environment", cfg, "/from/the/environment"},
		{"", "FILE:/from/the/environment", "", "/from/the/environment"},
		{"", "/from/the/environment", "[kerberos]\nkeytab = MEMORY:x\n", "/from/the/environment"},
		{"", "", cfg, "/etc/jetbridge/airflow2.keytab"},
		{"", "", "[kerberos]\nkeytab = FILE:/x.keytab\n", "/x.keytab"},
		{"", "MEMORY:x", "", "a keytab of the type MEMORY cannot be read"},
		{"", "", "", "legacy.kerberos.keytab: is required"},
	} {
		text := "airflow3: {url: \"http://a:1\", auth_manager: fab, users: {dsn: \"postgresql://db/airflow\"}}\nmodern: {secret: 0123456789abcdefghijklmnopqrstuvwxyz}\n" +
			"airflow2: {config: airflow2.cfg}\nlegacy: {auth_backends: [kerberos], kerberos: {keytab: " + c.yaml + "}}\n"
		got, err := load(map[string]string{"/etc/jetbridge/airflow2.cfg": c.airflow2}, text, "KRB5_KTNAME="+c.ktname)
		switch {
		case err != nil && !strings.Contains(err.Error(), c.want):
			t.Errorf("%+v: %v", c, err)
		case err == nil && got.Legacy.Kerberos.Keytab != c.want:
			t.Errorf("%+v: %s", c, got.Legacy.Kerberos.Keytab)
		}
	}
}

// A database that nobody asks may keep its password where the bridge cannot go.
func TestUpstreamNeedsNoDatabase(t *testing.T) {
	cfg := "[database]\nsql_alchemy_conn_secret = x\n[api_auth]\njwt_secret = 0123456789abcdefghijklmnopqrstuvwxyz\n"
	files := map[string]string{"/etc/jetbridge/airflow.cfg": cfg}
	c, err := load(files, "airflow3: {url: \"http://a:1\", config: airflow.cfg, users: {via: upstream}}\nairflow2: {config: airflow.cfg}\n")
	if err != nil || c.Airflow3.Users.DSN != "" || c.Legacy.Users.DSN != "" || c.Airflow3.Users.Recheck != 5*time.Minute {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTimesAreUTC(t *testing.T) {
	c, err := load(nil, minimalYAML+"migration: {deprecated_since: 2025-04-22T01:00:00+02:00}\n")
	if err != nil || c.Migration.DeprecatedSince.Format(time.RFC3339) != "2025-04-21T23:00:00Z" {
		t.Errorf("%+v, %v", c, err)
	}
}

// The audience is where Airflow's validator looks for it.
func TestAudience(t *testing.T) {
	for cfg, want := range map[string]string{
		"": "apache-airflow",
		"[api_auth]\njwt_audience = a\n[api]\njwt_audience = b\n": "a",
		"[api]\njwt_audience = b\n":                               "b",
		"[api_auth]\njwt_audience = a,b\n":                        "a,b",
	} {
		c, err := load(map[string]string{"/etc/jetbridge/airflow3.cfg": cfg}, strings.Replace(minimalYAML, "  auth", "  config: airflow3.cfg\n  auth", 1))
		if err != nil || c.Modern.Audience != want {
			t.Errorf("%q: %v; want %q", cfg, err, want)
		}
	}
}

func TestIssuers(t *testing.T) {
	for issuer, want := range map[string][]string{"": nil, "a": {"a"}, "a, b": {"a", "b"}} {
		if diff := cmp.Diff(want, Modern{Issuer: issuer}.Issuers()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestNeedsRestart(t *testing.T) {
	old, err := load(nil, minimalYAML)
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string][]string{
		"": nil,
		"migration: {mode: jwt_only}\nlog: {level: debug}\ntrusted_proxies: [10.0.0.1]\n":                               nil,
		"listen: :1\ntls: {cert: c, key: k}\nmetrics: {listen: \":2\"}\nadmin: {listen: \":3\"}\nlog: {format: text}\n": {"admin.listen", "listen", "log.format", "metrics.listen", "tls.cert", "tls.key"},
		"server: {drain_timeout: 1s, max_header_bytes: 65536}\nstore: {dsn: \"sqlite:///x.db\"}\n":                      {"server.drain_timeout", "server.max_header_bytes", "store.dsn"},
	} {
		next, err := load(nil, minimalYAML+content)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, NeedsRestart(old, next)); diff != "" {
			t.Errorf("%q:\n%s", content, diff)
		}
	}
}

// Every key can be set by its variable: each of them is known, and has a reader.
func TestEveryKeyHasAVariable(t *testing.T) {
	for _, k := range newSchema().sorted() {
		_, err := load(nil, "", variable(k.path)+"=x")
		if err == nil || strings.Contains(err.Error(), "unknown key") || strings.Contains(err.Error(), "no reader") {
			t.Errorf("%s: %v", variable(k.path), err)
		}
		// Without a document nothing is looked at; with one each is set or refused.
		_, err = load(nil, "log:\n", variable(k.path)+"=x")
		if err == nil || strings.Contains(err.Error(), "unknown key") || strings.Contains(err.Error(), "no reader") {
			t.Errorf("%s: %v", variable(k.path), err)
		}
	}
}

func TestFaultsOfTheFile(t *testing.T) {
	for name, c := range map[string]struct {
		source Source
		want   string
	}{
		"no path": {Source{}, "no configuration file is named"},
		"absent":  {Source{Path: filepath.Join(t.TempDir(), "x.yaml")}, "there is no file"},
		"folder":  {Source{Path: t.TempDir()}, "is a directory"},
		"endless": {Source{Path: "/dev/zero"}, "longer than"},
		"long":    {Source{Path: "f", ReadFile: func(string) ([]byte, error) { return make([]byte, maxFile+1), nil }}, "longer than"},
		"denied": {Source{Path: "f", ReadFile: func(string) ([]byte, error) { return nil, &fs.PathError{Err: fs.ErrPermission} }},
			"may not be read by this user"},
	} {
		var faults Faults
		c2, err := Load(c.source)
		if !errors.As(err, &faults) || len(faults) != 1 || c2 != nil || !strings.Contains(faults[0].What, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// What nests deep costs the parser its square, and is refused before.
func TestDeepNesting(t *testing.T) {
	for _, opening := range []string{"[", "{a: ", "- ", "? ", "[\n", "!a "} {
		_, err := load(nil, strings.Repeat(opening, maxFile/len(opening)))
		if err == nil || !strings.Contains(err.Error(), "nests too deep") {
			t.Errorf("%q: %v", opening, err)
		}
	}
	if _, err := load(nil, minimalYAML+"trusted_proxies:\n"+strings.Repeat("  - 10.0.0.1\n", 2000)); err != nil {
		t.Errorf("a long list: %v", err)
	}
}

func TestValidateChangesNothing(t *testing.T) {
	c, err := load(nil, minimalYAML)
	if err != nil {
		t.Fatal(err)
	}
	before := reveal(*c)
	Validate(*c)
	if diff := cmp.Diff(before, reveal(*c)); diff != "" {
		t.Error(diff)
	}
	if faults := Validate(Config{}); len(faults) < 10 || !slices.ContainsFunc(faults, func(f Fault) bool { return f.Key == "listen" }) {
		t.Errorf("an empty configuration: %v", faults)
	}
}

// Google's audience is taken from Airflow 2's configuration, unless the file
// lists issuers itself; an empty one is none.
func TestGoogleAudience(t *testing.T) {
	const yaml = "airflow3: {url: \"http://a:1\", auth_manager: fab, users: {dsn: \"postgresql://db/airflow\"}}\nmodern: {secret: 0123456789abcdefghijklmnopqrstuvwxyz}\n" +
		"airflow2: {config: airflow2.cfg}\n"
	for _, c := range []struct{ legacy, cfg, want string }{
		{"legacy: {auth_backends: [google_openid]}\n", "[api]\ngoogle_oauth2_audience = ours\n", "https://accounts.google.com ours"},
		{"legacy: {auth_backends: [google_openid], openid: {issuers: [{issuer: \"https://i\", audience: a}]}}\n", "[api]\ngoogle_oauth2_audience = ours\n", "https://i a"},
		{"legacy: {auth_backends: [google_openid]}\n", "[api]\ngoogle_oauth2_audience =\n", "is required by the backend google_openid"},
		{"legacy: {auth_backends: [google_openid]}\n", "[api]\ngoogle_oauth2_audience = a b\n", "neither commas nor spaces"},
	} {
		got, err := load(map[string]string{"/etc/jetbridge/airflow2.cfg": c.cfg}, yaml+c.legacy)
		switch {
		case err != nil && !strings.Contains(err.Error(), c.want):
			t.Errorf("%q: %v", c.cfg, err)
		case err == nil && (len(got.Legacy.OpenID.Issuers) != 1 || got.Legacy.OpenID.Issuers[0].Issuer+" "+got.Legacy.OpenID.Issuers[0].Audience[0] != c.want):
			t.Errorf("%q: %+v", c.cfg, got.Legacy.OpenID.Issuers)
		}
	}
}
