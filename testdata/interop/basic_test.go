package interop

import (
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A Dag list is what the first script of every Airflow user asks for.
const dagList = "/api/v2/dags?order_by=dag_id"

// pythonClient is the script of somebody who never heard of tokens.
const pythonClient = `
import requests, sys
url, user, password = sys.argv[1:]
r = requests.get(url, auth=(user, password))
print(r.status_code)
print(r.text, end="")
`

// TestClientsWithBasic: curl and Python's requests get the Dag list with a password, each user through each bridge,
// as Airflow itself gives it to that user's own token.
func TestClientsWithBasic(t *testing.T) {
	eachBridge(t, func(t *testing.T, f front) {
		for _, user := range Users {
			token := tokenOf(t, f.back.URL, user, user)
			direct := send(t, f.back.URL, request{Method: "GET", Target: dagList, Headers: []string{"Authorization: Bearer " + token}})
			want := fmt.Sprintf("%d\n%s", direct.Status, direct.Body)
			if !strings.Contains(want, `"dag_id":"greetings"`) || direct.Status != http.StatusOK {
				t.Fatalf("Airflow itself gives %s no Dags: %s", user, want)
			}
			password := f.password + user
			for client, cmd := range map[string]*exec.Cmd{
				"curl": exec.Command("curl", "--silent", "--show-error", "--write-out", "%{http_code}\n", "--output", "-",
					"--user", user+":"+password, f.url+dagList),
				"requests": exec.Command(world.install.Python(), "-c", pythonClient, f.url+dagList, user, password),
			} {
				out, err := cmd.CombinedOutput()
				got := string(out)
				if client == "curl" && len(got) > 4 { // curl tells the status behind the body
					got = got[len(got)-4:] + got[:len(got)-4]
				}
				if err != nil || got != want {
					t.Errorf("%s as %s: %v\n--- Airflow itself:\n%s\n--- through the bridge:\n%s", client, user, err, want, got)
				}
			}
		}
	})
}

// rights are requests that some roles may make and others not. None leaves anything behind that would change the
// next one's answer.
var rights = []request{
	{Method: "GET", Target: "/api/v2/dags/greetings/details"},
	{Method: "GET", Target: "/api/v2/connections"},
	{Method: "GET", Target: "/api/v2/variables"},
	{Method: "GET", Target: "/api/v2/pools"},
	{Method: "GET", Target: "/api/v2/config"},
	{Method: "GET", Target: "/api/v2/providers"},
	{Method: "GET", Target: "/api/v2/plugins"},
	{Method: "GET", Target: "/api/v2/importErrors"},
	{Method: "GET", Target: "/auth/fab/v1/users?order_by=id"},
	{Method: "GET", Target: "/auth/fab/v1/roles/Viewer"},
	{Method: "PATCH", Target: "/api/v2/dags/greetings", Body: `{"is_paused": false}`},
	{Method: "DELETE", Target: "/api/v2/variables/no-such-variable"},
	{Method: "DELETE", Target: "/api/v2/connections/no-such-connection"},
	{Method: "POST", Target: "/api/v2/variables", Body: `{"no": "variable"}`},
	{Method: "POST", Target: "/api/v2/dags/no-such-dag/dagRuns", Body: `{"logical_date": null}`},
}

// TestRights: what a role may and may not do is decided by Airflow, and answered as it answers that user directly.
func TestRights(t *testing.T) {
	eachBridge(t, func(t *testing.T, f front) {
		refused := map[string]int{}
		for _, user := range Users {
			token := tokenOf(t, f.back.URL, user, user)
			for _, r := range rights {
				content := "Content-Type: application/json"
				direct, bridged := r, r
				direct.Headers = []string{"Authorization: Bearer " + token, content}
				bridged.Headers = []string{basicAuth(user, f.password+user), content}
				want := send(t, f.back.URL, direct)
				same(t, user+": "+r.Method+" "+r.Target, want, send(t, f.url, bridged))
				if want.Status == http.StatusForbidden {
					refused[user]++
				}
			}
		}
		if refused["admin"] > 0 || refused["viewer"] <= refused["op"] {
			t.Errorf("the roles do not differ as they should: %v were refused", refused)
		}
	})
}

// TestNobodyBecomesSomebodyElse: the names have other ids in the old database (its row 2 is viewer, and op in
// Airflow 3), and who one is through the bridge is who one is in Airflow 3 by name.
func TestNobodyBecomesSomebodyElse(t *testing.T) {
	eachBridge(t, func(t *testing.T, f front) {
		for _, user := range Users {
			want := send(t, f.back.URL, request{Method: "GET", Target: "/ui/auth/me",
				Headers: []string{"Authorization: Bearer " + tokenOf(t, f.back.URL, user, user)}})
			token := tokenIn(t, send(t, f.url, request{Method: "POST", Target: "/auth/token",
				Headers: []string{basicAuth(user, f.password+user)}}))
			got := send(t, f.back.URL, request{Method: "GET", Target: "/ui/auth/me", Headers: []string{"Authorization: Bearer " + token}})
			same(t, user+": who am I", want, got)
		}
	})
}

// TestRefusedPasswords: nobody gets in with a wrong password, with the password of the other database, or with a good
// one for a name that Airflow 3 does not know.
func TestRefusedPasswords(t *testing.T) {
	eachBridge(t, func(t *testing.T, f front) {
		other := map[string]string{"": "old-", "old-": ""}[f.password]
		for _, c := range []struct{ user, password string }{
			{"admin", "wrong"},
			{"admin", ""},
			{"admin", other + "admin"},
			{"nobody", "nobody"},
			{"gone", other + "gone"},
			{"", ""},
		} {
			a := send(t, f.url, request{Method: "GET", Target: dagList, Headers: []string{basicAuth(c.user, c.password)}})
			if a.Status != http.StatusUnauthorized {
				t.Errorf("%s:%s: %s", c.user, c.password, short(a.text()))
			}
			if challenges := a.Header.Values("WWW-Authenticate"); !slices.ContainsFunc(challenges, isBasic) {
				t.Errorf("%s:%s was not asked for Basic: %q", c.user, c.password, challenges)
			}
		}
		if f.password == "" {
			return // who is only in the old database is nobody here
		}
		a := send(t, f.url, request{Method: "GET", Target: dagList, Headers: []string{basicAuth("gone", f.password+"gone")}})
		if a.Status != http.StatusForbidden || strings.Contains(a.Body, "dag_id") {
			t.Errorf("gone, who is not in Airflow 3: %s", short(a.text()))
		}
	})
}

func isBasic(challenge string) bool { return strings.HasPrefix(challenge, "Basic") }
