// Package demo is a small stand-in for Airflow 3, for machines that have none:
// a handful of Dags behind the same paths, the same answers and a check of
// tokens as strict as Airflow 3.3's own.
//
// [NewAirflow] makes it, [WriteDatabase] makes the user database that belongs
// to it, and [Screen] says what to try. It shares no code with the rest of the
// program, and reads tokens with the standard library alone: a stand-in that
// shared our code would share our mistakes. It is not for anything but showing
// and testing: its passwords are its users' names.
package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Config says which Airflow to stand in for.
type Config struct {
	// Secret signs tokens: [api_auth] jwt_secret. Required.
	Secret string
	// Audience is [api_auth] jwt_audience; empty for "apache-airflow".
	Audience string
	// Manager is "fab" or "simple"; empty for "fab".
	Manager string
	// Now is the clock; nil for time.Now.
	Now func() time.Time
}

// airflow is the stand-in. What it remembers is gone with it.
type airflow struct {
	Config
	mu      sync.Mutex
	dags    []*dag
	revoked map[string]time.Time // jti, and when the token ends by itself
}

// NewAirflow makes the stand-in. Its handler is safe for concurrent use.
func NewAirflow(cfg Config) (http.Handler, error) {
	if cfg.Secret == "" {
		return nil, errors.New("demo: Secret is required")
	}
	switch cfg.Manager {
	case "":
		cfg.Manager = "fab"
	case "fab", "simple":
	default:
		return nil, fmt.Errorf("demo: auth manager %q is neither fab nor simple", cfg.Manager)
	}
	if cfg.Audience == "" {
		cfg.Audience = "apache-airflow"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &airflow{Config: cfg, dags: someDags(cfg.Now()), revoked: map[string]time.Time{}}, nil
}

func (a *airflow) fab() bool { return a.Manager == "fab" }

// A route is one of Airflow's, with "{}" for a segment.
type route struct {
	method, pattern string
	role            role // that it takes; nobody for a public one
	serve           func(a *airflow, c *call)
}

func routes() []route {
	return []route{
		{"GET", "/api/v2/version", nobody, (*airflow).version},
		{"GET", "/api/v2/monitor/health", nobody, (*airflow).health},
		{"GET", "/api/v2/auth/login", nobody, (*airflow).login},
		{"GET", "/api/v2/auth/logout", nobody, (*airflow).logout},
		{"GET", "/api/v2/dags", viewer, (*airflow).listDags},
		{"GET", "/api/v2/dags/{}", viewer, (*airflow).getDag},
		{"PATCH", "/api/v2/dags/{}", editor, (*airflow).pauseDag},
		{"GET", "/api/v2/dags/{}/dagRuns", viewer, (*airflow).listRuns},
		{"POST", "/api/v2/dags/{}/dagRuns", editor, (*airflow).trigger},
		{"GET", "/api/v2/dags/{}/dagRuns/{}", viewer, (*airflow).getRun},
		{"GET", "/api/v2/pools", viewer, (*airflow).pools},
		{"GET", "/api/v2/connections", operator, (*airflow).connections},
		{"GET", "/ui/config", anybody, (*airflow).uiConfig},
		{"GET", "/ui/auth/me", anybody, (*airflow).me},
	}
}

// A call is one request at its route.
type call struct {
	w    http.ResponseWriter
	r    *http.Request
	args []string // what stood for "{}"
	body body
	who  principal
}

func (a *airflow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept-Encoding")
	who, refusal := a.identify(w, r)
	path := r.URL.Path // decoded once, as uvicorn does
	for _, rt := range routes() {
		if args, ok := match(rt.pattern, path); ok && rt.method == r.Method {
			a.serve(rt, &call{w: w, r: r, args: args, who: who}, refusal)
			return
		}
	}
	if path == "/auth" || !strings.HasPrefix(path, "/auth/") {
		elsewhere(w, r.Method, path)
	} else {
		a.auth(w, r)
	}
}

// serve does what FastAPI does, in its order: the body must be JSON, then the
// caller somebody who may, then the body must make sense.
func (a *airflow) serve(rt route, c *call, refusal *answer) {
	if rt.method != http.MethodGet {
		var bad *answer
		if c.body, bad = readBody(c.w, c.r); bad != nil {
			bad.write(c.w)
			return
		}
	}
	if rt.role > nobody {
		if refusal == nil {
			refusal = c.who.may(rt.role)
		}
		if refusal != nil {
			refusal.write(c.w)
			return
		}
	}
	rt.serve(a, c)
}

// match compares segment by segment; an argument is never empty.
func match(pattern, path string) ([]string, bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	var args []string
	for i := range want {
		switch {
		case want[i] == "{}" && got[i] != "":
			args = append(args, got[i])
		case want[i] != got[i]:
			return nil, false
		}
	}
	return args, true
}

// elsewhere answers what is no route: Airflow catches every GET.
func elsewhere(w http.ResponseWriter, method, path string) {
	switch {
	case method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		detail(http.StatusMethodNotAllowed, "Method Not Allowed").write(w)
	case strings.HasPrefix(path, "/api/v1/"):
		answer{http.StatusNotFound, object{{"error", "/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead."}}}.write(w)
	case strings.HasPrefix(path, "/api/"):
		answer{http.StatusNotFound, object{{"error", "API route not found"}}}.write(w)
	case path == "/health":
		answer{http.StatusNotFound, object{{"error", "Moved in Airflow 3. Please change config to check `/api/v2/monitor/health`"}}}.write(w)
	case strings.HasPrefix(path, "/static/"):
		detail(http.StatusNotFound, "Not Found").write(w)
	default:
		page(w, http.StatusOK, "Airflow", "This is the demo's stand-in for Airflow 3. It has an API and no user interface.")
	}
}

func page(w http.ResponseWriter, status int, title, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!doctype html>\n<html lang=\"en\">\n<title>%s</title>\n<p>%s</p>\n</html>\n", title, text)
}

