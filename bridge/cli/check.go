package cli

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/store"
	"github.com/jetbridge/jetbridge/modern"
	"github.com/jetbridge/jetbridge/modern/token"
)

func (p *Program) checkCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Ask every part whether it works",
		Long: `Reads the configuration and the keytab, opens the databases, asks the KDC and
Airflow 3, mints a token and has the real Airflow 3 accept it; in mode observe it
asks Airflow 2, and of the rest as much as is configured. It can run beside 'serve'.

It changes nothing, except that it makes the store's file where there is none, and
that with legacy.session.login it tries to write a row into the table session of
Airflow 2's database, in a transaction that it takes back.

  ok    it works
  warn  as far as can be told, but look at it ("warning": true in JSON)
  FAIL  it does not, and the line below says what to do

Exit code 0: nothing is FAIL. 1: something is. 2: the configuration cannot be read.`,
		Example: "  jetbridge check --config jetbridge.yaml\n  jetbridge check --config jetbridge.yaml --json | jq '.[] | select(.warning or (.ok | not))'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load(path)
			if err != nil {
				return misused(err)
			}
			return p.check(cmd.Context(), cfg, path, asJSON)
		},
	}
	configFlag(cmd, &path)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// A finding is what one question found.
type finding struct {
	Part   string `json:"part"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Todo   string `json:"todo,omitempty"` // what to do when it is not well
	// Warning marks what is well as far as can be told, and wants to be looked at.
	Warning bool `json:"warning,omitempty"`
}

// warnings makes a finding of each text.
func warnings(part string, texts []string) []finding {
	var all []finding
	for _, text := range texts {
		all = append(all, finding{Part: part, OK: true, Warning: true, Detail: text})
	}
	return all
}

// checkTimeout bounds each question.
const checkTimeout = 15 * time.Second

// A checker asks. Later questions may use what earlier ones found.
type checker struct {
	cfg      *config.Config
	path     string
	environ  []string
	snapshot *snapshot
	now      func() time.Time
	up       bool // Airflow 3 answered
}

func (p *Program) check(ctx context.Context, cfg *config.Config, path string, asJSON bool) error {
	findings := []finding{{Part: "configuration", OK: true, Detail: fmt.Sprintf("%s, mode %s", path, cfg.Migration.Mode)}}
	findings = append(findings, warnings("configuration", cfg.Warnings)...)
	a, err := p.assembler(p.logger(cfg.Log.Format, cfg.Log.Level))
	if err != nil {
		return failed(err)
	}
	_ = a.openTLS(cfg) // asked again below
	s, err := a.snapshot(cfg)
	if err != nil {
		return misused(err)
	}
	defer s.release()
	findings = append(findings, warnings("configuration", s.warnings)...)
	c := &checker{cfg: cfg, path: path, environ: p.Environ, snapshot: s, now: time.Now}
	for _, ask := range []func(context.Context) []finding{c.listen, c.tls, c.store, c.airflow2, c.databases, c.sessions, c.login, c.kerberos, c.openid, c.lockout, c.upstream, c.token} {
		limited, cancel := context.WithTimeout(ctx, checkTimeout)
		findings = append(findings, ask(limited)...)
		cancel()
	}
	return p.report(findings, asJSON)
}

// report prints what was found, and says no if anything is not well.
func (p *Program) report(findings []finding, asJSON bool) error {
	bad := 0
	for _, f := range findings {
		if !f.OK {
			bad++
		}
	}
	if asJSON {
		if err := p.json(findings); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			mark := "ok  "
			switch {
			case !f.OK:
				mark = "FAIL"
			case f.Warning:
				mark = "warn"
			}
			fmt.Fprintf(p.Stdout, "%s  %-16s %s\n", mark, f.Part, oneLine(f.Detail))
			if f.Todo != "" {
				fmt.Fprintf(p.Stdout, "      %-16s -> %s\n", "", f.Todo)
			}
		}
	}
	if bad > 0 {
		fmt.Fprintf(p.Stderr, "jetbridge: %d of %d answers are not well\n", bad, len(findings))
		return errNo
	}
	return nil
}

// listen says who can come in, where that is nobody but this machine: the default,
// and a surprise behind a load balancer.
func (c *checker) listen(context.Context) []finding {
	host, _, err := net.SplitHostPort(c.cfg.Listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil
	}
	return []finding{{Part: "listen", OK: true, Detail: c.cfg.Listen + " is reached from this machine alone; listen: 0.0.0.0:8080 lets others in"}}
}

func (c *checker) tls(context.Context) []finding {
	if c.cfg.TLS.Cert == "" {
		return nil
	}
	f := finding{Part: "tls"}
	pair, err := tls.LoadX509KeyPair(c.cfg.TLS.Cert, c.cfg.TLS.Key)
	switch {
	case err != nil:
		f.Detail, f.Todo = err.Error(), "tls.cert and tls.key must be PEM files that belong together, readable by this user"
	case c.now().After(pair.Leaf.NotAfter):
		f.Detail, f.Todo = "the certificate ran out on "+pair.Leaf.NotAfter.Format(time.DateOnly), "put a new one into tls.cert; it is read without a restart"
	default:
		f.OK, f.Detail = true, "certificate for "+strings.Join(pair.Leaf.DNSNames, ", ")+" until "+pair.Leaf.NotAfter.Format(time.DateOnly)
	}
	return []finding{f}
}

func (c *checker) store(ctx context.Context) []finding {
	f := finding{Part: "store", OK: true, Detail: c.cfg.Store.DSN.String()}
	s, err := store.Open(ctx, store.Config{DSN: c.cfg.Store.DSN.Reveal(), Dir: filepath.Dir(c.path)})
	if err == nil {
		err = s.Close()
		f.Detail = "can be written"
	}
	if err != nil {
		f.OK, f.Detail, f.Todo = false, err.Error(), "store.dsn must name a file in a folder that this user may write"
	}
	return []finding{f}
}

// databases asks each source of users.
func (c *checker) databases(ctx context.Context) []finding {
	var all []finding
	for _, source := range c.snapshot.identity.sources {
		f := finding{Part: source.name, OK: true, Detail: source.where}
		if n, err := source.count(ctx); err != nil {
			f.OK, f.Detail, f.Todo = false, source.where+": "+err.Error(), source.todo
		} else {
			f.Detail = fmt.Sprintf("%s: %d users", source.where, n)
		}
		all = append(all, f)
	}
	return all
}

func (c *checker) upstream(ctx context.Context) []finding {
	if c.snapshot.core == nil {
		return nil // only observing
	}
	const part = "airflow3"
	observing := c.snapshot.old != nil // Airflow 3 need not be there before the day
	url := c.cfg.Airflow3.URL.String() + c.cfg.BasePath
	res, body, err := c.get(ctx, c.snapshot.transport, url+"/api/v2/version", "")
	if err != nil && observing {
		return []finding{{Part: part, OK: true, Detail: "not there yet: " + err.Error()}}
	}
	if err != nil {
		return []finding{{Part: part, Detail: err.Error(), Todo: "airflow3.url must be where the api-server listens, as seen from here"}}
	}
	var v struct{ Version string }
	there := res.StatusCode == http.StatusOK && json.Unmarshal(body, &v) == nil && v.Version != ""
	if !there && observing {
		return []finding{{Part: part, OK: true, Detail: fmt.Sprintf("not there yet: %s/api/v2/version answers %d, and not as Airflow 3 does", url, res.StatusCode)}}
	}
	if !there {
		return []finding{{Part: part, Detail: fmt.Sprintf("%s/api/v2/version answers %d, and not as Airflow 3 does", url, res.StatusCode),
			Todo: "is airflow3.url an Airflow 3, and base_path the path of its [api] base_url?"}}
	}
	c.up = true
	found := []finding{{Part: part, OK: true, Detail: fmt.Sprintf("%s is Airflow %s", url, v.Version)}}
	if at, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		if skew := c.now().Sub(at).Round(time.Second); skew.Abs() > c.cfg.Modern.Leeway {
			found = append(found, finding{Part: "clock", Detail: fmt.Sprintf("differs from Airflow 3's by %v", skew),
				Todo: "synchronise both clocks: tokens are refused beyond " + c.cfg.Modern.Leeway.String()})
		}
	}
	return found
}

// token has the real Airflow 3 judge a token of ours. One that does not answer
// was a finding already.
func (c *checker) token(ctx context.Context) []finding {
	if !c.up {
		return nil
	}
	f := finding{Part: "token"}
	claims, who, err := c.snapshot.identity.somebody(ctx, c.snapshot)
	url := c.cfg.Airflow3.URL.String() + c.cfg.BasePath + "/api/v2/dags?limit=1"
	if errors.Is(err, errNobody) {
		return []finding{c.signature(ctx, url)}
	}
	if err != nil {
		f.Detail, f.Todo = "no user to mint a token for: "+err.Error(), "see the answers above"
		return []finding{f}
	}
	signed, _, err := c.snapshot.key.Mint(claims, time.Minute)
	if err != nil {
		f.Detail = err.Error()
		return []finding{f}
	}
	res, body, err := c.get(ctx, c.snapshot.transport, url, signed)
	switch {
	case err != nil:
		f.Detail, f.Todo = err.Error(), "see the answers above"
	case res.StatusCode == http.StatusOK, res.StatusCode == http.StatusForbidden && strings.Contains(string(body), "Forbidden"):
		f.OK, f.Detail = true, "Airflow 3 accepts a token minted for "+who
	default:
		f.Detail, f.Todo = fmt.Sprintf("Airflow 3 refuses a token minted for %s: %d %s", who, res.StatusCode, excerpt(body)), c.tokenTodo()
	}
	return []finding{f}
}

func (c *checker) tokenTodo() string {
	todo := "modern.secret, audience and issuer must be those of the api-server ([api_auth] jwt_secret, jwt_audience, jwt_issuer), and airflow3.auth_manager its manager"
	if c.snapshot.identity.new != nil {
		todo += "; airflow3.users.dsn must be its own database"
	}
	return todo
}

// signature asks with a token that has expired: Airflow looks at the signature
// first, so that "expired" proves that it is right, and no user is needed.
func (c *checker) signature(ctx context.Context, url string) finding {
	f := finding{Part: "token"}
	m := c.cfg.Modern
	past, err := token.New(token.Config{
		Secret: []byte(m.Secret.Reveal()), Algorithm: m.Algorithm, Audience: m.Audience, Issuers: m.Issuers(),
		Now: func() time.Time { return c.now().Add(-time.Hour) },
	})
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	signed, _, err := past.Mint(modern.Claims{Subject: "1"}, time.Minute)
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	res, body, err := c.get(ctx, c.snapshot.transport, url, signed)
	switch {
	case err != nil:
		f.Detail, f.Todo = err.Error(), "see the answers above"
	case res.StatusCode == http.StatusUnauthorized && strings.Contains(string(body), "Expired"):
		f.OK, f.Detail = true, "Airflow 3 knows the bridge's signature (asked with an expired token, there is no directory to take a user from)"
	default:
		f.Detail, f.Todo = fmt.Sprintf("Airflow 3 does not know the bridge's signature: %d %s", res.StatusCode, excerpt(body)), c.tokenTodo()
	}
	return f
}

// oneLine keeps what a driver says in several lines from breaking the columns.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// get asks an Airflow, with a token if there is one.
func (c *checker) get(ctx context.Context, way http.RoundTripper, url, bearer string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := way.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return res, body, err
}

// excerpt is the beginning of an answer, for a person.
func excerpt(body []byte) string {
	return record.Clip(strings.TrimSpace(string(body[:min(len(body), 200)])))
}
