package config

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// FuzzLoad: a configuration is whole and valid, or there are faults that say
// where and what, and none of them, nor the configuration when it is printed,
// tells a secret.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(minimalYAML), "", "")
	f.Add([]byte("listen: &a x\ntls: *a\n<<: {a: b}\n---\n"), "JETBRIDGE__LISTEN", "[core]\na = %(b)s\n")
	f.Add([]byte("legacy: {roles: {a: b, a: c}, users: {dsn_file: f}}\n? x\n"), "JETBRIDGE__LEGACY__ROLES", "a=b")
	for _, suffix := range []string{".good.yaml", ".bad.yaml"} {
		for _, file := range corpus(f, suffix) {
			f.Add(file.content, "AIRFLOW__API_AUTH__JWT_SECRET_CMD", "s")
		}
	}
	f.Fuzz(func(t *testing.T, content []byte, name, value string) {
		const secret = "what-nobody-may-write-anywhere, long enough for an HMAC with SHA-512"
		environ := []string{name + "=" + value, "JETBRIDGE__MODERN__SECRET=" + secret}
		c, err := Load(Source{
			Path: "/etc/jetbridge/jetbridge.yaml", Environ: environ,
			ReadFile: func(path string) ([]byte, error) {
				if path == "/etc/jetbridge/jetbridge.yaml" {
					return content, nil
				}
				return []byte(value), nil
			},
			Run: func(context.Context, []string) ([]byte, error) { return []byte(value), nil },
		})
		var faults Faults
		switch {
		case err != nil && (c != nil || !errors.As(err, &faults) || len(faults) == 0):
			t.Errorf("an error that is no fault: %v", err)
		case err == nil && len(Validate(*c)) > 0:
			t.Errorf("loaded, and does not pass: %v", Validate(*c))
		case err == nil && c.Whole() && (c.Modern.Secret == "" || c.Airflow3.URL == nil):
			t.Error("loaded without what is required")
		}
		for _, fault := range faults {
			if fault.What == "" || fault.File == "" || fault.Line < 0 {
				t.Errorf("a fault that says nothing: %+v", fault)
			}
		}
		// Whatever is wrong, no secret is told.
		if told := fmt.Sprintf("%v %+v", err, c); strings.Contains(told, secret) && !strings.Contains(string(content)+value, secret[:8]) {
			t.Errorf("a secret is told: %s", told)
		}
	})
}
