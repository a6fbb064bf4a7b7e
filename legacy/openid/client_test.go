package openid_test

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/openid"
	"github.com/jetbridge/jetbridge/legacy/openid/openidtest"
)

// TestAuthorities: an issuer whose certificate is a cluster's own is believed by
// the authorities of its file, and by no others.
func TestAuthorities(t *testing.T) {
	i := openidtest.New(t)
	server := httptest.NewTLSServer(i)
	defer server.Close()
	i.URL = server.URL
	file := filepath.Join(t.TempDir(), "ca.crt")
	write := func(text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	judge := func(change func(*openid.Config)) error {
		a, _ := newAuthenticator(t, i, change)
		_, err := a.Authenticate(t.Context(), credential(i.Token(nil)))
		return err
	}
	if err := judge(func(c *openid.Config) { c.Issuers[0].CAFile = file }); err != nil {
		t.Error(err)
	}
	if err := judge(func(*openid.Config) {}); !errors.Is(err, legacy.ErrUnavailable) {
		t.Errorf("by the system's: %v", err)
	}
	write([]byte("no certificate"))
	if _, err := openid.New(openid.Config{Issuers: []openid.Issuer{{URL: i.URL, Audience: []string{"a"}, CAFile: file}}}); err == nil {
		t.Error("a file without certificates is taken")
	}
}

// TestProxy: keys come through the proxy that is named, and nowhere else.
func TestProxy(t *testing.T) {
	i := openidtest.New(t)
	proxy, err := url.Parse(i.URL) // which answers whatever host it is asked for
	if err != nil {
		t.Fatal(err)
	}
	i.URL = "http://issuer.example"
	asked := ""
	a, _ := newAuthenticator(t, i, func(c *openid.Config) {
		c.Issuers[0].Keys = "http://issuer.example/keys"
		c.Proxy = func(r *http.Request) (*url.URL, error) {
			asked = r.URL.String()
			return proxy, nil
		}
	})
	if _, err := a.Authenticate(t.Context(), credential(i.Token(nil))); err != nil || asked != "http://issuer.example/keys" {
		t.Errorf("asked for %q: %v", asked, err)
	}
}

// TestNoRedirect: an issuer cannot send us elsewhere for its keys.
func TestNoRedirect(t *testing.T) {
	i := openidtest.New(t)
	elsewhere := httptest.NewServer(http.RedirectHandler(i.URL+"/keys", http.StatusFound))
	defer elsewhere.Close()
	a, _ := newAuthenticator(t, i, func(c *openid.Config) { c.Issuers[0].Keys = elsewhere.URL })
	if _, err := a.Authenticate(t.Context(), credential(i.Token(nil))); !errors.Is(err, legacy.ErrUnavailable) || i.Fetches() != 0 {
		t.Errorf("%v, %d fetches", err, i.Fetches())
	}
}