// An object is JSON whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	for i, m := range o {
		value, err := compact(m.value)
		if err != nil {
			return nil, err
		}
		b.WriteByte("{,"[min(i, 1)])
		fmt.Fprintf(&b, "%q:%s", m.name, value)
	}
	if len(o) == 0 {
		b.WriteByte('{')
	}
	return []byte(b.String() + "}"), nil
}

// compact writes JSON as Airflow does: no spaces, no escapes for HTML, no line feed.
func compact(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// An answer is a status and what is written as JSON; nil for a server error.
type answer struct {
	status int
	body   any
}

func detail(status int, text any) answer { return answer{status, object{{"detail", text}}} }

// crashed is Starlette's answer to an exception.
func crashed() answer { return answer{status: http.StatusInternalServerError} }

func (a answer) write(w http.ResponseWriter) {
	text, err := compact(a.body)
	if a.body == nil || err != nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte("Internal Server Error"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(text)) // whoever left does not read it
}

func (a *airflow) version(c *call) {
	answer{http.StatusOK, object{{"version", "3.3.2"}, {"git_version", nil}}}.write(c.w)
}

func (a *airflow) health(c *call) {
	beat := stamp(a.Now())
	part := func(name string) object {
		return object{{"status", "healthy"}, {"latest_" + name + "_heartbeat", beat}}
	}
	answer{http.StatusOK, object{
		{"metadatabase", object{{"status", "healthy"}}}, {"scheduler", part("scheduler")}, {"triggerer", part("triggerer")},
		{"dag_processor", part("dag_processor")},
	}}.write(c.w)
}

// login sends a browser to the manager's login page.
func (a *airflow) login(c *call) {
	next := c.r.URL.Query().Get("next")
	where := "/auth/login"
	if a.fab() {
		where += "/"
	}
	if next != "" {
		if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) {
			detail(http.StatusBadRequest, "Invalid or unsafe next URL").write(c.w)
			return
		}
		where += "?next=" + url.QueryEscape(next)
	}
	redirect(c.w, where)
}

// logout ends the tokens that came along, then sends a browser on.
func (a *airflow) logout(c *call) {
	a.revoke(c.r)
	if a.fab() {
		redirect(c.w, "/auth/logout")
		return
	}
	deleteCookie(c.w, tokenCookie)
	redirect(c.w, "/auth/login")
}

func redirect(w http.ResponseWriter, where string) {
	w.Header().Set("Location", where)
	w.WriteHeader(http.StatusTemporaryRedirect)
}
