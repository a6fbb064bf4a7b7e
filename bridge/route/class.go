package route

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// rank orders the classes from the most open to the most closed.
func rank(c Class) int {
	switch c {
	case Public:
		return 0
	case Foreign:
		return 1
	case Bridge:
		return 2
	case Dual:
		return 3
	}
	return 4
}

const (
	v1 = "/api/v1"
	v2 = "/api/v2"
)

// classify gives the class of a path below the base path, and the length of
// the prefix that decided it.
func (x *prefixes) classify(method, p string) (Target, int) {
	if e := x.endpoint(method, p); e != "" {
		return Target{Class: Bridge, Endpoint: e, Path: p, Family: strings.TrimSuffix(p, "/")}, len(p)
	}
	for _, prefix := range x.modern {
		if within(p, prefix) {
			target, _ := x.fixed(p)
			target.Class = Modern
			return target, len(prefix)
		}
	}
	target, n := x.fixed(p)
	if target.V1 && len(x.modern) > 0 && x.reachesModern(method, p) {
		target.Class = Modern
	}
	return target, n
}

// reachesModern says whether a request on /api/v1 is one for a modern path.
func (x *prefixes) reachesModern(method, p string) bool {
	if x.reach == nil {
		return false
	}
	for _, upstream := range x.reach(method, p) {
		for _, prefix := range x.modern {
			if within(upstream, prefix) || strings.HasSuffix(upstream, "/") && strings.HasPrefix(prefix, upstream) {
				return true
			}
		}
	}
	return false
}

// endpoint names what the bridge answers itself. /auth/verify, /health and the
// login page are the bridge's in every method, so that it says 405 itself; of
// /auth/token the upstream keeps all but POST.
func (x *prefixes) endpoint(method, p string) Endpoint {
	switch p {
	case "/auth/token":
		if method == http.MethodPost {
			return Token
		}
	case "/auth/token/cli":
		if method == http.MethodPost {
			return TokenCLI
		}
	case "/auth/verify":
		return Verify
	case "/health":
		return Health
	case "/login/", "/login":
		if x.login {
			return Login
		}
	case "/logout/", "/logout":
		if x.login {
			return Logout
		}
	}
	return ""
}

// fixed is the part of the table that no configuration changes.
func (x *prefixes) fixed(p string) (Target, int) {
	t := Target{Class: Public, Path: p, Family: "page"}
	switch {
	case within(p, "/api/"):
		return x.api(p)
	case within(p, "/ui/"):
		t.Class, t.Family = Modern, "/ui"
		return t, len("/ui/")
	case within(p, "/auth/fab/"):
		t.Class, t.Family = Dual, "/auth/fab/v1"
		return t, len("/auth/fab/v1/")
	case within(p, "/auth/"):
		t.Family = "/auth"
		return t, len("/auth/")
	case within(p, "/execution/"):
		t.Class, t.Family = Foreign, "/execution"
		return t, len("/execution/")
	case within(p, "/edge_worker/"):
		t.Class, t.Family = Foreign, "/edge_worker"
		return t, len("/edge_worker/")
	case within(p, "/static/"):
		t.Family = "static"
	case p == "/docs", p == "/redoc", p == "/openapi.json":
		t.Family = "docs"
	}
	return t, len("/")
}

// api classifies what is below /api: dual, but for a few exact paths.
func (x *prefixes) api(p string) (Target, int) {
	t := Target{Class: Dual, Path: p, Family: "/api/other"}
	prefix := len("/api/")
	switch {
	case within(p, v1+"/"):
		t.V1, prefix = true, len(v1+"/")
		t.Family = x.family(p, prefix, "/api/v1/other")
	case within(p, v2+"/"):
		prefix = len(v2 + "/")
		t.Family = x.family(p, prefix, "/api/v2/other")
	}
	switch p {
	case "/api/v2/version", "/api/v2/monitor/health", "/api/v2/auth/login", "/api/v2/auth/logout",
		"/api/v1/health", "/api/v1/version", "/api/v1/openapi.json", "/api/v1/openapi.yaml":
		t.Class, prefix = Public, len(p)
	}
	return t, prefix
}

// within says whether p is the prefix, with or without its final slash, or
// lies below it.
func within(p, prefix string) bool {
	return strings.HasPrefix(p, prefix) || p == prefix[:len(prefix)-1]
}

// family names the resource that p asks for, if Airflow has one of that name.
func (x *prefixes) family(p string, prefix int, other string) string {
	if len(p) <= prefix {
		return other
	}
	end := strings.IndexByte(p[prefix:], '/')
	if end < 0 {
		end = len(p) - prefix
	}
	if name := p[:prefix+end]; x.families[name] {
		return name
	}
	return other
}

// Families lists every family that a [Target] can have, for whoever counts by it.
func Families() []string {
	return append(slices.Sorted(maps.Keys(apiFamilies())),
		"/api/v1/other", "/api/v2/other", "/api/other", "/auth", "/auth/fab/v1", "/auth/token", "/auth/token/cli", "/auth/verify",
		"/edge_worker", "/execution", "/health", "/login", "/logout", "/ui", "bad", "docs", "page", "static")
}

// apiFamilies lists the resources of Airflow's public APIs: 3.3's
// core_api/openapi/v2-rest-api-generated.yaml and 2.11's api_connexion/openapi/v1.yaml.
func apiFamilies() map[string]bool {
	families := map[string]bool{}
	for _, name := range []string{
		"config", "connections", "dagSources", "dagStats", "dagWarnings", "dags", "datasets", "eventLogs", "health",
		"importErrors", "parseDagFile", "permissions", "plugins", "pools", "providers", "roles", "users", "variables", "version",
	} {
		families[v1+"/"+name] = true
	}
	for _, name := range []string{
		"assets", "auth", "backfills", "config", "connections", "dagSources", "dagStats", "dagTags", "dagWarnings", "dags",
		"eventLogs", "importErrors", "jobs", "monitor", "parseDagFile", "plugins", "pools", "providers",
		"variables", "version",
	} {
		families[v2+"/"+name] = true
	}
	return families
}
