package directory

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/text/unicode/norm"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/queue"
	"github.com/jetbridge/jetbridge/legacy/recheck"
)

// What a zero field of UpstreamConfig means.
const (
	defaultRecheck    = 5 * time.Minute
	defaultTimeout    = 10 * time.Second
	defaultConcurrent = 8
	defaultQueue      = 64
)

// Bounds of an exchange.
const (
	maxName     = 512      // bytes, as wide as FAB's column
	maxPassword = 8 << 10  // bytes
	maxAnswer   = 64 << 10 // bytes of the token API's answer
	// rejectedFor is how long a refused password is not asked for again: not as
	// long as a good one, or a user who was just made would wait for minutes.
	rejectedFor = 5 * time.Second
	// maxRefused bounds the refused passwords that are no new guess when they are
	// asked for again.
	maxRefused = 4096
)

// UpstreamConfig is what [Upstream] needs. It is copied.
type UpstreamConfig struct {
	// URL is Airflow 3's token endpoint, …/auth/token. It has no default.
	URL string
	// Transport sends the exchanges; a redirect is not followed. Nil:
	// http.DefaultTransport.
	Transport http.RoundTripper
	// Verify checks a token as the gate does, and gives its subject and its
	// claims beyond the registered ones. It is called concurrently. It has no
	// default.
	Verify func(token string) (subject string, extra map[string]any, err error)
	// Recheck is how long an accepted password is believed. Zero: 5 min.
	Recheck time.Duration
	// OutageGrace is how much longer than Recheck an accepted password is
	// believed while Airflow 3 cannot be asked. Zero: not at all.
	OutageGrace time.Duration
	// Timeout bounds one exchange, the wait for its turn included. Zero: 10 s,
	// or Recheck if that is less.
	Timeout time.Duration
	// Concurrent bounds the exchanges at a time, Queue those that wait, by turns of
	// the addresses that ask for them: each costs Airflow 3 a password hash. Zero:
	// 8 and 64.
	Concurrent, Queue int
	// Size bounds the accepted passwords that are remembered, as keyed digests.
	// Zero: 131,072.
	Size int
	// Guard is asked before a password is exchanged, and told what came of it. Nil:
	// none is.
	Guard fab.Guard
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Upstream verifies passwords by exchanging them at Airflow 3's own POST
// /auth/token: that way whatever its auth manager accepts, LDAP included, is
// accepted, and no database need be read. It implements
// [legacy.PasswordVerifier]; its principals carry the subject that Airflow's
// token named, and the role and teams that came with it. The token itself is
// thrown away. It is safe for concurrent use.
type Upstream struct {
	url     string
	client  http.Client
	guard   fab.Guard
	verify  func(string) (string, map[string]any, error)
	secret  [sha256.Size]byte
	answers *recheck.Cache[legacy.Principal]
	refused *lru.Cache[string, struct{}] // keys of passwords that were wrong
	queue   *queue.Queue
}

// NewUpstream prepares the exchange; it asks nothing.
func NewUpstream(cfg UpstreamConfig) (*Upstream, error) {
	endpoint, err := url.Parse(cfg.URL)
	switch {
	case err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.User != nil:
		return nil, errors.New("directory: the token endpoint must be http(s)://host[:port]/path, without a user")
	case cfg.Verify == nil:
		return nil, errors.New("directory: nothing to verify Airflow 3's tokens with")
	case cfg.Concurrent < 0 || cfg.Queue < 0:
		return nil, errors.New("directory: a negative number of exchanges")
	}
	if cfg.Recheck == 0 {
		cfg.Recheck = defaultRecheck
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = min(defaultTimeout, cfg.Recheck)
	}
	if cfg.Concurrent == 0 {
		cfg.Concurrent = defaultConcurrent
	}
	if cfg.Queue == 0 {
		cfg.Queue = defaultQueue
	}
	u := &Upstream{
		url:    endpoint.String(),
		client: http.Client{Transport: cfg.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		guard:  cfg.Guard,
		verify: cfg.Verify,
	}
	rand.Read(u.secret[:])
	if u.queue, err = queue.New(queue.Config{Concurrent: cfg.Concurrent, Waiting: cfg.Queue}); err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	if u.refused, err = lru.New[string, struct{}](maxRefused); err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	u.answers, err = recheck.New[legacy.Principal](recheck.Config{
		Recheck: cfg.Recheck, Rejected: min(rejectedFor, cfg.Recheck), Grace: cfg.OutageGrace, Size: cfg.Size, Timeout: cfg.Timeout, Now: cfg.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	return u, nil
}

// VerifyPassword implements [legacy.PasswordVerifier]. The principal's name is
// the one that was given: Airflow's answer does not tell how FAB's row spells it.
func (u *Upstream) VerifyPassword(ctx context.Context, username, password string) (legacy.Principal, error) {
	if username == "" || password == "" || len(username) > maxName || len(password) > maxPassword ||
		!utf8.ValidString(username) || !utf8.ValidString(password) || strings.ContainsRune(username, 0) {
		return legacy.Principal{}, legacy.Rejected(legacy.MalformedCredential, nil)
	}
	key, account, from := u.key(username, password), accountOf(username), legacy.ClientFrom(ctx)
	known := u.guard == nil || u.guard.Knows(account, from) && u.answers.Holds(key)
	if known {
		return u.answers.Get(ctx, key, func(ctx context.Context) (legacy.Principal, error) {
			return u.ask(ctx, from, username, password)
		})
	}
	var asked bool
	// The grace of an outage is for who is known.
	p, err := u.answers.Fresh(ctx, key, func(ctx context.Context) (p legacy.Principal, said error) {
		asked = true
		settle, err := u.admit(from, account, key)
		if err != nil {
			return p, err
		}
		said = errNotJudged
		defer func() { settle(said) }() // also when nobody waits any longer
		return u.ask(ctx, from, username, password)
	})
	if err != nil && !errors.Is(err, legacy.ErrRejected) || asked {
		return p, err
	}
	// It was known before, or somebody else has asked: a guess all the same.
	if locked := u.guard.Repeat(from, err, account); locked != nil {
		return legacy.Principal{}, locked
	}
	return p, err
}

// errNotJudged is what came of a password that Airflow did not hear of.
var errNotJudged = errors.New("directory: nothing was judged")

// admit asks the guard, as [fab.Guard.Admit] does. What was refused before is no new
// guess: it counts for the address alone, also when Airflow is asked again.
func (u *Upstream) admit(from netip.Addr, account, key string) (settle func(error), err error) {
	accounts, again := []string{account}, u.refused.Contains(key)
	if again {
		if err := u.guard.Repeat(from, errNotJudged, account); err != nil {
			return nil, err
		}
		accounts = nil
	}
	judged, err := u.guard.Admit(from, accounts...)
	if err != nil {
		return nil, err
	}
	return func(verdict error) {
		judged(verdict)
		switch {
		case errors.Is(verdict, legacy.ErrRejected):
			u.refused.Add(key, struct{}{})
		case verdict == nil && again: // it was made the password since
			u.refused.Remove(key)
			_ = u.guard.Repeat(from, nil, account) // it is let in, whoever else has failed by now
		}
	}, nil
}

// accountOf is whom a name is counted as. Which of Airflow's users it leads to is
// not known here, and its database or LDAP may not mind letter case, accents and
// spaces: whatever could be one user to them is one.
func accountOf(username string) string {
	bare := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(username))
	return strings.Join(strings.Fields(strings.ToLower(bare)), " ")
}

// ask takes the turn of one exchange.
func (u *Upstream) ask(ctx context.Context, from netip.Addr, username, password string) (legacy.Principal, error) {
	place, err := u.queue.Enter(from)
	if err != nil {
		return legacy.Principal{}, err
	}
	defer place.Leave()
	if err := place.Wait(ctx); errors.Is(err, legacy.ErrUnavailable) { // put out of a full queue
		return legacy.Principal{}, err
	} else if err != nil {
		return legacy.Principal{}, unavailable(err)
	}
	token, err := u.exchange(ctx, username, password)
	if err != nil {
		return legacy.Principal{}, err
	}
	return u.principal(username, token)
}

// key is the keyed digest under which an answer is remembered.
func (u *Upstream) key(username, password string) string {
	mac := hmac.New(sha256.New, u.secret[:])
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(username)))
	mac.Write(n[:])
	io.WriteString(mac, username)
	io.WriteString(mac, password)
	return string(mac.Sum(nil))
}

// exchange asks Airflow 3 for a token. No error of it holds a byte of the
// answer: FAB's 422 repeats the password.
func (u *Upstream) exchange(ctx context.Context, username, password string) (string, error) {
	body, err := json.Marshal(map[string]string{"username": username, "password": password})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	// Exactly so: the simple manager compares the text.
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := u.client.Do(req)
	if err != nil {
		return "", unavailable(err)
	}
	defer resp.Body.Close()
	status := fmt.Errorf("the token API answered %d", resp.StatusCode)
	switch resp.StatusCode {
	case http.StatusCreated:
	case http.StatusUnauthorized:
		return "", legacy.Rejected(legacy.WrongPassword, nil)
	case http.StatusBadRequest, http.StatusForbidden, http.StatusUnprocessableEntity:
		return "", legacy.Rejected(legacy.WrongPassword, status)
	default: // a gateway's 404 or 429 says nothing about the password
		return "", legacy.Unavailable(legacy.SourceUnavailable, status, retryAfter(resp.Header))
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return "", unavailable(err)
	}
	var issued struct {
		Token string `json:"access_token"`
	}
	if len(answer) > maxAnswer || json.Unmarshal(answer, &issued) != nil || issued.Token == "" {
		return "", unavailable(errors.New("the token API answered 201 without a token"))
	}
	return issued.Token, nil
}

// principal is whom the token is about, as Airflow 3 knows them.
func (u *Upstream) principal(username, token string) (legacy.Principal, error) {
	subject, extra, err := u.verify(token)
	switch {
	case err != nil:
		return legacy.Principal{}, unavailable(fmt.Errorf("its own token is not accepted here (do secret, audience and issuer agree?): %w", err))
	case subject == "":
		return legacy.Principal{}, unavailable(errors.New("its token names nobody"))
	}
	p := legacy.Principal{Name: username, Scheme: legacy.Basic, Subject: subject}
	if role, ok := extra["role"].(string); ok {
		// The simple manager's: its tokens name the user, and name "Anonymous"
		// for any password at all while simple_auth_manager_all_admins is on.
		if subject != username {
			return legacy.Principal{}, unavailable(errors.New("its token names somebody else than was asked for (is simple_auth_manager_all_admins on?)"))
		}
		p.Roles = []string{role}
	}
	if teams, ok := extra["teams"].([]any); ok {
		for _, team := range teams {
			if name, ok := team.(string); ok {
				p.Teams = append(p.Teams, name)
			}
		}
	}
	return p, nil
}

func unavailable(cause error) error {
	return legacy.Unavailable(legacy.SourceUnavailable, cause, 0)
}

// retryAfter reads a number of seconds (RFC 9110 section 10.2.3), if there is one.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
