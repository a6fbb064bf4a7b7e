package config

import (
	"cmp"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jetbridge/jetbridge/bridge/airflowcfg"
)

func (c *Config) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...))
}

// A filling is one key that an option of Airflow's fills.
type filling struct {
	path         string
	section, key string
	// convert makes the key's text of Airflow's; nil: as it is. Empty text
	// leaves the key out.
	convert func(airflowcfg.Value) (string, error)
	// set tells that Airflow's own default is none of ours.
	set bool
}

// The audience is looked for where Airflow's validator looks (BaseAuthManager's
// _get_jwt_audience), the issuer and the algorithm as its JWTGenerator does.
func airflow3Fillings() []filling {
	return []filling{
		{path: "airflow3.auth_manager", section: "core", key: "auth_manager", convert: manager},
		{path: "airflow3.users.dsn", section: "database", key: "sql_alchemy_conn", convert: trimmed},
		{path: "airflow3.users.schema", section: "database", key: "sql_alchemy_schema"},
		{path: "airflow3.secret_key", section: "api", key: "secret_key", convert: present},
		{path: "airflow3.simple_users", section: "core", key: "simple_auth_manager_users"},
		{path: "airflow3.cors.allow_headers", section: "api", key: "access_control_allow_headers"},
		{path: "airflow3.cors.allow_methods", section: "api", key: "access_control_allow_methods"},
		{path: "airflow3.cors.allow_origins", section: "api", key: "access_control_allow_origins"},
		{path: "base_path", section: "api", key: "base_url", convert: pathOfURL},
		{path: "modern.secret", section: "api_auth", key: "jwt_secret"},
		{path: "modern.audience", section: "api_auth", key: "jwt_audience"},
		{path: "modern.audience", section: "api", key: "jwt_audience"},
		{path: "modern.issuer", section: "api_auth", key: "jwt_issuer"},
		{path: "modern.algorithm", section: "api_auth", key: "jwt_algorithm", convert: algorithm},
		{path: "modern.leeway", section: "api_auth", key: "jwt_leeway", convert: seconds},
		{path: "tokenapi.lifetime", section: "api_auth", key: "jwt_expiration_time", convert: seconds},
		{path: "tokenapi.cli_lifetime", section: "api_auth", key: "jwt_cli_expiration_time", convert: seconds},
	}
}

func airflow2Fillings() []filling {
	return append([]filling{
		{path: "legacy.auth_backends", section: "api", key: "auth_backends", set: true}, // Airflow's rewriting makes the default of none
		{path: "legacy.openid.issuers", section: "api", key: "google_oauth2_audience", convert: google},
		{path: "legacy.kerberos.keytab", section: "kerberos", key: "keytab", convert: keytabFile, set: true},
		{path: "legacy.users.dsn", section: "database", key: "sql_alchemy_conn", convert: trimmed, set: true},
		{path: "legacy.users.schema", section: "database", key: "sql_alchemy_schema"},
		{path: "airflow2.cors.allow_headers", section: "api", key: "access_control_allow_headers"},
		{path: "airflow2.cors.allow_methods", section: "api", key: "access_control_allow_methods"},
		{path: "airflow2.cors.allow_origins", section: "api", key: "access_control_allow_origins"},
		{path: "airflow2.maximum_page_limit", section: "api", key: "maximum_page_limit"},
		{path: "legacy_base_path", section: "webserver", key: "base_url", convert: pathOfURL},
	}, airflow2Session()...)
}

// trimmed drops the newline that a command prints: SQLAlchemy reads an URL up to
// it.
func trimmed(v airflowcfg.Value) (string, error) { return strings.TrimRight(v.Text, "\r\n"), nil }

func pathOfURL(v airflowcfg.Value) (string, error) {
	u, err := url.Parse(v.Text)
	if err != nil {
		return "", fmt.Errorf("%s: not an URL", v.From)
	}
	return strings.TrimRight(u.EscapedPath(), "/"), nil
}

func algorithm(v airflowcfg.Value) (string, error) {
	if v.Text == "GUESS" {
		return "", nil
	}
	return v.Text, nil
}

func manager(v airflowcfg.Value) (string, error) { return managerName(v.Text), nil }

// keytabName takes MIT's type off the name of a keytab. Only a file can be read.
func keytabName(text string) (string, error) {
	kind, rest, typed := strings.Cut(text, ":")
	switch {
	case !typed || strings.Contains(kind, "/"):
		return text, nil
	case strings.EqualFold(kind, "FILE") || strings.EqualFold(kind, "WRFILE"):
		return rest, nil
	}
	return "", fmt.Errorf("a keytab of the type %s cannot be read: name a file", kind)
}

func keytabFile(v airflowcfg.Value) (string, error) {
	name, err := keytabName(v.Text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", v.From, err)
	}
	return name, nil
}

// keytabOfEnvironment lets KRB5_KTNAME go before what an airflow.cfg says, as
// Airflow 2 did (kerberos_auth.py's init_app), and after the bridge's own file.
func (l *loader) keytabOfEnvironment() {
	const path, name = "legacy.kerberos.keytab", "KRB5_KTNAME"
	if _, given := l.origins[path]; given {
		return
	}
	for _, pair := range l.source.Environ {
		value, found := strings.CutPrefix(pair, name+"=")
		if !found || value == "" {
			continue
		}
		l.origins[path] = origin{file: name}
		file, err := keytabName(value)
		if err == nil {
			file, err = filepath.Abs(file)
		}
		if err != nil {
			l.fault(path, err.Error())
			return
		}
		l.config.Legacy.Kerberos.Keytab = file
	}
}

