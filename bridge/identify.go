package bridge

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/translate"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/modern"
)

// An Identity is who a legacy credential turned out to be, in old words and in
// new ones.
type Identity struct {
	Principal legacy.Principal
	Claims    modern.Claims // what a token for it will say; not minted yet
	// Reply are headers that the client is owed whatever the answer; set even
	// when the identity is refused.
	Reply http.Header
}

// Authenticate is the entrance of those who hand out tokens: it takes a legacy
// credential through steps 5 to 8, by the rules for tokens instead of those of
// the mode. The zero Credential stands for the one that r itself carries, in its
// Authorization or, where that says nothing that may buy a token, in the session
// cookie. The refusal is nil when the identity counts.
func (c *Core) Authenticate(ctx context.Context, r Request, cred legacy.Credential) (Identity, *Refusal) {
	if cred == (legacy.Credential{}) {
		var no *Refusal
		if cred, no = c.carried(r.Header); no != nil {
			return Identity{}, no
		}
	}
	from, err := trusted(c.TrustedProxies).hop(r)
	if err != nil {
		return Identity{}, badHop(err)
	}
	id, no := c.identify(ctx, r, from, cred, c.Policy.AllowsToken)
	switch {
	case no == nil:
		id.Reply = id.Reply.Clone()
		if id.Reply == nil {
			id.Reply = http.Header{}
		}
		addAll(id.Reply, c.Policy.Headers())
	case no.Reason == record.SchemeSwitchedOff:
		no.Problem.Detail = offDetail // whoever asks here need not be sent here
	}
	return id, no
}

// carried finds the legacy credential that may buy a token.
func (c *Core) carried(h http.Header) (legacy.Credential, *Refusal) {
	headers := h["Authorization"]
	if len(headers) > 1 {
		return legacy.Credential{}, doubled()
	}
	var cred legacy.Credential
	if len(headers) == 1 {
		cred = legacy.Credential{Scheme: legacy.Scheme(c.schemeOf(headers[0])), Authorization: headers[0]}
	}
	buys := func(scheme legacy.Scheme) bool {
		return c.schemes[Scheme(scheme)] != nil && c.Policy.AllowsToken(string(scheme))
	}
	value, there := c.session(h)
	switch {
	case there && !buys(cred.Scheme) && buys(legacy.Session):
		return legacy.Credential{Scheme: legacy.Session, Cookie: value}, nil
	case len(headers) == 0:
		return cred, unauthenticated(record.NoCredential)
	}
	return cred, nil
}

// identify takes a legacy credential from policy to claims.
func (c *Core) identify(ctx context.Context, r Request, from hop, cred legacy.Credential, allows func(scheme string) bool) (Identity, *Refusal) {
	var id Identity
	a := c.schemes[Scheme(cred.Scheme)]
	if a == nil {
		return id, unauthenticated(record.SchemeNotSpoken)
	}
	if !allows(string(cred.Scheme)) {
		return id, unauthenticated(record.SchemeSwitchedOff)
	}
	if no := c.sameOrigin(r, from.host); no != nil {
		return id, no
	}
	proof, err := a.Authenticate(legacy.WithClient(ctx, from.client), cred)
	id.Principal, id.Reply = proof.Principal, proof.Reply
	if err != nil {
		return id, credentialRefused(err)
	}
	user, err := c.resolve(ctx, id.Principal)
	if err != nil {
		return id, userRefused(err)
	}
	if id.Claims, err = c.Translator.Claims(id.Principal, user); err != nil {
		return id, claimsRefused(err)
	}
	return id, nil
}

// resolve finds the active user of that name in Airflow 3's own directory. A
// principal that Airflow 3 itself judged needs no look-up: it is that user.
func (c *Core) resolve(ctx context.Context, p legacy.Principal) (legacy.User, error) {
	if p.Subject != "" {
		return legacy.User{ID: p.Subject, Name: p.Name, Active: true, Roles: p.Roles, Teams: p.Teams}, nil
	}
	if c.Directory == nil {
		return legacy.User{}, errors.New("no directory of Airflow 3's users")
	}
	user, err := c.Directory.Lookup(ctx, p.Name)
	if err == nil && !user.Active {
		err = legacy.Rejected(legacy.InactiveUser, nil)
	}
	return user, err
}

// sameOrigin refuses an unsafe method from another origin under any legacy
// scheme: browsers send all of them unasked. Clients that name no origin go on.
func (c *Core) sameOrigin(r Request, host string) *Refusal {
	method := r.Method
	if len(r.Header["Upgrade"]) > 0 {
		method = http.MethodPost // a WebSocket begins as a GET, and obeys no other rule
	}
	err := c.origins.Check(&http.Request{Method: method, Host: host, Header: r.Header, URL: &url.URL{Path: "/"}})
	if err != nil {
		return NewRefusal(http.StatusForbidden, record.CrossOrigin, err,
			"A request that changes something must not come from another origin with this kind of credential; use a token (POST /auth/token).")
	}
	return nil
}

// userRefused tells a user that Airflow 3 does not have from a directory that
// cannot be asked.
func userRefused(err error) *Refusal {
	if errors.Is(err, legacy.ErrRejected) {
		return NewRefusal(http.StatusForbidden, record.NoUpstreamUser, err,
			"The credential is good, but Airflow 3 has no active user of that name. Ask its administrator.")
	}
	return unavailable(err)
}

func claimsRefused(err error) *Refusal {
	if errors.Is(err, translate.ErrNoRole) {
		return NewRefusal(http.StatusForbidden, record.NoRole, err,
			"The credential is good, but none of the user's roles has a counterpart in Airflow 3. Ask its administrator.")
	}
	return fault(err)
}
