package migration_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jetbridge/jetbridge/bridge/migration"
)

var (
	april    = time.Date(2025, 4, 22, 0, 0, 0, 0, time.UTC)
	november = time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC)
)

func TestAllows(t *testing.T) {
	tests := []struct {
		name          string
		config        migration.Config
		scheme        string
		allows, token bool
	}{
		{"dual", migration.Config{Mode: migration.Dual}, "basic", true, true},
		{"dual, one scheme may have tokens: it", migration.Config{Mode: migration.Dual, TokenSchemes: []string{"kerberos"}}, "kerberos", true, true},
		{"dual, one scheme may have tokens: another", migration.Config{Mode: migration.Dual, TokenSchemes: []string{"kerberos"}}, "basic", true, false},
		{"dual, none may have tokens", migration.Config{Mode: migration.Dual, TokenSchemes: []string{}}, "basic", true, false},
		{"jwt_only leaves the way to a token open", migration.Config{Mode: migration.JWTOnly}, "kerberos", false, true},
		{"jwt_only, one scheme may have tokens: another", migration.Config{Mode: migration.JWTOnly, TokenSchemes: []string{"kerberos"}}, "basic", false, false},
		{"no scheme", migration.Config{Mode: migration.Dual}, "", false, false},
		{"no scheme in a list with an empty one", migration.Config{Mode: migration.Dual, TokenSchemes: []string{""}}, "", false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := migration.New(test.config)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Allows(test.scheme); got != test.allows {
				t.Errorf("Allows = %v, want %v", got, test.allows)
			}
			if got := p.AllowsToken(test.scheme); got != test.token {
				t.Errorf("AllowsToken = %v, want %v", got, test.token)
			}
			if p.Mode() != test.config.Mode {
				t.Errorf("Mode = %q", p.Mode())
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	berlin := time.FixedZone("", 2*60*60)
	tests := []struct {
		name   string
		config migration.Config
		want   http.Header
	}{
		{"nothing to tell", migration.Config{}, http.Header{}},
		{"deprecated", migration.Config{DeprecatedSince: april}, http.Header{"Deprecation": {"@1745280000"}}},
		{
			"all", migration.Config{DeprecatedSince: april, Sunset: november, Link: "https://wiki.example.com/airflow?a=1&b=2#how"},
			http.Header{
				"Deprecation": {"@1745280000"},
				"Sunset":      {"Mon, 30 Nov 2026 23:59:59 GMT"},
				"Link":        {`<https://wiki.example.com/airflow?a=1&b=2#how>; rel="deprecation"; type="text/html"`},
			},
		},
		{
			"times of another zone", migration.Config{DeprecatedSince: april.In(berlin), Sunset: november.In(berlin)},
			http.Header{"Deprecation": {"@1745280000"}, "Sunset": {"Mon, 30 Nov 2026 23:59:59 GMT"}},
		},
		{"the same day", migration.Config{DeprecatedSince: april, Sunset: april}, http.Header{"Deprecation": {"@1745280000"}, "Sunset": {"Tue, 22 Apr 2025 00:00:00 GMT"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.config.Mode = migration.Dual
			p, err := migration.New(test.config)
			if err != nil {
				t.Fatal(err)
			}
			got := p.Headers()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			got.Set("Deprecation", "changed by the caller")
			if diff := cmp.Diff(test.want, p.Headers()); diff != "" {
				t.Error("a caller's change stays:", diff)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name   string
		config migration.Config
		says   string
	}{
		{"no mode", migration.Config{}, "none of dual, jwt_only"},
		{"an unknown mode", migration.Config{Mode: "jwt-only"}, "none of dual, jwt_only"},
		{"observe", migration.Config{Mode: migration.Observe}, "observe"},
		{"a sunset before the deprecation", migration.Config{Mode: migration.Dual, DeprecatedSince: november, Sunset: april}, "before"},
		{"a link to a file", migration.Config{Mode: migration.Dual, Link: "/how"}, "no http address"},
		{"a link that is a script", migration.Config{Mode: migration.Dual, Link: "javascript://x/%0aalert(1)"}, "no http address"},
		{"a link with a line end", migration.Config{Mode: migration.Dual, Link: "https://example.com/\r\nX: y"}, "no http address"},
		{"a link that would end its brackets", migration.Config{Mode: migration.Dual, Link: "https://example.com/?a=>;rel=x"}, "no http address"},
		{"a link beyond ASCII", migration.Config{Mode: migration.Dual, Link: "https://example.com/für-alle"}, "no http address"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := migration.New(test.config)
			if err == nil || p != nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("New = %v, %v, want an error with %q", p, err, test.says)
			}
		})
	}
}
