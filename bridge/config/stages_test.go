package config

import (
	"strings"
	"testing"
)

// warned says whether one of the warnings has that text.
func warned(c *Config, text string) bool {
	return strings.Contains(strings.Join(c.Warnings, "\n"), text)
}

// TestOneAddress: where both Airflows have one address, observe leads to Airflow 3,
// and that is said in every mode, for a reload may change it.
func TestOneAddress(t *testing.T) {
	for _, c := range []struct{ old, mode, want string }{
		{"http://127.0.0.1:8081", "dual", "mode observe is no way back"},
		{"http://localhost:8081", "jwt_only", "mode observe is no way back"},
		{"http://127.0.0.1:8081", "observe", "right until Airflow is upgraded"},
		{"http://127.0.0.1:8082", "dual", ""},
		{"https://127.0.0.1:8081", "dual", ""},
		{"http://airflow2.example.com:8081", "observe", ""},
	} {
		got, err := load(nil, minimalYAML+"airflow2: {url: \""+c.old+"\"}\nmigration: {mode: "+c.mode+"}\n")
		switch {
		case err != nil:
			t.Errorf("%v: %v", c, err)
		case c.want == "" && len(got.Warnings) > 0, c.want != "" && !warned(got, c.want):
			t.Errorf("%v: %q", c, got.Warnings)
		}
	}
}

// TestLoginWhileObserving: the login page's demands hinder nobody before the day,
// and are told; on the day they stop the start.
func TestLoginWhileObserving(t *testing.T) {
	yaml := strings.Replace(minimalYAML, "legacy: {auth_backends: [basic_auth]}",
		"legacy: {auth_backends: [session], session: {secret_key: a key of Airflow 2's, login: true}}", 1) + "airflow2: {url: \"http://127.0.0.1:8082\"}\n"
	c, err := load(nil, yaml+"migration: {mode: observe}\n")
	if err != nil {
		t.Fatal(err)
	}
	if !warned(c, "mode dual would not start with this configuration: legacy.session.login: would write into Airflow 3's database") {
		t.Errorf("%q", c.Warnings)
	}
	if _, err := load(nil, yaml+"migration: {mode: dual}\n"); err == nil || !strings.Contains(err.Error(), "legacy.session.login: would write") {
		t.Errorf("in dual: %v", err)
	}
}

// TestVariablesOfAirflow2: beside Airflow 3's configuration the environment is not
// read for Airflow 2, and whoever counted on it is told, but never a value (C-45).
func TestVariablesOfAirflow2(t *testing.T) {
	files := map[string]string{
		"/etc/jetbridge/airflow3.cfg": "[database]\nsql_alchemy_conn = postgresql://db/airflow3\n[api_auth]\njwt_secret = 0123456789abcdefghijklmnopqrstuvwxyz\n[core]\nauth_manager = fab\n",
		"/etc/jetbridge/airflow2.cfg": "[core]\n",
	}
	const with3 = "airflow3: {url: \"http://127.0.0.1:8081\", config: airflow3.cfg}\n"
	environ := []string{"AIRFLOW__WEBSERVER__SECRET_KEY=the-key-of-airflow-2", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql://db/other"}
	const told = "AIRFLOW__WEBSERVER__SECRET_KEY is in the environment, and not read for Airflow 2"

	_, err := load(files, with3+"airflow2: {config: airflow2.cfg}\nlegacy: {auth_backends: [session], users: {dsn: \"postgresql://db/airflow2\"}}\n", environ...)
	if err == nil || !strings.Contains(err.Error(), told) || strings.Contains(err.Error(), "the-key-of-airflow-2") {
		t.Errorf("a key that is missing: %v", err)
	}
	c, err := load(files, with3+"airflow2: {config: airflow2.cfg}\nlegacy: {auth_backends: [basic_auth]}\n", environ...)
	if err != nil || !warned(c, told) || warned(c, "SQL_ALCHEMY_CONN") || warned(c, "the-key-of-airflow-2") {
		t.Errorf("a key that nobody needs: %+v, %v", c, err)
	}
	c, err = load(files, with3+"legacy: {auth_backends: [session], session: {secret_key: 0123456789abcdef}}\n", environ...)
	if err != nil || len(c.Warnings) > 0 {
		t.Errorf("a key that is given: %+v, %v", c, err)
	}
	// After an upgrade in place Airflow 3 reads the variable itself, and it is the key.
	c, err = load(files, with3+"legacy: {auth_backends: [session]}\n", environ...)
	if err != nil || len(c.Warnings) > 0 || c.Legacy.Session.SecretKeys[0].Reveal() != "the-key-of-airflow-2" {
		t.Errorf("in place: %+v, %v", c, err)
	}
	// Without Airflow 3's configuration the environment is Airflow 2's.
	c, err = load(files, strings.Replace(minimalYAML, "legacy: {auth_backends: [basic_auth]}", "legacy: {auth_backends: [session]}\nairflow2: {config: airflow2.cfg}", 1), environ...)
	if err != nil || len(c.Warnings) > 0 || c.Legacy.Session.SecretKeys[0].Reveal() != "the-key-of-airflow-2" {
		t.Errorf("Airflow 2's own environment: %+v, %v", c, err)
	}
}
