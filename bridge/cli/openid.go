package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/legacy/openid"
)

// issuers are the settings of a judge of ID tokens.
type issuers struct {
	list   string // as fmt writes them: two that are written alike are alike
	files  string // a digest of the files that they name: those may change
	leeway time.Duration
	users  any // where e-mail addresses are looked up
}

// openid makes the authenticator of ID tokens. Where requests are served its keys
// are kept fresh until it is released; no issuer is waited for.
func (a *assembler) openid(t *taker, cfg *config.Config, id *identity) error {
	settings := issuers{list: fmt.Sprintf("%#v", cfg.Legacy.OpenID.Issuers), files: digestOf(issuerFiles(cfg)), leeway: cfg.Legacy.OpenID.Leeway, users: id.old}
	found, err := take(t, settings, func() (*openid.Authenticator, func(), error) {
		c := openid.Config{Leeway: cfg.Legacy.OpenID.Leeway, Now: a.now, Failed: a.issuerFailed, Proxy: http.ProxyFromEnvironment}
		for _, i := range cfg.Legacy.OpenID.Issuers {
			c.Issuers = append(c.Issuers, openid.Issuer{
				URL: i.Issuer, Audience: i.Audience, Keys: i.Keys, KeyFile: i.KeyFile, CAFile: i.CAFile, Algorithms: i.Algorithms, Name: i.Claim,
				Users: i.Users, Require: i.Require, InsecureUnverifiedEmail: i.InsecureUnverifiedEmail,
			})
		}
		if id.old != nil {
			c.Emails = id.old
		}
		made, err := openid.New(c)
		if err != nil {
			return nil, nil, err
		}
		if !a.serving {
			return made, nil, nil
		}
		ctx, end := context.WithCancel(context.Background())
		go made.Run(ctx)
		return made, end, nil
	})
	if err != nil {
		return fmt.Errorf("legacy.openid: %w", err)
	}
	id.idTokens = found
	id.authenticators = append(id.authenticators, found)
	return nil
}

// issuerFiles are the files that hold keys of issuers, or authorities for them.
func issuerFiles(cfg *config.Config) []string {
	var files []string
	for _, i := range cfg.Legacy.OpenID.Issuers {
		for _, name := range []string{i.KeyFile, i.CAFile} {
			if name != "" {
				files = append(files, name)
			}
		}
	}
	return files
}

func (a *assembler) issuerFailed(issuer string, err error) {
	if err != nil {
		a.log.Warn("the keys of an OpenID issuer cannot be fetched; those that are known go on for a day", "issuer", issuer, "error", err.Error())
		return
	}
	a.log.Info("the keys of an OpenID issuer can be fetched again", "issuer", issuer)
}

// issuersFailing says of each issuer whose keys cannot be fetched what that
// means. It asks nobody.
func (id *identity) issuersFailing() []string {
	if id.idTokens == nil {
		return nil
	}
	var lines []string
	for _, s := range id.idTokens.States() {
		switch {
		case s.Err != nil && s.Keys == 0:
			lines = append(lines, fmt.Sprintf("openid %s: no keys, its tokens are answered with 503: %s", s.Issuer, record.Clip(oneLine(s.Err.Error()))))
		case s.Err != nil:
			lines = append(lines, fmt.Sprintf("openid %s: %d keys, fetched %v ago, go on for a day: %s", s.Issuer, s.Keys, s.Age.Round(time.Second), record.Clip(oneLine(s.Err.Error()))))
		}
	}
	return lines
}

// openid asks each issuer for its keys, and says how it stands with them.
func (c *checker) openid(ctx context.Context) []finding {
	found := c.snapshot.identity.idTokens
	if found == nil {
		return nil
	}
	var all []finding
	for _, s := range found.Ask(ctx) {
		f := finding{Part: "openid", OK: s.Err == nil && s.Keys > 0, Detail: fmt.Sprintf("%s: %d keys", s.Issuer, s.Keys)}
		if !f.OK {
			f.Detail = s.Issuer + ": no keys"
			if s.Err != nil {
				f.Detail = s.Issuer + ": " + s.Err.Error()
			}
			host := s.Issuer
			if u, err := url.Parse(s.Issuer); err == nil {
				host = u.Host
			}
			f.Todo = "jetbridge must reach " + host + ", through HTTPS_PROXY if that is set, and trust its certificate (ca_file of this issuer); where it cannot, give keys or key_file"
		}
		all = append(all, f)
	}
	return all
}
