package problem_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jetbridge/jetbridge/bridge/problem"
)

// answer is what a client sees of a Problem, the date aside.
func answer(t *testing.T, method string, d problem.Dialect, version string, p problem.Problem) (status int, h http.Header, body string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Before", "stays")
		problem.Write(w, r.Method, d, version, p)
	}))
	defer server.Close()
	r, err := http.NewRequest(method, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	got.Header.Del("Date")
	return got.StatusCode, got.Header, string(text)
}

// Bytes of a real Airflow 3.3.2.
func TestWriteV2(t *testing.T) {
	tests := []struct {
		name    string
		problem problem.Problem
		status  int
		body    string
	}{
		{"not authenticated", problem.NotAuthenticated, 401, `{"detail":"Not authenticated"}`},
		{"expired", problem.TokenExpired, 401, `{"detail":"Token Expired"}`},
		{"invalid", problem.InvalidToken, 403, `{"detail":"Invalid JWT token"}`},
		{"our own", problem.Problem{Status: 400, Detail: `Use <token> & "Bearer"`}, 400, `{"detail":"Use <token> & \"Bearer\""}`},
		{"none", problem.Problem{}, 500, `{"detail":"Internal Server Error"}`},
		{"a success", problem.Problem{Status: 200, Detail: "x"}, 500, `{"detail":"Internal Server Error"}`},
		{"no status at all", problem.Problem{Status: 999, Detail: "x"}, 500, `{"detail":"Internal Server Error"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, h, body := answer(t, "GET", problem.V2, "2.10.3", test.problem)
			if status != test.status || body != test.body {
				t.Errorf("%d %s, want %d %s", status, body, test.status, test.body)
			}
			want := http.Header{"Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(len(test.body))}, "X-Before": {"stays"}}
			if diff := cmp.Diff(want, h); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWriteNamesTheRequest(t *testing.T) {
	own := problem.Problem{Status: 401, Detail: "Refused.", RequestID: "r-1"}
	verbatim := problem.NotAuthenticated
	verbatim.RequestID = "r-1"
	for want, p := range map[string]problem.Problem{
		`{"detail":"Refused. (request id r-1)"}`: own,
		`{"detail":"Not authenticated"}`:         verbatim,
	} {
		_, h, body := answer(t, "GET", problem.V2, "", p)
		if body != want || h.Get("X-Request-Id") != "r-1" {
			t.Errorf("%s, header %q, want %s", body, h.Get("X-Request-Id"), want)
		}
	}
}

func TestWriteV1(t *testing.T) {
	const (
		docs  = "https://airflow.apache.org/docs/apache-airflow/2.10.3/stable-rest-api-ref.html#section/Errors/"
		stage = "http://apache-airflow-docs.s3-website.eu-central-1.amazonaws.com/docs/apache-airflow/stable/stable-rest-api-ref.html#section/Errors/"
	)
	tests := []struct {
		name    string
		version string
		problem problem.Problem
		detail  string // as JSON
		title   string
		kind    string
	}{
		{"401 has Airflow's bytes", "2.10.3", problem.NotAuthenticated, "null", "Unauthorized", docs + "Unauthenticated"},
		{"403 has Airflow's bytes", "2.10.3", problem.InvalidToken, "null", "Forbidden", docs + "PermissionDenied"},
		{"401 of our own says what to do", "2.10.3", problem.Problem{Status: 401, Detail: "x", RequestID: "r-1"}, `"x (request id r-1)"`, "Unauthorized", docs + "Unauthenticated"},
		{"400", "2.10.3", problem.Problem{Status: 400, Detail: "Send one.", RequestID: "r-1"}, `"Send one. (request id r-1)"`, "Bad Request", docs + "BadRequest"},
		{"404", "2.10.3", problem.Problem{Status: 404, Detail: "x"}, `"x"`, "Not Found", docs + "NotFound"},
		{"405", "2.10.3", problem.Problem{Status: 405, Detail: "x"}, `"x"`, "Method Not Allowed", docs + "MethodNotAllowed"},
		{"409", "2.10.3", problem.Problem{Status: 409, Detail: "x"}, `"x"`, "Conflict", docs + "AlreadyExists"},
		{"500", "2.10.3", problem.Problem{Status: 500, Detail: "x"}, `"x"`, "Internal Server Error", docs + "Unknown"},
		{"a status that Airflow 2 did not have", "2.10.3", problem.Problem{Status: 503, Detail: "x"}, `"x"`, "Service Unavailable", "about:blank"},
		{"a development version", "2.11.0.dev0", problem.NotAuthenticated, "null", "Unauthorized", stage + "Unauthenticated"},
		{"an alpha", "2.11.0a1", problem.NotAuthenticated, "null", "Unauthorized", stage + "Unauthenticated"},
		{"a beta", "2.11.0b2", problem.NotAuthenticated, "null", "Unauthorized", stage + "Unauthenticated"},
		{"a vendor's", "2.10.3+astro.1", problem.NotAuthenticated, "null", "Unauthorized", stage + "Unauthenticated"},
		{"a release candidate", "2.10.3rc1", problem.NotAuthenticated, "null", "Unauthorized", "https://airflow.apache.org/docs/apache-airflow/2.10.3rc1/stable-rest-api-ref.html#section/Errors/Unauthenticated"},
		{"no version", "", problem.NotAuthenticated, "null", "Unauthorized", "https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html#section/Errors/Unauthenticated"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := fmt.Sprintf("{\n  \"detail\": %s,\n  \"status\": %d,\n  \"title\": %q,\n  \"type\": %q\n}\n",
				test.detail, test.problem.Status, test.title, test.kind)
			status, h, body := answer(t, "GET", problem.V1, test.version, test.problem)
			if status != test.problem.Status || body != want {
				t.Errorf("%d\n%s\nwant %d\n%s", status, body, test.problem.Status, want)
			}
			wantHeader := http.Header{"Content-Type": {"application/problem+json"}, "Content-Length": {fmt.Sprint(len(want))},
				"Cache-Control": {"no-store"}, "X-Before": {"stays"}}
			if test.problem.RequestID != "" {
				wantHeader.Set("X-Request-Id", test.problem.RequestID)
			}
			if diff := cmp.Diff(wantHeader, h); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The lengths that a real Airflow 2.10.3 gave.
func TestV1Lengths(t *testing.T) {
	for p, want := range map[problem.Problem]int{problem.NotAuthenticated: 188, problem.InvalidToken: 186} {
		_, _, body := answer(t, "GET", problem.V1, "2.10.3", p)
		if len(body) != want {
			t.Errorf("status %d: %d bytes, want %d", p.Status, len(body), want)
		}
	}
}

func TestWriteHead(t *testing.T) {
	for _, d := range []problem.Dialect{problem.V2, problem.V1} {
		w := httptest.NewRecorder() // a server would drop the body for us
		problem.Write(w, http.MethodHead, d, "2.10.3", problem.NotAuthenticated)
		if w.Body.Len() != 0 || w.Code != 401 || w.Header().Get("Content-Length") == "0" {
			t.Errorf("dialect %d: %d, %d bytes, %v", d, w.Code, w.Body.Len(), w.Header())
		}
	}
}
