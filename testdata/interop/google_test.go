package interop

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/legacy/openid/openidtest"
)

// GoogleBackend is the backend that judges Google's ID tokens.
const GoogleBackend = "airflow.providers.google.common.auth_backend.google_openid"

// The people of this test, viewers all of them, of whom Airflow 3 knows all but the last one.
var googlers = []struct {
	name, email string
	active      bool
}{
	{"carol", "carol@corp.example", true},
	{"dave", "dave@corp.example", false},
	{"erin", "Erin@Corp.example", true},
	{"frank", "frank@elsewhere.example@corp.example", true},
	{"grace", "grace@corp.example", true},
}

// TestGoogle: the ID tokens that a real Airflow 2's google_openid takes are those that the bridge takes in front of
// Airflow 3, and who is refused by one is refused by the other, but for the deliberate differences.
func TestGoogle(t *testing.T) {
	issuer := openidtest.New(t) // only its keys are used: the tokens say that they are Google's
	google, err := StartGoogle(t.TempDir(), issuer.Certificates())
	if err != nil {
		t.Fatal(err)
	}
	defer google.Stop()
	airflow2 := googleAirflow2(t, google)
	addGooglers(t, airflow2.Database, len(googlers))
	addGooglers(t, world.fab.Database, len(googlers)-1)
	url := googleBridge(t, airflow2, issuer.Certificates())

	presentations, unused, in := googlePresentations(t, issuer), googleDifferences(), 0
	for _, p := range presentations {
		ask := func(base, target string) string {
			return verdictOf(send(t, base, request{Method: "GET", Target: target, Headers: []string{"Authorization: " + p.header}}))
		}
		direct, bridged := ask(airflow2.URL, "/api/v1/dags"), ask(url, "/api/v2/dags")
		if direct == "in" {
			in++
		}
		difference, known := unused[p.name]
		delete(unused, p.name)
		switch {
		case !known && direct != bridged:
			t.Errorf("%s: Airflow 2 says %s, the bridge says %s", p.name, direct, bridged)
		case known && (direct != difference.airflow2 || bridged != difference.bridge):
			t.Errorf("%s: Airflow 2 says %s and the bridge %s, which is not the difference that is listed (%s)", p.name, direct, bridged, difference.reason)
		case known && bridged == "in" && direct == "out":
			t.Errorf("%s: the bridge is kinder than Airflow 2", p.name)
		}
	}
	for name := range unused {
		t.Errorf("a difference is listed for %q, which nobody tried", name)
	}
	t.Logf("Airflow 2 lets in %d of %d", in, len(presentations))
	if in < 20 || len(presentations)-in < 40 {
		t.Errorf("Airflow 2 lets in %d of %d: the servers agree for another reason than the tokens", in, len(presentations))
	}
	if asked := google.Asked(); len(asked) != 1 || asked[GoogleKeys] < in {
		t.Errorf("Airflow 2 asked %v", asked)
	}
}

