package interop

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A person is a user that oracle.py made in both Airflows, with a password in Airflow 2 alone.
type person struct{ Name, Email, Password string }

// oracle is a bridge whose old users are the real Airflow 2's, in front of Airflow 3 with FAB.
func oracle(t *testing.T) (url string, people []person) {
	t.Helper()
	out, err := exec.Command(world.install2.Python(), "oracle.py", world.airflow2.Database, world.fab.Database).Output()
	if err != nil {
		t.Fatalf("oracle.py: %v %s", err, errorText(err))
	}
	if err := json.Unmarshal(out, &people); err != nil {
		t.Fatal(err)
	}
	return oracleBridge(t, "oracle"), people
}

func oracleBridge(t *testing.T, name string) string {
	t.Helper()
	listen, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	b, err := StartBridge(t.Context(), world.binary, world.dir, name, listen, fmt.Sprintf(
		`airflow3: {url: %q, config: %q, auth_manager: fab}
airflow2: {version: %s}
legacy: {auth_backends: [basic_auth], users: {dsn: "sqlite:///%s"}, lockout: {failures: 0, address_failures: 0}}`,
		world.fab.URL, world.fab.Config, world.install2.Release, world.airflow2.Database))
	if b != nil {
		t.Cleanup(b.Stop)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.URL
}

func errorText(err error) string {
	if e, ok := err.(*exec.ExitError); ok {
		return string(e.Stderr)
	}
	return ""
}

// verdictOf is what two servers can have in common about a credential.
func verdictOf(a answer) string {
	switch a.Status {
	case http.StatusOK:
		return "in"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "out"
	}
	return fmt.Sprint(a.Status)
}

// TestOracle: the same user and password get from Airflow 3 through the bridge what they got from Airflow 2 itself.
func TestOracle(t *testing.T) {
	url, people := oracle(t)
	unused, in := oracleDifferences(), map[string]bool{}
	for _, p := range people {
		for _, try := range []struct{ how, user, password string }{
			{"right", p.Name, p.Password},
			{"wrong", p.Name, p.Password + "x"},
			{"cut", p.Name, p.Password[:len(p.Password)-1]},
			{"upper case name", strings.ToUpper(p.Name), p.Password},
			{"by e-mail", p.Email, p.Password},
			{"by e-mail in upper case", strings.ToUpper(p.Email), p.Password},
			{"with a space behind the name", p.Name + " ", p.Password},
		} {
			ask := func(base, target string) string {
				return verdictOf(send(t, base, request{Method: "GET", Target: target, Headers: []string{basicAuth(try.user, try.password)}}))
			}
			direct, bridged := ask(world.airflow2.URL, "/api/v1/dags"), ask(url, "/api/v2/dags")
			name := p.Name + ", " + try.how
			if direct == "in" {
				in[p.Name] = true
			}
			difference, known := unused[name]
			delete(unused, name)
			switch {
			case !known && direct != bridged:
				t.Errorf("%s: Airflow 2 says %s, the bridge says %s", name, direct, bridged)
			case known && (direct != difference.airflow2 || bridged != difference.bridge):
				t.Errorf("%s: Airflow 2 says %s and the bridge %s, which is not the difference that is listed (%s)", name, direct, bridged, difference.reason)
			}
		}
	}
	for name := range unused {
		t.Errorf("a difference is listed for %q, which nobody tried", name)
	}
	// The rest are those whom Airflow 2 lets in by no way.
	if len(in) != len(people)-8 {
		t.Errorf("Airflow 2 lets %d of %d people in: %v", len(in), len(people), in)
	}
}

// TestMalformedBasic: headers that are not quite Basic get the same verdict from both.
func TestMalformedBasic(t *testing.T) {
	url := oracleBridge(t, "malformed")
	pair := base64.StdEncoding.EncodeToString([]byte("viewer:viewer")) // dmlld2VyOnZpZXdlcg==
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, value := range []string{
		"Basic " + pair, "basic " + pair, "BASIC " + pair, "bAsIc " + pair,
		"Basic  " + pair, "Basic   " + pair, "Basic\t" + pair, "Basic \t " + pair, " Basic " + pair, "\tBasic " + pair, "Basic " + pair + " ", "Basic " + pair + "\t",
		"Basic", "Basic ", "Basic\t", pair, "Basic" + pair, "Basic:" + pair, "Basic=" + pair, "Basic," + pair, "\"Basic\" " + pair,
		"Basic " + strings.TrimRight(pair, "="), "Basic " + strings.TrimSuffix(pair, "="), "Basic " + pair + "=", "Basic " + pair + "==", "Basic " + pair + "x",
		"Basic =" + pair, "Basic " + pair[:4] + " " + pair[4:], "Basic " + pair[:4] + "\t" + pair[4:], "Basic " + pair[:4] + "!" + pair[4:], "Basic " + pair[:5] + "\"" + pair[5:],
		"Basic " + pair + "!", "Basic " + pair + ",", "Basic " + pair + ", Basic " + pair, "Basic " + pair + " realm=x", "Basic realm=\"x\"",
		"Basic " + pair + pair, "Basic " + strings.ToUpper(pair), "Basic ###", "Basic ====", "Basic =", "Basic \u00e9", "Basic " + pair + "\u00e9",
		"Basic " + encode("viewer"), "Basic " + encode("viewer:"), "Basic " + encode(":viewer"), "Basic " + encode(":"), "Basic " + encode("::"),
		"Basic " + encode("viewer:viewer:"), "Basic " + encode(":viewer:viewer"), "Basic " + encode(" viewer:viewer"), "Basic " + encode("viewer :viewer"),
		"Basic " + encode("viewer:viewer\n"), "Basic " + encode("viewer:viewer\x00"), "Basic " + encode("viewer\x00:viewer"), "Basic " + encode("\ufeffviewer:viewer"),
		"Basic " + encode("viewer:\xe9"), "Basic " + encode("\xe9:viewer"), "Basic " + encode("viewer:\xff\xfe"), "Basic " + encode("viewer:\xed\xa0\x80"),
		"Basic " + encode("viewer:"+strings.Repeat("x", 4000)), "Basic " + encode(strings.Repeat("v", 4000)+":x"),
		"Basic " + strings.NewReplacer("+", "-", "/", "_").Replace(encode("viewer:viewer")), "Basic " + encode("viewer%3Aviewer"), "Basic viewer:viewer",
		"Digest username=\"viewer\"", "Negotiate " + pair, "Token " + pair, "",
	} {
		ask := func(base, target string) string {
			return verdictOf(send(t, base, request{Method: "GET", Target: target, Headers: []string{"Authorization: " + value}}))
		}
		direct, bridged := ask(world.airflow2.URL, "/api/v1/dags"), ask(url, "/api/v2/dags")
		if direct != bridged {
			t.Errorf("%.80q: Airflow 2 says %s, the bridge says %s", value, direct, bridged)
		}
	}
}

// TestRefusalsOnV1: a refusal on /api/v1 is Airflow 2's own to the byte: status, content type, what caches are told,
// body, and for a chain that ends in Basic the challenge.
func TestRefusalsOnV1(t *testing.T) {
	home := filepath.Join(world.dir, "airflow2-last-basic")
	other, err := world.install2.NewAirflow2(t.Context(), home, Airflow2Config{Backends: "airflow.api.auth.backend.session," + FabBasic})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Stop()
	if err := other.StartWeb(t.Context()); err != nil {
		t.Fatal(err)
	}
	url := oracleBridge(t, "refusals")
	for _, headers := range [][]string{
		nil,
		{basicAuth("viewer", "wrong")},
		{basicAuth("nobody", "nobody")},
		{"Authorization: Basic ###"},
		{"Authorization: Basic"},
		{"Authorization: Digest x"},
		{"Cookie: session=x.y.z"},
	} {
		for _, target := range []string{"/api/v1/dags", "/api/v1/dags/greetings/dagRuns?limit=1", "/api/v1/pools"} {
			r := request{Method: "GET", Target: target, Headers: headers}
			last, appended, bridged := send(t, other.URL, r), send(t, world.airflow2.URL, r), send(t, url, r)
			what := fmt.Sprintf("%s with %q", target, headers)
			if refusalText(last) != refusalText(bridged) {
				t.Errorf("%s\n--- Airflow 2:\n%s\n--- the bridge:\n%s", what, refusalText(last), refusalText(bridged))
			}
			// Airflow sends the last backend's challenge alone, which session has none of; the bridge sends one for
			// each that counts.
			if appended.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("%s: the chain that Airflow appended session to challenges: %q", what, appended.Header["Www-Authenticate"])
			}
			appended.Header.Set("WWW-Authenticate", "Basic")
			if refusalText(appended) != refusalText(bridged) {
				t.Errorf("%s, session appended\n--- Airflow 2:\n%s\n--- the bridge:\n%s", what, refusalText(appended), refusalText(bridged))
			}
		}
	}
}

// refusalText is a refusal as far as clients read it.
func refusalText(a answer) string {
	return fmt.Sprintf("%d\nContent-Type: %s\nCache-Control: %q\nWWW-Authenticate: %q\n\n%s", a.Status,
		a.Header.Get("Content-Type"), a.Header.Values("Cache-Control"), a.Header.Values("WWW-Authenticate"), a.Body)
}
