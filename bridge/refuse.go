package bridge

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/route"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/modern"
)

// A Refusal is why a request goes no further: what the client is told, and what
// the operator is. The client never learns why a credential failed.
type Refusal struct {
	Problem problem.Problem
	Reason  record.Reason
	Cause   error // may be nil

	challenge  bool // ask for the legacy schemes that would count
	credential bool // a legacy credential was judged, and refused
	header     http.Header
}

// NewRefusal makes a refusal of the bridge's own; detail says how to do it right.
func NewRefusal(status int, why record.Reason, cause error, detail string) *Refusal {
	return &Refusal{Problem: problem.Problem{Status: status, Detail: detail}, Reason: why, Cause: cause}
}

// How to do it right, for those who came with what does not count.
const (
	tokenAdvice   = "Get a token from POST /auth/token and send it as 'Authorization: Bearer <token>'."
	refusedAdvice = "Not authenticated: the credential was refused."
	ntlmAdvice    = "Not authenticated: the client sent NTLM, for it has no Kerberos ticket for this host name. Run kinit, and use the host name that the service principal has."
	offDetail     = "Not authenticated: this kind of credential is switched off here."
)

// unauthenticated refuses for want of a credential that counts.
func unauthenticated(why record.Reason) *Refusal {
	if why == record.SchemeSwitchedOff {
		return &Refusal{Problem: problem.Problem{Status: http.StatusUnauthorized, Detail: offDetail + " " + tokenAdvice}, Reason: why, challenge: true}
	}
	return &Refusal{Problem: problem.NotAuthenticated, Reason: why, challenge: true}
}

// credentialRefused tells a credential that was judged and refused from one
// that could not be judged.
func credentialRefused(err error) *Refusal {
	switch {
	case errors.Is(err, legacy.ErrLockedOut):
		no := NewRefusal(http.StatusTooManyRequests, record.TooManyFailures, err, "Too many attempts have failed. Try again later.")
		no.header = retryAfter(err)
		return no
	case !errors.Is(err, legacy.ErrRejected):
		return unavailable(err)
	}
	no := NewRefusal(http.StatusUnauthorized, reasonOf(err, record.MalformedCredential), err, refusedAdvice)
	no.challenge, no.credential = true, true
	if no.Reason == record.NTLMOffered {
		no.Problem.Detail, no.credential = ntlmAdvice, false // it says nothing of a secret
	}
	return no
}

// unavailable refuses because it could not be told; what is neither a "no" nor
// a "cannot tell" is a fault.
func unavailable(err error) *Refusal {
	if !errors.Is(err, legacy.ErrUnavailable) {
		return fault(err)
	}
	no := NewRefusal(http.StatusServiceUnavailable, reasonOf(err, record.SourceUnavailable), err,
		"The credential cannot be checked at the moment. Try again shortly.")
	no.header = retryAfter(err)
	return no
}

// retryAfter says when asking again makes sense, a second or more from now.
func retryAfter(err error) http.Header {
	var seconds float64
	if r := (*legacy.Refusal)(nil); errors.As(err, &r) {
		seconds = r.RetryAfter.Seconds()
	}
	return http.Header{"Retry-After": {strconv.Itoa(max(1, int(math.Ceil(seconds))))}}
}

func fault(err error) *Refusal {
	return NewRefusal(http.StatusInternalServerError, record.Fault, err, "The request could not be decided.")
}

func doubled() *Refusal {
	return NewRefusal(http.StatusBadRequest, record.DoubledCredential, nil,
		"The request carries more than one Authorization header; send one.")
}

func badPath(err error) *Refusal {
	return NewRefusal(http.StatusBadRequest, record.BadPath, err, "The path holds what cannot be forwarded safely.")
}

// badMethod refuses what would have the upstream open a tunnel, whose bytes
// nobody decides about, or tell the client the token that it was sent. Airflow
// answers both with 405 as well.
func badMethod() *Refusal {
	no := NewRefusal(http.StatusMethodNotAllowed, record.BadMethod, nil, "Method Not Allowed")
	no.header = http.Header{"Allow": {"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}} // RFC 9110 section 15.5.6
	return no
}

// reasonOf names err in the record's words, which are legacy's own.
func reasonOf(err error, otherwise record.Reason) record.Reason {
	var r *legacy.Refusal
	if errors.As(err, &r) {
		return record.Reason(r.Reason)
	}
	return otherwise
}

// tokenRefused answers a client's own JWT as Airflow 3 does.
func (c *Core) tokenRefused(d *Decision, cred credential, err error) *Refusal {
	no := &Refusal{Problem: problem.InvalidToken, Reason: record.TokenInvalid, Cause: err}
	if errors.Is(err, modern.ErrExpired) {
		no.Problem, no.Reason = problem.TokenExpired, record.TokenExpired
	}
	if cred.cookie {
		no.header = http.Header{"Set-Cookie": c.deletedCookies(d.from.proto == "https")}
	}
	return no
}

// Refused makes d the decision to refuse r. Headers that the client is owed
// whatever the answer stay.
func (c *Core) Refused(r Request, d Decision, no *Refusal) Decision {
	d.Verdict, d.Problem, d.Reason, d.Cause = Refuse, no.Problem, no.Reason, no.Cause
	if no.credential && d.Dialect == problem.V1 {
		d.Problem = problem.NotAuthenticated // Airflow 2 said no more than that
	}
	d.Problem.RequestID = r.ID
	if d.Client == nil {
		d.Client = http.Header{}
	}
	addAll(d.Client, no.header)
	addAll(d.Client, c.cors(r, d.Target))
	if no.challenge {
		c.challenge(r, d)
	}
	return d
}

// challenge asks for each legacy scheme that counts here today, in chain order,
// a line each. Not where it would open a password box in front of a user who
// has a token, or of a script.
func (c *Core) challenge(r Request, d Decision) {
	if d.Target.Class != route.Dual && d.Target.Class != route.Bridge {
		return
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); carriesToken(r.Header) || (mode != "" && mode != "navigate") {
		return
	}
	allows := c.Policy.Allows
	if d.Target.Class == route.Bridge {
		allows = c.Policy.AllowsToken
	}
	for _, a := range c.Authenticators {
		if ask := a.Challenge(); ask != "" && allows(string(a.Scheme())) {
			d.Client.Add("Www-Authenticate", ask)
		}
	}
}

func dialectOf(t route.Target) problem.Dialect {
	if t.V1 {
		return problem.V1
	}
	return problem.V2
}

func addAll(to, from http.Header) {
	for name, values := range from {
		to[name] = append(to[name], values...)
	}
}