// google makes an issuer of the audience that Airflow 2 asked of Google's tokens;
// none of an empty one, with which it refused them all.
func google(v airflowcfg.Value) (string, error) {
	audience := strings.TrimSpace(v.Text)
	if strings.ContainsAny(audience, ", ") {
		return "", fmt.Errorf("%s: an audience has neither commas nor spaces", v.From)
	}
	if audience == "" {
		return "", nil
	}
	return Google + " " + audience, nil
}

func seconds(v airflowcfg.Value) (string, error) {
	n, err := v.Int()
	if err != nil {
		return "", err
	}
	const most = 100 * 365 * 24 * 3600
	if n < 0 || n > most {
		return "", fmt.Errorf("%s: not a number of seconds", v.From)
	}
	return (time.Duration(n) * time.Second).String(), nil
}

// fromAirflow fills what nobody gave from the airflow.cfg that are named.
func (l *loader) fromAirflow() {
	l.keytabOfEnvironment()
	if f := l.openAirflow("airflow3.config", l.config.Airflow3.ConfigFile, airflowcfg.Airflow3, false, airflow3Fillings()); f != nil {
		l.fill(f, l.config.Airflow3.ConfigFile, airflow3Fillings())
		l.warnOfAirflow3(f)
	}
	// The environment is that of the Airflow that the bridge runs beside.
	fileOnly := l.config.Airflow3.ConfigFile != ""
	if f := l.openAirflow("airflow2.config", l.config.Airflow2.ConfigFile, airflowcfg.Airflow2, fileOnly, airflow2Fillings()); f != nil {
		_, literal := l.origins["legacy.auth_backends"]
		l.fill(f, l.config.Airflow2.ConfigFile, airflow2Fillings())
		l.config.Legacy.FromAirflow = !literal
	}
}

// openAirflow is nil for a file that is not named or cannot be read. Then what
// it would have filled must not be called missing.
func (l *loader) openAirflow(path, name string, v airflowcfg.Version, fileOnly bool, fills []filling) *airflowcfg.File {
	if name == "" {
		return nil
	}
	content, err := l.read(name)
	var f *airflowcfg.File
	if err == nil {
		l.config.Files = append(l.config.Files, name)
		f, err = airflowcfg.Open(airflowcfg.Config{
			Version: v, File: name, Content: content, Environ: l.source.Environ, FileOnly: fileOnly, Run: l.source.Run,
		})
	}
	if err != nil {
		l.fault(path, err.Error())
		for _, fill := range fills {
			l.failed[fill.path] = true
		}
		return nil
	}
	return f
}

func (l *loader) fill(f *airflowcfg.File, name string, fills []filling) {
	for _, fill := range fills {
		if _, given := l.origins[fill.path]; given || l.failed[fill.path] || l.unused(fill.path) {
			continue
		}
		v, err := f.Get(fill.section, fill.key)
		if err == nil && (!v.Found || v.Default && (fill.set || v.Text == "")) {
			continue
		}
		text := v.Text
		if err == nil && fill.convert != nil {
			if text, err = fill.convert(v); err == nil && text == "" {
				continue
			}
		}
		if err != nil && l.optional(fill.path) {
			continue
		}
		l.origins[fill.path] = origin{file: cmp.Or(v.From, name)}
		if err == nil {
			err = l.store(l.schema.keys[fill.path], raw{text: text, env: true})
		}
		if err != nil {
			l.fault(fill.path, strings.TrimPrefix(err.Error(), v.From+": "))
		}
	}
}

// unused tells of what this configuration does not need, so that a database
// whose password is out of reach hinders nobody who does not ask it.
func (l *loader) unused(path string) bool {
	switch path {
	case "airflow3.users.dsn", "airflow3.users.schema", "legacy.users.dsn", "legacy.users.schema":
		return l.config.Airflow3.Users.Via == Upstream
	case "airflow3.simple_users":
		return l.config.Airflow3.AuthManager != Simple
	}
	return false
}

// warnOfAirflow3 tells of settings under which the bridge cannot do its work.
func (l *loader) warnOfAirflow3(f *airflowcfg.File) {
	for _, key := range []string{"jwt_private_key_path", "trusted_jwks_url"} {
		if v, err := f.Get("api_auth", key); err == nil && v.Text != "" {
			l.fault("airflow3.config", v.From+": signing with a private key is not built in yet: let Airflow 3 use [api_auth] jwt_secret")
		}
	}
	v, err := f.Get("core", "simple_auth_manager_all_admins")
	if err != nil || !v.Found {
		return
	}
	if all, err := v.Bool(); err == nil && all && l.config.Airflow3.AuthManager == Simple {
		l.config.warn("%s is %s: Airflow 3 takes everybody who reaches it for an admin", v.From, strconv.Quote(v.Text))
	}
}

// Airflow's dotted names of the auth managers, Airflow 2's of FAB included: an
// airflow.cfg that was written before the upgrade has that.
func managerName(name string) string {
	switch name {
	case "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager", "airflow.auth.managers.fab.fab_auth_manager.FabAuthManager":
		return FAB
	case "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager":
		return Simple
	}
	return name
}
