package interop

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// loginScript is what people wrote for Airflow 2: it logs in at the form and keeps the cookie.
const loginScript = `
import re, requests, sys
url, user, password = sys.argv[1:]
s = requests.Session()
page = s.get(url + "/login/")
token = re.search(r'name="csrf_token" type="hidden" value="([^"]+)"', page.text).group(1)
r = s.post(url + "/login/", data={"username": user, "password": password, "csrf_token": token}, allow_redirects=False)
print(r.status_code, r.headers["Location"], s.cookies["session"])
`

// logIn runs the script, and gives where it was sent and the cookie that it has.
func logIn(t *testing.T, url, user, password string) (location, cookie string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), world.install2.Python(), "-c", loginScript, url, user, password).CombinedOutput()
	var status int
	if _, scanErr := fmt.Sscan(string(out), &status, &location, &cookie); err != nil || scanErr != nil || status != http.StatusFound {
		t.Fatalf("%s at %s: %v\n%s", user, url, err, out)
	}
	return location, cookie
}

// refusedForms has a form refused in each way that Airflow has for it, the last by its rate limit.
const refusedForms = `
import re, requests, sys
url = sys.argv[1]
s = requests.Session()
token = re.search(r'name="csrf_token" type="hidden" value="([^"]+)"', s.get(url + "/login/").text).group(1)
def post(who, **form):
    r = who.post(url + "/login/", data=form, allow_redirects=False)
    said = re.findall(r"The CSRF [a-z ]+\.|5 per 40 second", r.text)
    return r.status_code, r.headers.get("Location", "").partition("?")[0], said
print(post(s, username="op", password="op"))
print(post(s, username="op", password="op", csrf_token="x"))
print(post(requests.Session(), username="op", password="op", csrf_token=token))
print(post(s, username="op", password="", csrf_token=token))
for n in range(12): # a window of the limit may end in between
    wrong = post(s, username="op", password="wrong", csrf_token=token)
    if n == 0:
        print(wrong)
    if wrong[0] == 429:
        break
print(wrong)
print("Invalid login. Please try again." in s.get(url + "/login/?failed").text)
`

// resetPassword has an administrator give a user another password on Airflow 2's own pages.
const resetPassword = `
import re, requests, sys
url, cookie, user_id, password = sys.argv[1:]
s = requests.Session()
s.cookies.set("session", cookie)
form = url + "/resetpassword/form?pk=" + user_id
token = re.search(r'name="csrf_token" type="hidden" value="([^"]+)"', s.get(form).text).group(1)
r = s.post(form, data={"password": password, "conf_password": password, "csrf_token": token}, allow_redirects=False)
print(r.status_code)
`

// loginBridge is a bridge with its login page on, in front of an Airflow 3.
func loginBridge(t *testing.T, name string, airflow2 *Airflow) *Bridge {
	t.Helper()
	listen, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	bridge, err := StartBridge(t.Context(), world.binary, world.dir, "login-"+name, listen, fmt.Sprintf(
		`airflow3: {url: %q, config: %q, auth_manager: fab}
airflow2: {config: %q, version: %s}
legacy: {auth_backends: [session], users: {recheck: 1s}, session: {login: true}}`,
		world.fab.URL, world.fab.Config, airflow2.Config, world.install2.Release))
	if bridge != nil {
		t.Cleanup(bridge.Stop)
	}
	if err != nil {
		t.Fatal(err)
	}
	return bridge
}

// sessionsIn is an Airflow 2 with a session backend.
func sessionsIn(t *testing.T, backend string) *Airflow {
	t.Helper()
	airflow2, err := world.install2.NewAirflow2(t.Context(), filepath.Join(world.dir, "sessions-"+backend), Airflow2Config{SessionBackend: backend})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(airflow2.Stop)
	if err := airflow2.StartWeb(t.Context()); err != nil {
		t.Fatal(err)
	}
	return airflow2
}

