package apiv1

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge/record"
)

// fabOf answers for an Airflow 3 by path, and notes what it was asked.
type fabOf struct {
	t     *testing.T
	says  map[string]string
	asked []string
}

func (f *fabOf) RoundTrip(r *http.Request) (*http.Response, error) {
	f.asked = append(f.asked, r.Method+" "+r.URL.Path)
	if r.URL.Path == "/auth/openapi.json" && r.Header.Get("Authorization") != "" {
		f.t.Error("a token was shown where none is needed")
	}
	text, ok := f.says[r.URL.Path]
	if !ok {
		text = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
	} else {
		text = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + text
	}
	return http.ReadResponse(bufio.NewReader(bytes.NewReader([]byte(text))), r)
}

// TestManaged: users, roles and permissions are FAB's, and FAB's that take a token.
func TestManaged(t *testing.T) {
	const (
		ann = `{"username": "ann", "email": "ann@example.com", "first_name": "Ann", "last_name": "Bee"}`
		// What FAB 2.4.1 in Airflow 3.0.6, and 3.1.0, say that they have.
		fab2  = `{"paths": {"/token": {"post": {}}, "/token/cli": {"post": {}}}}`
		fab31 = `{"paths": {"/token": {"post": {}}, "/fab/v1/roles": {"get": {}, "post": {}}, "/fab/v1/roles/{name}": {"get": {}}}}`
		fab39 = `{"paths": {"/fab/v1/users/{username}": {"get": {}, "patch": {}, "delete": {}}}}`
	)
	for _, test := range []struct {
		name, manager, describes string
		path                     string
		status                   int
		says                     string
		asked                    string
	}{
		{"another manager", "simple", "", "/api/v1/users/ann", 400, "only available with the auth manager fab", ""},
		{"another manager, and a role", "simple", "", "/api/v1/roles", 400, "only available with the auth manager fab", ""},
		{"what every manager has", "simple", "", "/api/v1/variables/none", 404, "Variable not found", "GET /api/v2/variables/none"},
		{"an old FAB", fab, fab2, "/api/v1/users/ann", 501, "get_user", "GET /auth/openapi.json"},
		{"a FAB between", fab, fab31, "/api/v1/users/ann", 501, "get_user", "GET /auth/openapi.json"},
		{"a FAB between, and a role", fab, fab31, "/api/v1/roles/none", 404, "Role not found", "GET /auth/openapi.json GET /auth/fab/v1/roles/none"},
		{"a new FAB", fab, fab39, "/api/v1/users/ann", 200, "ann@example.com", "GET /auth/openapi.json GET /auth/fab/v1/users/ann"},
		{"a FAB that does not say", fab, "", "/api/v1/users/ann", 200, "ann@example.com", "GET /auth/openapi.json GET /auth/fab/v1/users/ann"},
	} {
		t.Run(test.name, func(t *testing.T) {
			upstream := &fabOf{t: t, says: map[string]string{"/auth/fab/v1/users/ann": ann}}
			if test.describes != "" {
				upstream.says["/auth/openapi.json"] = test.describes
			}
			h := newHandler(t, upstream)
			h.manager, h.fab.asked = test.manager, time.Time{}
			status, body := answerOf(h, test.path)
			if status != test.status || !strings.Contains(body, test.says) {
				t.Errorf("%d %s, want %d with %q", status, body, test.status, test.says)
			}
			if got := strings.Join(upstream.asked, " "); got != test.asked {
				t.Errorf("asked %q, want %q", got, test.asked)
			}
		})
	}
}

// TestManagedAgain: what FAB has is asked once a minute.
func TestManagedAgain(t *testing.T) {
	upstream := &fabOf{t: t, says: map[string]string{"/auth/openapi.json": `{"paths": {}}`}}
	h := newHandler(t, upstream)
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	h.now, h.fab.asked = func() time.Time { return at }, time.Time{}
	for range 3 {
		if status, _ := answerOf(h, "/api/v1/users"); status != http.StatusNotImplemented {
			t.Errorf("%d, want 501", status)
		}
	}
	at = at.Add(recheck)
	upstream.says["/auth/openapi.json"] = `{"paths": {"/fab/v1/users": {"get": {}}}}`
	upstream.says["/auth/fab/v1/users"] = `{"users": [], "total_entries": 0}`
	if status, body := answerOf(h, "/api/v1/users"); status != http.StatusOK {
		t.Errorf("%d %s, want 200", status, body)
	}
	if got := len(upstream.asked); got != 3 {
		t.Errorf("asked %q, want the description twice and the users once", upstream.asked)
	}
}

func answerOf(h http.Handler, path string) (int, string) {
	out := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	h.ServeHTTP(out, r.WithContext(record.With(decided(r), &record.Record{})))
	return out.Code, out.Body.String()
}

// TestActionsBeyondBounds: more actions than anybody has are an answer that cannot be read.
func TestActionsBeyondBounds(t *testing.T) {
	var rows []string
	for i := range maxPage + 1 {
		rows = append(rows, fmt.Sprintf(`{"action":{"name":"a%d"},"resource":{"name":"r"}}`, i))
	}
	if out := get(t, says(`{"actions":[`+strings.Join(rows, ",")+`],"total_entries":9000000000000000000}`), "/api/v1/permissions"); out.Code != 502 {
		t.Errorf("%d", out.Code)
	}
}
