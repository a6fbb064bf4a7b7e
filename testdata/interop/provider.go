package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A Provider is an OpenID provider in a process of its own: see the package provider.
type Provider struct {
	// URL is its issuer identifier.
	URL string
	*Process

	binary, dir string
}

// StartProvider compiles the provider into dir and starts it on a free port.
func (i *Installation) StartProvider(ctx context.Context, dir string) (*Provider, error) {
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	p := &Provider{URL: "http://" + address, binary: filepath.Join(dir, "provider"), dir: dir}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", p.binary, "./provider")
	cmd.Dir = i.here
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return p, p.Restart(ctx)
}

// Restart starts it where it was, with new keys.
func (p *Provider) Restart(ctx context.Context) (err error) {
	p.Process, err = Start(ctx, "provider", filepath.Join(p.dir, "provider.log"), exec.Command(p.binary, strings.TrimPrefix(p.URL, "http://")))
	if err != nil {
		return err
	}
	return p.WaitReady(ctx, p.URL+"/.well-known/openid-configuration")
}

// Rotate makes a new key that signs from now on; Retire publishes the newest alone.
func (p *Provider) Rotate() error { return p.post("/rotate") }

func (p *Provider) Retire() error { return p.post("/retire") }

func (p *Provider) post(path string) error {
	res, err := http.Post(p.URL+path, "", nil)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d", path, res.StatusCode)
	}
	return nil
}

// Tokens are what a client gets for a user.
type Tokens struct {
	ID     string `json:"id_token"`
	Access string `json:"access_token"`
}

// Login goes the way of the authorization code (OpenID Connect Core 1.0 section 3.1), as client and as a browser in
// which somebody types the name of user and a password.
func (p *Provider) Login(client, user string) (t Tokens, err error) {
	callback := p.URL + "/callback"
	browser := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if req.URL.Path == "/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := browser.Get(p.URL + "/auth?" + url.Values{
		"client_id": {client}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid email profile"}, "state": {"s"},
	}.Encode())
	if err != nil {
		return t, err
	}
	page.Body.Close()
	back, err := browser.PostForm(p.URL+"/login/username", url.Values{
		"id": {page.Request.URL.Query().Get("authRequestID")}, "username": {user}, "password": {"password"},
	})
	if err != nil {
		return t, err
	}
	back.Body.Close()
	where, err := back.Location()
	if err != nil {
		return t, fmt.Errorf("the login of %s leads nowhere: %d", user, back.StatusCode)
	}
	req, err := http.NewRequest(http.MethodPost, p.URL+"/oauth/token", strings.NewReader(url.Values{
		"grant_type": {"authorization_code"}, "code": {where.Query().Get("code")}, "redirect_uri": {callback},
	}.Encode()))
	if err != nil {
		return t, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client, "secret")
	res, err := browser.Do(req)
	if err != nil {
		return t, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&t); err != nil || t.ID == "" {
		return t, fmt.Errorf("no ID token: %d %v", res.StatusCode, err)
	}
	return t, nil
}
