package interop

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// exchangeTime bounds one request and its answer.
const exchangeTime = 30 * time.Second

// A request is sent byte for byte: net/http would tidy up what is being tested.
type request struct {
	Method  string
	Target  string
	Headers []string // whole lines
	Body    string
}

// An answer is what matters of a response, as text that can be compared: what changes from one request to the next
// is masked.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// host is the Host of every request, so that absolute URLs in answers can be compared.
const host = "airflow.example:8080"

func send(t *testing.T, base string, r request) answer {
	t.Helper()
	where, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", where.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(exchangeTime))
	lines := append([]string{r.Method + " " + r.Target + " HTTP/1.1", "Host: " + host, "Connection: close"}, r.Headers...)
	if r.Body != "" || r.Method == http.MethodPost {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(r.Body)))
	}
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"+r.Body); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.Method})
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Target, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Target, err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// compared are the headers of an answer that a client may build on.
var compared = []string{
	"Allow", "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods",
	"Access-Control-Allow-Origin", "Access-Control-Max-Age", "Content-Type", "Location", "Retry-After", "Set-Cookie",
}

// masks hide what differs between two equal answers.
var masks = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`), "<token>"},
	{regexp.MustCompile(`session=[^;"]+`), "session=<id>"},
	{regexp.MustCompile(`(?i)expires=[^;]+`), "expires=<date>"},
	{regexp.MustCompile(`"[\w-]+\.[\w-]+\.[\w-]{20,}"`), `"<csrf token>"`},
	{regexp.MustCompile(`request id [0-9a-f]+`), "request id <id>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(Z|\+00:00)`), "<time>"},
}

// text is the answer for comparing and for reading.
func (a answer) text() string {
	lines := []string{fmt.Sprint(a.Status)}
	for _, name := range compared {
		values := slices.Clone(a.Header.Values(name))
		slices.Sort(values)
		for _, v := range values {
			lines = append(lines, name+": "+v)
		}
	}
	text := strings.Join(append(lines, "", a.Body), "\n")
	for _, m := range masks {
		text = m.what.ReplaceAllString(text, m.with)
	}
	return text
}

// same fails the test unless both answers read alike, and shows both.
func same(t *testing.T, what string, direct, bridged answer) {
	t.Helper()
	if direct.text() != bridged.text() {
		t.Errorf("%s\n--- Airflow itself:\n%s\n--- through the bridge:\n%s", what, short(direct.text()), short(bridged.text()))
	}
}

func short(s string) string {
	if len(s) > 1500 {
		s = s[:1500] + "…"
	}
	return s
}

func basicAuth(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// tokenOf gets a user's token from the token API at base, with the password in the body.
func tokenOf(t *testing.T, base, user, password string) string {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"username": user, "password": password})
	return tokenIn(t, send(t, base, request{"POST", "/auth/token", []string{"Content-Type: application/json"}, string(body)}))
}

func tokenIn(t *testing.T, a answer) string {
	t.Helper()
	var reply struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(a.Body), &reply); err != nil || a.Status != http.StatusCreated || reply.AccessToken == "" {
		t.Fatalf("no token: %d %s", a.Status, a.Body)
	}
	return reply.AccessToken
}

// claimsOf reads a token's claims, unverified.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a token: %q", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
