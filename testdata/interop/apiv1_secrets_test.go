package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// stored runs airflow itself, which shows what is stored as it is; the last line counts.
func (a apiV1) stored(args ...string) string {
	a.t.Helper()
	back := a.front.back
	out, err := back.install.command(back.Home, back.Config, args...).Output()
	if err != nil {
		a.t.Fatalf("airflow %s: %v", args, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// connection gives the password and the extra of a connection, as they are stored.
func (a apiV1) connection(id string) (password, extra string) {
	a.t.Helper()
	var found []struct {
		Password string
		Extra    json.RawMessage `json:"extra_dejson"`
	}
	if err := json.Unmarshal([]byte(a.stored("connections", "get", id, "-o", "json")), &found); err != nil || len(found) != 1 {
		a.t.Fatalf("connection %s: %v %v", id, found, err)
	}
	return found[0].Password, string(found[0].Extra)
}

// TestAPIv1Secrets: what Airflow 3 does not show is not lost, nor are asterisks stored in its place, whatever a client
// changes or writes back. The state is what airflow itself reads from its database.
func TestAPIv1Secrets(t *testing.T) {
	a := newAPIv1(t)
	a.old("POST", "/connections", `{"connection_id": "db", "conn_type": "postgres", "password": "s3cret",
		"extra": "{\"api_key\": \"k3y\", \"sslmode\": \"require\"}"}`)
	a.leave("/connections/db")
	a.old("PATCH", "/connections/db", `{"description": "main"}`)
	a.old("PATCH", "/connections/db?update_mask=port", `{"port": 5432, "password": "no"}`)
	read := a.old("GET", "/connections/db", "")
	written, err := json.Marshal(read)
	if err != nil || strings.Contains(string(written), "k3y") {
		t.Fatal(string(written), err)
	}
	a.old("PATCH", "/connections/db", string(written))
	if password, extra := a.connection("db"); password != "s3cret" || extra != `{"api_key": "k3y", "sslmode": "require"}` {
		t.Errorf("the connection has the password %q and the extra %s", password, extra)
	}
	a.is("/connections/db", "description", "main")
	a.is("/connections/db", "port", "5432")

	a.old("POST", "/variables", `{"key": "api_password", "value": "s3cret"}`)
	a.leave("/variables/api_password")
	read = a.old("GET", "/variables/api_password", "")
	read["description"] = "kept"
	if written, err = json.Marshal(read); err != nil || strings.Contains(string(written), "s3cret") {
		t.Fatal(string(written), err)
	}
	a.old("PATCH", "/variables/api_password", string(written))
	a.old("POST", "/variables", string(written))
	if value := a.stored("variables", "get", "api_password"); value != "s3cret" {
		t.Errorf("the variable is %q", value)
	}
	a.is("/variables/api_password", "description", "kept")
	a.old("POST", "/variables", `{"key": "api_password", "value": "n3w"}`) // Airflow 3 would refuse a second one
	if value := a.stored("variables", "get", "api_password"); value != "n3w" {
		t.Errorf("the variable is %q", value)
	}
	a.is("/variables/api_password", "description", "<nil>")
}

// TestAPIv1Roles: a role keeps the permissions that are not sent. The FAB provider of Airflow 3.0 has an API that takes
// no token; then nothing is done, and that is said.
func TestAPIv1Roles(t *testing.T) {
	a := newAPIv1(t)
	role := func(action string) string {
		return `{"name": "Plumber", "actions": [{"action": {"name": "` + action + `"}, "resource": {"name": "Pools"}}]}`
	}
	if strings.HasPrefix(a.front.back.install.Release, "3.0.") {
		res, text := a.send("POST", "/roles", role("can_read"))
		if res.StatusCode != http.StatusNotImplemented || !strings.Contains(text, "post_role") {
			t.Errorf("%d %s, want 501 with the operation's name", res.StatusCode, text)
		}
		return
	}
	a.old("POST", "/roles", role("can_read"))
	a.leave("/roles/Plumber")
	a.old("PATCH", "/roles/Plumber", role("can_edit"))
	actions := fmt.Sprint(a.old("GET", "/roles/Plumber", "")["actions"])
	if !strings.Contains(actions, "can_read") || !strings.Contains(actions, "can_edit") {
		t.Errorf("the role has %s", actions)
	}
}

// send asks as old does, and wants nothing.
func (a apiV1) send(method, target, body string) (*http.Response, string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.front.url+"/api/v1"+target, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.SetBasicAuth("admin", a.front.password+"admin")
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res, string(text)
}
