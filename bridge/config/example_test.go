package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var commented = regexp.MustCompile(`(?m)^( *)#(\S)`)

// TestExample loads jetbridge.example.yaml as it stands, and with every key
// uncommented, and holds it against the keys that there are.
func TestExample(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "jetbridge.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"/etc/jetbridge/airflow3.cfg": "[core]\nauth_manager = airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager\n" +
			"[database]\nsql_alchemy_conn = postgresql+psycopg2://airflow@db/airflow3\n[api_auth]\njwt_secret = 0123456789abcdefghijklmnopqrstuvwxyz\n",
		"/etc/jetbridge/airflow2.cfg": "",
	}
	if _, err := load(files, string(content)); err != nil {
		t.Errorf("as it stands:\n%v", err)
	}

	whole := commented.ReplaceAllString(string(content), "$1$2")
	// Some keys go with the one auth manager, or with https, alone.
	text := strings.NewReplacer("auth_manager: fab", "auth_manager: simple", "url: http://127.0.0.1:", "url: https://127.0.0.1:").Replace(whole)
	if _, err := load(files, text); err != nil {
		t.Errorf("with every key:\n%v", err)
	}

	d := document{schema: newSchema(), values: map[string]raw{}, places: map[string]origin{}}
	d.read([]byte(whole))
	for _, k := range d.schema.sorted() {
		_, stands := d.values[k.path]
		if k.file {
			name := k.path[strings.LastIndexByte(k.path, '.')+1:]
			stands = strings.Contains(string(content), "Or "+name+".")
		}
		if !stands {
			t.Errorf("%s is not in the example", k.path)
		}
	}
}

// TestReadme loads each configuration that README.md shows.
func TestReadme(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	const secret = "0123456789abcdefghijklmnopqrstuvwxyz"
	files := map[string]string{
		"/opt/airflow/airflow.cfg": "[core]\nauth_manager = airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager\n" +
			"[database]\nsql_alchemy_conn = postgresql://airflow@db/airflow3\n[api]\nsecret_key = " + secret + "-of-3\n[api_auth]\njwt_secret = " + secret + "\n",
		"/opt/airflow2/airflow.cfg":   "[database]\nsql_alchemy_conn = postgresql://airflow@db/airflow2\n[webserver]\nsecret_key = " + secret + "-of-2\n",
		"/etc/jetbridge/airflow2.dsn": "postgresql://airflow@db/airflow2", "/etc/jetbridge/airflow2.key": secret + "-of-2", "/etc/jetbridge/jwt_secret": secret,
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(content), -1)
	if len(blocks) < 7 {
		t.Errorf("%d examples", len(blocks))
	}
	for _, block := range blocks {
		c, err := load(files, block[1])
		if err != nil {
			t.Errorf("%v\n%s", err, block[1])
		} else if c.Listen != "0.0.0.0:8080" {
			t.Errorf("it listens at %s alone\n%s", c.Listen, block[1])
		}
	}
}

// Where the example calls a value the default, it is.
func TestExampleShowsDefaults(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "jetbridge.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]bool{
		"tls.cert": true, "tls.key": true, "admin.listen": true, "trusted_proxies": true, "base_path": true, "legacy_base_path": true,
		"airflow3.url": true, "airflow3.config": true, "airflow3.ca_file": true, "airflow3.auth_manager": true,
		"airflow3.users.dsn": true, "airflow3.users.schema": true, "airflow3.users.recheck": true, "airflow3.simple_users": true, "airflow3.secret_key": true,
		"airflow3.cors.allow_headers": true, "airflow3.cors.allow_methods": true, "airflow3.cors.allow_origins": true,
		"airflow2.url": true, "airflow2.ca_file": true, "airflow2.config": true,
		"airflow2.cors.allow_headers": true, "airflow2.cors.allow_methods": true, "airflow2.cors.allow_origins": true,
		"legacy.auth_backends": true, "legacy.ignore_backends": true, "legacy.anonymous_user": true,
		"legacy.users.dsn": true, "legacy.users.schema": true, "legacy.roles": true,
		"legacy.openid.issuers": true, "legacy.session.secret_key": true, "legacy.kerberos.keytab": true, "legacy.kerberos.service": true, "legacy.kerberos.realms": true, "legacy.kerberos.auth_to_local": true,
		"modern.secret": true, "routes.modern": true, "tokenapi.password": true,
		"migration.deprecated_since": true, "migration.sunset": true, "migration.link": true,
	}
	l := loader{schema: newSchema(), path: "/etc/jetbridge/jetbridge.yaml"}
	d := document{schema: l.schema, values: map[string]raw{}, places: map[string]origin{}}
	d.read([]byte(commented.ReplaceAllString(string(content), "$1$2")))
	for path := range examples {
		delete(d.values, path)
	}
	l.values, l.config, l.origins = d.values, Default(), map[string]origin{}
	l.apply()
	want := Default()
	want.Store.DSN, want.Files = "sqlite:////etc/jetbridge/jetbridge.db", []string{l.path}
	if diff := cmp.Diff(reveal(want), reveal(l.config)); diff != "" {
		t.Errorf("the defaults (-) and the example (+) differ:\n%s", diff)
	}
}
