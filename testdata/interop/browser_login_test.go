package interop

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// elsewhere is a page that has a browser post a login to the bridge.
const elsewhere = `<!doctype html><form action="%s/login/" method="post">
<input name="username" value="viewer"><input name="password" value="viewer"><input name="csrf_token" value="x"><button>Win a prize</button></form>`

// TestBrowserLogin: a person logs in at the bridge's own page, mistypes the password first, reads the Dag list as JSON
// and logs out. Airflow 3's own login page, where the way leads after it, sets a cookie named session meanwhile.
func TestBrowserLogin(t *testing.T) {
	listen, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	bridge, err := StartBridge(t.Context(), world.binary, world.dir, "login-browser", listen, fmt.Sprintf(
		`airflow3: {url: %q, config: %q, auth_manager: fab}
airflow2: {config: %q, version: %s}
legacy: {auth_backends: [session], session: {login: true, cookie_name: airflow2_session}}`,
		world.fab.URL, world.fab.Config, world.airflow2.Config, world.install2.Release))
	if bridge != nil {
		t.Cleanup(bridge.Stop)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, bridge.URL)

	b.open("/api/v2/dags")
	b.sees("Not authenticated")
	b.open("/login/")
	b.logIn("viewer", "wrong")
	b.sees("Invalid login. Please try again.")
	b.until("the message is announced", `document.querySelector("[role=alert]").innerText.includes("Invalid login")`)
	b.until("the page has its style", `getComputedStyle(document.querySelector("input[type=submit]")).cursor === "pointer"`)
	b.logIn("viewer", "viewer")
	b.until("Airflow 3 asks for its own login", `location.pathname.startsWith("/auth/login")`)
	b.settles()
	b.open("/api/v2/dags")
	b.sees(`"dag_id":"greetings"`)
	b.open("/login/")
	b.sees("Signed in as viewer")
	b.do("sign out", chromedp.Click(`input[value="Sign Out"]`))
	b.settles()
	b.open("/api/v2/dags")
	b.sees("Not authenticated")

	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, elsewhere, bridge.URL)
	}))
	t.Cleanup(other.Close)
	b.do("open another site", chromedp.Navigate(strings.Replace(other.URL, "127.0.0.1", "localhost", 1)))
	b.clicks("button", "Win a prize")
	b.sees("asked by a page of another site, and refused")
}