// googleAirflow2 starts one that judges Google's ID tokens, by keys of ours.
func googleAirflow2(t *testing.T, google *Google) *Airflow {
	t.Helper()
	provider, err := world.install2.Google()
	if err != nil {
		t.Fatal(err)
	}
	a, err := world.install2.NewAirflow2(t.Context(), filepath.Join(t.TempDir(), "airflow2"), Airflow2Config{Backends: GoogleBackend})
	if err != nil {
		t.Fatal(err)
	}
	// The section [api] is there already. The key file is a client's: a server that read it would find none.
	a.Env = append(google.Env, "PYTHONPATH="+provider, "AIRFLOW__API__GOOGLE_OAUTH2_AUDIENCE="+openidtest.Audience,
		"AIRFLOW__API__GOOGLE_KEY_PATH="+filepath.Join(a.Home, "nowhere.json"))
	t.Cleanup(a.Stop)
	if err := a.StartWeb(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func googleBridge(t *testing.T, airflow2 *Airflow, keys []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "certs.json")
	if err := os.WriteFile(file, keys, 0o600); err != nil {
		t.Fatal(err)
	}
	listen, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	b, err := StartBridge(t.Context(), world.binary, world.dir, "google", listen, fmt.Sprintf(
		`airflow3: {url: %q, config: %q, auth_manager: fab}
legacy:
  auth_backends: [google_openid]
  openid: {issuers: [{issuer: "https://accounts.google.com", audience: %s, key_file: %q}]}
  users: {dsn: "sqlite:///%s"}`,
		world.fab.URL, world.fab.Config, openidtest.Audience, file, airflow2.Database))
	if b != nil {
		t.Cleanup(b.Stop)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.URL
}

// addGooglers adds the first n people.
func addGooglers(t *testing.T, database string, n int) {
	t.Helper()
	const program = `
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as db:
    row = db.execute("INSERT INTO ab_user (first_name, last_name, username, active, email) VALUES ('F', 'L', ?, ?, ?)", (sys.argv[2], sys.argv[4] == "true", sys.argv[3]))
    db.execute("INSERT INTO ab_user_role (user_id, role_id) SELECT ?, id FROM ab_role WHERE name = 'Viewer'", (row.lastrowid,))
`
	for _, g := range googlers[:n] {
		if out, err := exec.CommandContext(t.Context(), world.install2.Python(), "-c", program, database, g.name, g.email, fmt.Sprint(g.active)).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// A presentation is an Authorization that clients may come with.
type presentation struct{ name, header string }

// googlePresentations are good tokens, bad ones and strange ones, and ways to show a good one.
func googlePresentations(t *testing.T, issuer *openidtest.Issuer) []presentation {
	m := tokenMaker{t: t, issuer: issuer, stranger: openidtest.New(t), now: time.Now().Unix()}
	var all []presentation
	for _, kind := range [][]presentation{m.good(), m.bad(), m.strange()} {
		for _, p := range kind {
			all = append(all, presentation{p.name, "Bearer " + p.header})
		}
	}
	good := issuer.Sign(nil, m.claims(nil))
	return append(all,
		presentation{"bearer in lower case", "bearer " + good},
		presentation{"two spaces", "Bearer  " + good},
		presentation{"a tab", "Bearer\t" + good},
		presentation{"a space behind the token", "Bearer " + good + " "},
		presentation{"a word behind the token", "Bearer " + good + " x"},
		presentation{"another scheme", "Token " + good},
		presentation{"no scheme", good},
		presentation{"the scheme alone", "Bearer"},
	)
}

// A tokenMaker makes variations of a good token. All times are so far away that a slow machine changes nothing.
type tokenMaker struct {
	t                *testing.T
	issuer, stranger *openidtest.Issuer
	now              int64
}

func (m tokenMaker) claims(changes map[string]any) []byte {
	all := map[string]any{"iss": "https://accounts.google.com", "email": "carol@corp.example", "iat": m.now - 5, "exp": m.now + 3600}
	maps.Copy(all, changes)
	text, err := json.Marshal(m.issuer.Claims(all))
	if err != nil {
		m.t.Fatal(err)
	}
	return text
}

// with is a token with one other claim, header one with another member of the header, behind one with more claims.
func (m tokenMaker) with(name string, value any) string {
	return m.issuer.Sign(nil, m.claims(map[string]any{name: value}))
}

func (m tokenMaker) header(name string, value any) string {
	return m.issuer.Sign(map[string]any{name: value}, m.claims(nil))
}

func (m tokenMaker) behind(more string) string {
	text := m.claims(nil)
	return m.issuer.Sign(nil, []byte(string(text[:len(text)-1])+","+more+"}"))
}

// mac is a token by HS256.
func (m tokenMaker) mac(secret []byte) string {
	input := segment(`{"alg":"HS256","kid":"key-1","typ":"JWT"}`) + "." + segment(string(m.claims(nil)))
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(input))
	return input + "." + segment(string(h.Sum(nil)))
}

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func (m tokenMaker) good() []presentation {
	var keys struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(m.stranger.Keys(), &keys); err != nil {
		m.t.Fatal(err)
	}
	raw := m.claims(nil)
	return []presentation{
		{"good", m.issuer.Sign(nil, raw)},
		{"the issuer without the scheme", m.with("iss", "accounts.google.com")},
		{"all that Google writes", m.issuer.Sign(nil, m.claims(map[string]any{"azp": "client.apps.googleusercontent.com", "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
			"hd": "corp.example", "name": "Carol C", "picture": "https://lh3.googleusercontent.com/a/x=s96-c", "given_name": "Carol", "family_name": "C", "nonce": "0394852"}))},
		{"a service account's", m.issuer.Sign(nil, m.claims(map[string]any{"azp": "113774264463038321964", "sub": "113774264463038321964"}))},
		{"another user", m.with("email", "viewer@example.com")},
		{"a user of another letter case", m.with("email", "Erin@Corp.example")},
		{"ES256", m.header("alg", "ES256")},
		{"no kid", m.header("kid", nil)},
		{"an empty kid", m.header("kid", "")},
		{"no typ", m.header("typ", nil)},
		{"another typ", m.header("typ", "at+jwt")},
		{"jku, x5u and jwk beside a good signature", m.issuer.Sign(map[string]any{"jku": "https://keys.example", "x5u": "https://keys.example", "jwk": keys.Keys[0]}, raw)},
		{"no sub", m.with("sub", nil)},
		{"exp with a fraction", m.with("exp", float64(m.now)+3600.5)},
		{"nbf in the past", m.with("nbf", m.now-60)},
		{"email_verified as text", m.with("email_verified", "true")},
		{"an escaped iss", m.issuer.Sign(nil, []byte(strings.Replace(string(raw), `"https://acc`, `"https:\/\/acc`, 1)))},
	}
}

func (m tokenMaker) bad() []presentation {
	public, err := x509.MarshalPKIXPublicKey(m.issuer.PublicKey())
	if err != nil {
		m.t.Fatal(err)
	}
	var published map[string]string
	if err := json.Unmarshal(m.issuer.Certificates(), &published); err != nil {
		m.t.Fatal(err)
	}
	raw := m.claims(nil)
	good := m.issuer.Sign(nil, raw)
	parts := strings.Split(good, ".")
	return []presentation{
		{"another audience", m.with("aud", "other.apps.googleusercontent.com")},
		{"no audience", m.with("aud", nil)},
		{"an empty audience", m.with("aud", "")},
		{"the audience in another letter case", m.with("aud", strings.ToUpper(openidtest.Audience))},
		{"an audience that begins like ours", m.with("aud", openidtest.Audience+".example")},
		{"the audience in a list", m.with("aud", []string{openidtest.Audience})},
		{"another issuer", m.with("iss", "https://idp.example")},
		{"the issuer with a slash behind", m.with("iss", "https://accounts.google.com/")},
		{"the issuer by http", m.with("iss", "http://accounts.google.com")},
		{"no issuer", m.with("iss", nil)},
		{"email_verified false", m.with("email_verified", false)},
		{"no email_verified", m.with("email_verified", nil)},
		{"email_verified empty", m.with("email_verified", "")},
		{"email_verified null", m.behind(`"email_verified":null`)},
		{"no email", m.with("email", nil)},
		{"an empty email", m.with("email", "")},
		{"the e-mail in another letter case", m.with("email", "Carol@corp.example")},
		{"the user's name for an e-mail", m.with("email", "carol")},
		{"a space behind the e-mail", m.with("email", "carol@corp.example ")},
		{"nobody's e-mail", m.with("email", "mallory@corp.example")},
		{"an inactive user", m.with("email", "dave@corp.example")},
		{"expired a second ago", m.with("exp", m.now-1)},
		{"expired long ago", m.with("exp", m.now-86400)},
		{"no exp", m.with("exp", nil)},
		{"no iat", m.with("iat", nil)},
		{"issued in the future", m.with("iat", m.now+600)},
		{"RS384", m.header("alg", "RS384")},
		{"RS512", m.header("alg", "RS512")},
		{"none", segment(`{"alg":"none","typ":"JWT"}`) + "." + segment(string(raw)) + "."},
		{"the public key as a secret", m.mac(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))},
		{"the certificate as a secret", m.mac([]byte(published["key-1"]))},
		{"an unknown kid", m.header("kid", "nobody")},
		{"the key's kid in upper case", m.header("kid", "KEY-1")},
		{"signed by a stranger under Google's kid", m.stranger.Sign(map[string]any{"kid": "key-1"}, raw)},
		{"signed by a stranger without a kid", m.stranger.Sign(map[string]any{"kid": nil}, raw)},
		{"other claims under the signature", parts[0] + "." + segment(string(m.claims(map[string]any{"email": "grace@corp.example"}))) + "." + parts[2]},
		{"half a signature", good[:len(good)-100]},
		{"no signature", parts[0] + "." + parts[1] + "."},
		{"two segments", parts[0] + "." + parts[1]},
		{"four segments", good + ".x"},
		{"claims that are no object", m.issuer.Sign(nil, []byte(`["https://accounts.google.com"]`))},
		{"claims that are no JSON", m.issuer.Sign(nil, []byte(`{"iss":"https://accounts.google.com"`))},
	}
}

func (m tokenMaker) strange() []presentation {
	raw := m.claims(nil)
	return []presentation{
		{"exp as text", m.with("exp", fmt.Sprint(m.now+3600))},
		{"iat null", m.behind(`"iat":null`)},
		{"ES256 under the kid of the RSA key", m.issuer.Sign(map[string]any{"alg": "ES256", "kid": "key-1"}, raw)},
		{"RS256 under the kid of the EC key", m.header("kid", "key-1-ec")},
		{"nbf in the future", m.with("nbf", m.now+3600)},
		{"crit", m.header("crit", []string{"exp"})},
		{"a logout token", m.header("typ", "logout+jwt")},
		{"email_verified is the text false", m.with("email_verified", "false")},
		{"email_verified is a number", m.with("email_verified", 1)},
		{"e-mail of two domains", m.with("email", "frank@elsewhere.example@corp.example")},
		{"a user of Airflow 2 alone", m.with("email", "grace@corp.example")},
		{"a claim twice, the last one good", m.issuer.Sign(nil, []byte(`{"email":"mallory@corp.example",`+string(raw[1:])))},
		{"iss twice, the last one good", m.issuer.Sign(nil, []byte(`{"iss":"https://idp.example",`+string(raw[1:])))},
		{"a padded signature", m.issuer.Sign(nil, raw) + "=="},
		{"ten kilobytes", m.with("groups", strings.Repeat("x", 7500))},
	}
}