// TestLogin: who logs in at Airflow 2's form has a cookie that counts at Airflow 3 through the bridge; who logs in at
// the bridge's has one that counts at Airflow 2; and what ends the one ends the other.
func TestLogin(t *testing.T) {
	for _, backend := range []string{"database", "securecookie"} {
		t.Run(backend, func(t *testing.T) {
			airflow2 := sessionsIn(t, backend)
			bridge := loginBridge(t, backend, airflow2)
			ask := func(base, target, cookie string) answer {
				t.Helper()
				return send(t, base, request{Method: "GET", Target: target, Headers: []string{"Cookie: session=" + cookie}})
			}
			cookies := map[string][]string{} // of each user: from Airflow 2, from the bridge
			for _, user := range []string{"op", "viewer"} {
				direct := send(t, world.fab.URL, request{Method: "GET", Target: dagList, Headers: []string{"Authorization: Bearer " + tokenOf(t, world.fab.URL, user, user)}})
				for _, base := range []string{airflow2.URL, bridge.URL} {
					location, cookie := logIn(t, base, user, user)
					if base == bridge.URL && location != "/" {
						t.Errorf("the bridge sends %s to %q", user, location)
					}
					same(t, user+", logged in at "+base, direct, ask(bridge.URL, dagList, cookie))
					if a := ask(airflow2.URL, "/api/v1/dags", cookie); a.Status != http.StatusOK {
						t.Errorf("%s, logged in at %s, is nobody for Airflow 2: %s", user, base, short(a.text()))
					}
					if a := ask(airflow2.URL, "/users/userinfo/", cookie); !strings.Contains(a.Body, user+"@example.com") {
						t.Errorf("%s, logged in at %s, is somebody else on Airflow 2's pages: %s", user, base, short(a.text()))
					}
					cookies[user] = append(cookies[user], cookie)
				}
			}

			exec2(t, airflow2, "UPDATE ab_user SET active = 0 WHERE username = 'op'")
			for _, cookie := range cookies["op"] {
				ends(t, "op is deactivated", bridge, cookie)
			}

			_, admin := logIn(t, airflow2.URL, "admin", "admin")
			out, err := exec.CommandContext(t.Context(), world.install2.Python(), "-c", resetPassword, airflow2.URL, admin, "3", "another").CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != "302" {
				t.Fatalf("reset the password: %v\n%s", err, out)
			}
			survives := ask(airflow2.URL, "/api/v1/dags", cookies["viewer"][0]).Status == http.StatusOK
			if survives != (backend == "securecookie") {
				t.Errorf("that the session survives a new password at Airflow 2 itself is %t", survives)
			}
			for _, cookie := range cookies["viewer"] {
				ends(t, "viewer has a new password", bridge, cookie)
			}
		})
	}
}

// ends waits until a session's cookie counts no more at the bridge.
func ends(t *testing.T, why string, bridge *Bridge, cookie string) {
	t.Helper()
	deadline := time.After(exchangeTime)
	for tick := time.Tick(pollTime); ; {
		a := send(t, bridge.URL, request{Method: "GET", Target: dagList, Headers: []string{"Cookie: session=" + cookie}})
		if a.Status == http.StatusUnauthorized {
			return
		}
		select {
		case <-tick:
		case <-deadline:
			t.Errorf("%s, and the session goes on: %s", why, short(a.text()))
			return
		}
	}
}

// TestLoginRefusals: forms that do not count are answered by the bridge as by Airflow 2.
func TestLoginRefusals(t *testing.T) {
	bridge := loginBridge(t, "refusals", world.airflow2)
	var says []string
	for _, base := range []string{world.airflow2.URL, bridge.URL} {
		out, err := exec.CommandContext(t.Context(), world.install2.Python(), "-c", refusedForms, base).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", base, err, out)
		}
		says = append(says, string(out))
	}
	if says[0] != says[1] || !strings.Contains(says[0], "429") {
		t.Errorf("--- Airflow itself:\n%s\n--- the bridge:\n%s", says[0], says[1])
	}
}

// exec2 changes an Airflow 2's database.
func exec2(t *testing.T, a *Airflow, statement string) {
	t.Helper()
	const program = `
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as db:
    db.execute(sys.argv[2])
`
	if out, err := exec.CommandContext(t.Context(), world.install2.Python(), "-c", program, a.Database, statement).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
