package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

// FabKerberos is the backend that judges tickets, by its name in Airflow 2.9 and later.
const FabKerberos = "airflow.providers.fab.auth_manager.api.auth.backend.kerberos_auth"

// TestKerberos: a client that got in at a real Airflow 2 with a ticket gets in at Airflow 3 through the bridge, on the
// same keytab and under the same name; and so does one in its default mode, REQUIRED, which never did.
func TestKerberos(t *testing.T) {
	clients, err := exec.CommandContext(t.Context(), "../kerberos/install.sh").Output()
	if err != nil {
		t.Fatalf("install.sh: %v %s", err, errorText(err))
	}
	host := pythonSays(t, "from airflow.utils.net import getfqdn; print(getfqdn())") // what Airflow 2 takes itself for
	kdcDir, keytab := filepath.Join(t.TempDir(), "kdc"), filepath.Join(t.TempDir(), "airflow.keytab")
	if err := os.Mkdir(kdcDir, 0o700); err != nil {
		t.Fatal(err)
	}
	kdc, err := kerberostest.StartKDC(kerberostest.KDCConfig{Dir: kdcDir, Commands: []string{
		"addprinc -pw alicepw alice", "addprinc -randkey airflow/" + host, "ktadd -k " + keytab + " airflow/" + host,
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer kdc.Stop()
	if err := kdc.Login("alice", "alice", "alicepw"); err != nil {
		t.Fatal(err)
	}
	for _, pair := range kdc.Env("alice") {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}

	airflow2 := kerberosAirflow2(t, keytab)
	for _, database := range []string{airflow2.Database, world.fab.Database} {
		addUser(t, database, "alice@"+kerberostest.Realm)
	}
	listen, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	bridge, err := StartBridge(t.Context(), world.binary, world.dir, "kerberos", listen, fmt.Sprintf(
		"airflow3: {url: %q, config: %q, auth_manager: fab}\nairflow2: {config: %q}\nlegacy: {ignore_backends: [session]}", world.fab.URL, world.fab.Config, airflow2.Config))
	if bridge != nil {
		t.Cleanup(bridge.Stop)
	}
	if err != nil {
		t.Fatal(err)
	}

	client := filepath.Join(strings.TrimSpace(string(clients)), "bin", "python")
	old := modes(t, client, airflow2.URL+"/api/v1/dags", host)
	now := modes(t, client, bridge.URL+"/api/v2/dags", host)
	t.Logf("Airflow 2: %+v", old)
	for i, mode := range now {
		if !mode.OK {
			t.Errorf("%s, through the bridge: %s", mode.Mode, mode.Saw)
		}
		switch {
		case mode.Mode == "REQUIRED" && (old[i].OK || !strings.Contains(old[i].Saw, "MutualAuthenticationError")):
			t.Errorf("REQUIRED, at Airflow 2, is not what we say of it: %s", old[i].Saw)
		case mode.Mode != "REQUIRED" && !old[i].OK:
			t.Errorf("%s, at Airflow 2: %s", mode.Mode, old[i].Saw)
		}
	}
}

type kerberosMode struct {
	Mode string
	OK   bool
	Saw  string
}

func modes(t *testing.T, python, url, host string) []kerberosMode {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), python, "kerberos.py", url, host).Output()
	var all []kerberosMode
	if err == nil {
		err = json.Unmarshal(out, &all)
	}
	if err != nil || len(all) != 3 {
		t.Fatalf("kerberos.py: %v %s %s", err, out, errorText(err))
	}
	return all
}

// kerberosAirflow2 starts one that judges tickets. The Python modules that its backend imports are Debian's, which it
// finds in the folder config of its home.
func kerberosAirflow2(t *testing.T, keytab string) *Airflow {
	t.Helper()
	a, err := world.install2.NewAirflow2(t.Context(), filepath.Join(t.TempDir(), "airflow2"), Airflow2Config{
		// In this order, for the last one's challenge is the one that Airflow 2 sends.
		Backends: "airflow.api.auth.backend.session," + FabKerberos,
		Extra:    "[kerberos]\nkeytab = " + keytab + "\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	modules, err := filepath.Glob("/usr/lib/python3/dist-packages/*kerberos*")
	if err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(a.Home, "config")
	if err := os.Mkdir(beside, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, module := range modules {
		if err := os.Symlink(module, filepath.Join(beside, filepath.Base(module))); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(a.Stop)
	if err := a.StartWeb(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// addUser adds a viewer without a password.
func addUser(t *testing.T, database, name string) {
	t.Helper()
	const program = `
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as db:
    row = db.execute("INSERT INTO ab_user (first_name, last_name, username, active, email) VALUES ('F', 'L', ?, 1, ?)", (sys.argv[2], sys.argv[2] + ".mail"))
    db.execute("INSERT INTO ab_user_role (user_id, role_id) SELECT ?, id FROM ab_role WHERE name = 'Viewer'", (row.lastrowid,))
`
	if out, err := exec.CommandContext(t.Context(), world.install2.Python(), "-c", program, database, name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func pythonSays(t *testing.T, program string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), world.install2.Python(), "-c", program)
	cmd.Env = append(withoutPrefix(os.Environ(), "AIRFLOW", "PYTHON"), "AIRFLOW_HOME="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v %s", err, errorText(err))
	}
	lines := strings.Fields(string(out))
	return lines[len(lines)-1]
}
