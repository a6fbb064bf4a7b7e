package route_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/bridge/route"
)

func table(t testing.TB, cfg route.Config) *route.Table {
	t.Helper()
	tab, err := route.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestClasses(t *testing.T) {
	tab := table(t, route.Config{Modern: []string{"/reports", "/api/v2/connections/"}})
	for _, c := range []struct {
		method, path string
		want         route.Class
		family       string
	}{
		{"GET", "/api/v2/version", route.Public, "/api/v2/version"},
		{"GET", "/api/v2/versionx", route.Dual, "/api/v2/other"},
		{"GET", "/api/v2/version/", route.Dual, "/api/v2/version"},
		{"GET", "/api/v2/Version", route.Dual, "/api/v2/other"},
		{"GET", "/api/v2/monitor/health", route.Public, "/api/v2/monitor"},
		{"GET", "/api/v2/monitor", route.Dual, "/api/v2/monitor"},
		{"GET", "/api/v2/monitor/health/x", route.Dual, "/api/v2/monitor"},
		{"GET", "/api/v2/auth/login", route.Public, "/api/v2/auth"},
		{"GET", "/api/v2/auth/logout", route.Public, "/api/v2/auth"},
		{"GET", "/api/v2/auth/other", route.Dual, "/api/v2/auth"},
		{"GET", "/api/v1/health", route.Public, "/api/v1/health"},
		{"GET", "/api/v1/version", route.Public, "/api/v1/version"},
		{"GET", "/api/v1/openapi.json", route.Public, "/api/v1/other"},
		{"GET", "/api/v1/openapi.yaml", route.Public, "/api/v1/other"},
		{"GET", "/api/v1/openapi.txt", route.Dual, "/api/v1/other"},
		{"POST", "/api/v1/dags/a/dagRuns", route.Dual, "/api/v1/dags"},
		{"GET", "/api/v1", route.Dual, "/api/v1/other"},
		{"GET", "/api/v1/", route.Dual, "/api/v1/other"},
		{"GET", "/api/v10/dags", route.Dual, "/api/other"},
		{"GET", "/api/v2/dags", route.Dual, "/api/v2/dags"},
		{"OPTIONS", "/api/v2/dags", route.Dual, "/api/v2/dags"},
		{"GET", "/api/v2/dags/a%2Fb", route.Dual, "/api/v2/dags"},
		{"GET", "/api/v2/dags/a%2fb", route.Dual, "/api/v2/dags"}, // C-13
		{"GET", "/api/v2/dags%2Fhello", route.Dual, "/api/v2/dags"},
		{"GET", "/api/v2/%64ags", route.Dual, "/api/v2/dags"},
		{"GET", "/%61pi/v2/dags", route.Dual, "/api/v2/dags"},
		{"GET", "/api/v2/variables/a.b..c/...", route.Dual, "/api/v2/variables"},
		{"GET", "/api/v2/dags/x/dagRuns/manual__2024-01-01T00:00:00+00:00", route.Dual, "/api/v2/dags"},
		{"GET", "/api/v2/dags;x=1", route.Dual, "/api/v2/other"},
		{"GET", "/api//v2/dags", route.Dual, "/api/other"},
		{"GET", "/api/V2/dags", route.Dual, "/api/other"},
		{"GET", "/api/v2/%2564ags", route.Dual, "/api/v2/other"},
		{"GET", "/api", route.Dual, "/api/other"},
		{"GET", "/api/", route.Dual, "/api/other"},
		{"GET", "/api/experimental/test", route.Dual, "/api/other"},
		{"GET", "/api/v2/connections", route.Modern, "/api/v2/connections"},
		{"GET", "/api/v2/connections/x", route.Modern, "/api/v2/connections"},
		{"GET", "/api/v2/connectionsx", route.Dual, "/api/v2/other"},
		{"GET", "/apix", route.Public, "page"},
		{"GET", "/ui", route.Modern, "/ui"},
		{"GET", "/ui/", route.Modern, "/ui"},
		{"GET", "/ui/config", route.Modern, "/ui"},
		{"GET", "/uix", route.Public, "page"},
		{"GET", "/reports", route.Modern, "page"},
		{"GET", "/reports/x", route.Modern, "page"},
		{"GET", "/reportsx", route.Public, "page"},
		{"GET", "/auth/fab/v1/users", route.Dual, "/auth/fab/v1"},
		{"GET", "/auth/fab", route.Dual, "/auth/fab/v1"},
		{"GET", "/auth/login/", route.Public, "/auth"},
		{"GET", "/auth/logout", route.Public, "/auth"},
		{"GET", "/auth", route.Public, "/auth"},
		{"GET", "/auth/token", route.Public, "/auth"},
		{"OPTIONS", "/auth/token", route.Public, "/auth"},
		{"POST", "/auth/token/", route.Public, "/auth"},
		{"GET", "/auth/token/login", route.Public, "/auth"},
		{"GET", "/execution/task-instances/x", route.Foreign, "/execution"},
		{"POST", "/edge_worker/v1/jobs", route.Foreign, "/edge_worker"},
		{"GET", "/executions", route.Public, "page"},
		{"GET", "/", route.Public, "page"},
		{"GET", "/dags/hello/runs/X", route.Public, "page"},
		{"GET", "/static/assets/index-D3f.js", route.Public, "static"},
		{"GET", "/static//x", route.Public, "static"},
		{"GET", "/docs", route.Public, "docs"},
		{"GET", "/openapi.json", route.Public, "docs"},
		{"GET", "/my-plugin/x%2Fy", route.Public, "page"},
		{"GET", "/.well-known/jwks.json", route.Public, "page"},
	} {
		got, err := tab.Match(c.method, c.path)
		if err != nil {
			t.Errorf("%s %s: %v", c.method, c.path, err)
			continue
		}
		if !slices.Contains(route.Families(), got.Family) {
			t.Errorf("%s %s: Families does not list %s", c.method, c.path, got.Family)
		}
		if got.Class != c.want || got.Family != c.family || got.Endpoint != "" {
			t.Errorf("%s %s: %s %s %q, want %s %s", c.method, c.path, got.Class, got.Family, got.Endpoint, c.want, c.family)
		}
		if want := strings.HasPrefix(c.path, "/api/v1/") || c.path == "/api/v1"; got.V1 != want {
			t.Errorf("%s: V1 %v", c.path, got.V1)
		}
	}
}

// C-17: health is a path of the bridge's own, whoever asks.
func TestEndpoints(t *testing.T) {
	tab := table(t, route.Config{BasePath: "/airflow/"})
	for _, c := range []struct {
		method, path string
		want         route.Endpoint
	}{
		{"POST", "/auth/token", route.Token},
		{"POST", "/airflow/auth/token", route.Token},
		{"POST", "/auth/token/cli", route.TokenCLI},
		{"GET", "/auth/token/cli", ""},
		{"GET", "/auth/verify", route.Verify},
		{"HEAD", "/auth/verify", route.Verify},
		{"DELETE", "/airflow/auth/verify", route.Verify},
		{"GET", "/health", route.Health},
		{"HEAD", "/airflow/health", route.Health},
		{"GET", "/healthz", ""},
		{"GET", "/auth/verify/", ""},
	} {
		got, err := tab.Match(c.method, c.path)
		if err != nil || got.Endpoint != c.want || (got.Class == route.Bridge) != (c.want != "") {
			t.Errorf("%s %s: %+v, %v, want %q", c.method, c.path, got, err, c.want)
		}
	}
}

// The login page is the bridge's where that is switched on, and a page of Airflow
// 3's elsewhere. Its almost-spellings are nobody's.
func TestLogin(t *testing.T) {
	on, off := table(t, route.Config{BasePath: "/airflow", LegacyBasePath: "/old", Login: true}), table(t, route.Config{BasePath: "/airflow"})
	for path, want := range map[string]route.Endpoint{
		"/login/": route.Login, "/login": route.Login, "/airflow/login/": route.Login, "/old/login/": route.Login, "/%6cogin/": route.Login,
		"/logout/": route.Logout, "/airflow/logout": route.Logout,
		"/login/google": "", "/login/x/": "", "/loginx": "", "/auth/login/": "",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
			got, err := on.Match(method, path)
			if err != nil || got.Endpoint != want || (got.Class == route.Bridge) != (want != "") || !slices.Contains(route.Families(), got.Family) {
				t.Errorf("%s %s: %+v, %v, want %q", method, path, got, err, want)
			}
			if got, err := off.Match(method, path); err != nil || got.Class != route.Public {
				t.Errorf("%s %s, switched off: %+v, %v", method, path, got, err)
			}
		}
	}
	for _, path := range []string{"/Login/", "//login/", "/login%2F", "/airflow//login", "/LOGOUT/"} {
		if got, err := on.Match("GET", path); !errors.Is(err, route.ErrBadPath) {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
}

func TestBadPaths(t *testing.T) {
	tab := table(t, route.Config{BasePath: "/airflow", Modern: []string{"/Reports"}})
	for _, p := range []string{
		"", "*", "api/v2/dags", "http://x/api/v2/dags",
		// C-12: dot segments in any encoding.
		"/public/../api/v2/dags", "/public/%2e%2e/api/v2/dags", "/public/.%2E/x", "/public/%2e%2e%2fapi", "/public/..%2Fapi", "/./x",
		"/x/.", "/x/..", "/..", "/.", "/x/%2e", "/x/..;/y", "/x/..%3b/y", "/x/.;a=1",
		"/public/%252e%252e/api", "/x/%252e%252e%252fapi", "/x/%252e./y", "/x/..%252fapi", "/x/..%255capi",
		"/api/v2/version%2F..%2Fdags", "/api/v2/monitor/health/../../dags",
		// C-12: backslashes; C-45: control characters.
		`/api\v2\dags`, "/api%5cv2", "/x/%5C..", "/x%00", "/x%0a", "/api/v2/dags%0A", "/x%0d%0aX: y", "/x%1b", "/x%7f", "/x\x00", "/x\n", "/x y", "/x\x7f",
		// C-16, C-18: what somebody cuts off.
		"/api/v2/version#", "/api/v2/dags#x", "/api/v2/version?x", "/static/x#/../../api",
		// Percent signs that encode nothing, and what is no UTF-8.
		"/%", "/x%2", "/%zz", "/x%", "/%c0%ae%c0%ae/", "/%c0%af", "/%ff", "/\xc3\xa9", "/x%ed%a0%80",
		// C-18: an encoded slash where the class is decided.
		"/api%2Fv2/dags", "/api%2fv2/dags", "/api/v2%2Fdags", "/api%2fv2%2fversion", "/api/v2%2fversion", "/api/v2/monitor%2fhealth",
		"/ui%2Fconfig", "/auth%2Ffab/v1/users", "/auth/fab%2fv1/users", "/auth%2ftoken", "/auth/token%2Fcli", "/auth%2flogin", "/execution%2fx",
		"/airflow%2Fapi/v2/dags", "/%2Fapi/v2/dags", "/Reports%2Fx",
		// Almost a closed path: Airflow shows its start page, others might not.
		"//api/v2/dags", "/API/v2/dags", "/Api/V2/Dags", "/UI/config", "//ui/config", "/Execution/x", "//auth/token", "/Auth/Token",
		"/auth//fab/v1/users", "/auth/FAB/v1/users", "/HEALTH", "/AIRFLOW/api/v2/dags", "//airflow/api/v2/dags", "/airflow//api/v2/dags",
		"/airflow/API/v2/dags", "/reports", "/REPORTS/x", "//Reports",
		"/" + strings.Repeat("x", 16<<10),
	} {
		if got, err := tab.Match("POST", p); !errors.Is(err, route.ErrBadPath) {
			t.Errorf("%.80q: %+v, %v", p, got, err)
		} else if got.Class != "" || got.Path != "" {
			t.Errorf("%.80q: a target beside the error: %+v", p, got)
		}
	}
	if got, err := tab.Match("GET", "/"+strings.Repeat("x", 16<<10-1)); err != nil {
		t.Errorf("the longest path: %+v, %v", got, err)
	}
}

// Airflow's server takes the base path off when it is there and matches the
// whole path when it is not, so that both forms reach the API.
func TestBasePaths(t *testing.T) {
	tab := table(t, route.Config{BasePath: "/air/flow/", LegacyBasePath: "/old", Modern: []string{"/reports"}})
	for _, c := range []struct{ path, want, class string }{
		{"/air/flow/api/v2/dags", "/api/v2/dags", "dual"},
		{"/air%2Dflow/api/v2/dags", "/air-flow/api/v2/dags", "public"},
		{"/api/v2/dags", "/api/v2/dags", "dual"},
		{"/air/flow", "/", "public"},
		{"/air/flow/", "/", "public"},
		{"/air/flowx/api/v2/dags", "/air/flowx/api/v2/dags", "public"},
		{"/air/flow/air/flow/api/v2/dags", "/air/flow/api/v2/dags", "public"},
		{"/air/flow/ui/config", "/ui/config", "modern"},
		{"/air/flow/reports/1", "/reports/1", "modern"},
		{"/reports/1", "/reports/1", "modern"},
		{"/old/api/v1/dags", "/api/v1/dags", "dual"},
		{"/air/flow/api/v2/version", "/api/v2/version", "public"},
		{"/air/flow/static/x", "/static/x", "public"},
	} {
		got, err := tab.Match("GET", c.path)
		if err != nil || got.Path != c.want || string(got.Class) != c.class {
			t.Errorf("%s: %+v, %v, want %s %s", c.path, got, err, c.class, c.want)
		}
	}

	// A base path that looks like the API opens nothing.
	odd := table(t, route.Config{BasePath: "/api"})
	for _, p := range []string{"/api/api/v2/dags", "/api/v2/dags", "/api/x"} {
		if got, err := odd.Match("GET", p); err != nil || got.Class != route.Dual {
			t.Errorf("under /api: %s: %+v, %v", p, got, err)
		}
	}
}

func TestBadPathKeepsTheDialect(t *testing.T) {
	tab := table(t, route.Config{LegacyBasePath: "/old"})
	for p, want := range map[string]bool{
		"/api/v1/dags/..": true, "/old/api/v1/dags/%00": true, "/api/v2/dags/..": false, "/API/v1/dags": true, "/api/v1%2Fdags": true,
	} {
		if got, err := tab.Match("GET", p); err == nil || got.V1 != want {
			t.Errorf("%s: V1 %v, %v", p, got.V1, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []route.Config{
		{BasePath: "airflow"}, {BasePath: "/a/../b"}, {LegacyBasePath: "/a b"}, {BasePath: "/a%2Fb"}, {BasePath: "//a"}, {BasePath: "/a?b"},
		{Modern: []string{"/"}}, {Modern: []string{""}}, {Modern: []string{"x"}}, {Modern: []string{"/x;y"}},
	} {
		if tab, err := route.New(cfg); err == nil || tab != nil {
			t.Errorf("%+v: accepted", cfg)
		}
	}
}

func TestConfigIsCopied(t *testing.T) {
	modern := []string{"/reports"}
	tab := table(t, route.Config{Modern: modern})
	modern[0] = "/other"
	if got, _ := tab.Match("GET", "/reports"); got.Class != route.Modern {
		t.Errorf("changed from outside: %+v", got)
	}
}

func TestFamiliesAreBounded(t *testing.T) {
	tab := table(t, route.Config{})
	seen := map[string]bool{}
	for i := range 2000 {
		for _, prefix := range []string{"/", "/api/", "/api/v1/", "/api/v2/", "/auth/", "/ui/", "/execution/"} {
			got, err := tab.Match("GET", prefix+strings.Repeat("y", 1+i%97)+string(rune('a'+i%26)))
			if err != nil {
				t.Fatal(err)
			}
			seen[got.Family] = true
		}
	}
	var names []string
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"/api/other", "/api/v1/other", "/api/v2/other", "/auth", "/execution", "/ui", "page"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkMatch(b *testing.B) {
	tab := table(b, route.Config{BasePath: "/airflow"})
	for _, p := range []string{
		"/api/v2/dags/example/dagRuns", "/airflow/api/v2/dags/example/dagRuns/manual__2024-01-01T00%3A00%3A00%2B00%3A00/taskInstances",
		"/ui/config", "/static/assets/index-D3fG.js",
	} {
		b.Run(p, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tab.Match("GET", p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
