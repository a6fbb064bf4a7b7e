package bridge

import (
	"encoding/json"
	"time"

	"github.com/jetbridge/jetbridge/modern"
)

// mintedToken is a token that may be used again for equal claims. What else it
// says the gate remembers.
type mintedToken struct {
	token   string
	id      string
	expires time.Time
}

// token gives a token for claims that has passed the gate: one minted before
// while more than a fifth of its life is left, else a new one.
func (c *Core) token(claims modern.Claims) (string, modern.Claims, *Refusal) {
	key, err := mintKey(claims)
	if err != nil {
		return "", modern.Claims{}, fault(err)
	}
	m, ok := c.minted.Get(key)
	if !ok || m.expires.Sub(c.Now()) <= c.Lifetime/5 {
		token, full, no := c.Issue(claims, c.Lifetime)
		if no == nil {
			c.minted.Add(key, mintedToken{token, full.ID, full.ExpiresAt})
		}
		return token, full, no
	}
	full, err := c.Gate.Check(m.token)
	if err != nil {
		return "", modern.Claims{}, fault(err)
	}
	return m.token, full, nil
}

// Issue mints a token for claims that nothing else will use, and has it pass
// the gate.
func (c *Core) Issue(claims modern.Claims, lifetime time.Duration) (string, modern.Claims, *Refusal) {
	token, _, err := c.Minter.Mint(claims, lifetime)
	if err != nil {
		return "", modern.Claims{}, fault(err)
	}
	full, err := c.Gate.Check(token)
	if err != nil {
		return "", modern.Claims{}, fault(err)
	}
	if c.Minted != nil {
		c.Minted()
	}
	return token, full, nil
}

// mintKey is equal for equal claims: encoding/json sorts the names of a map.
func mintKey(claims modern.Claims) (string, error) {
	if len(claims.Extra) == 0 {
		return claims.Subject, nil
	}
	extra, err := json.Marshal(claims.Extra)
	return claims.Subject + "\x00" + string(extra), err
}

// A Renewal is what it takes to mint anew for a decision already made.
type Renewal struct {
	claims  modern.Claims
	refused string // the id of the token that it was made with
}

// renewEvery is how often a user's refused token is replaced at most: an
// upstream that refuses everything must not make the bridge sign in a loop.
const renewEvery = time.Second

// MintAgain gives d with another token, gated like the first, after the
// upstream refused the one it has; false when there is none to be had now.
func (c *Core) MintAgain(d Decision) (Decision, bool) {
	if d.Verdict != PassMinted || d.Again == nil {
		return d, false
	}
	key, err := mintKey(d.Again.claims)
	if err != nil {
		return d, false
	}
	c.renewing.Lock()
	defer c.renewing.Unlock()
	m, ok := c.minted.Peek(key)
	if !ok || m.id == d.Again.refused {
		if last, seen := c.renewed.Get(key); seen && c.Now().Sub(last) < renewEvery {
			return d, false
		}
		c.renewed.Add(key, c.Now())
		c.minted.Remove(key)
	}
	token, claims, no := c.token(d.Again.claims)
	if no != nil {
		return d, false
	}
	d.Claims = claims
	d.Set = d.Set.Clone()
	d.Set.Set("Authorization", "Bearer "+token)
	d.Again = &Renewal{claims: d.Again.claims, refused: claims.ID}
	return d, true
}
