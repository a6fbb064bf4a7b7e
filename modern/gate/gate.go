// Package gate is an HTTP middleware that lets nothing but verified JWTs
// through, for any server that trusts the tokens of an Airflow 3:
//
//	key, err := token.New(token.Config{Secret: secret})
//	…
//	g, err := gate.New(gate.Config{Verifier: key})
//	…
//	http.ListenAndServe(addr, g.Handler(mux))
//
// Behind it, [FromContext] tells who the request is from. The gate reads the
// token where Airflow reads it ([Credential]) and refuses as Airflow refuses,
// byte for byte. It knows no other credential, and no path is excepted.
//
// A verified token is not verified again until it expires. The gate cannot know
// that Airflow has revoked one: keep lifetimes short where that matters.
package gate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jetbridge/jetbridge/modern"
)

const defaultCacheSize = 16384

// A Verifier judges tokens. Its error is [modern.ErrExpired] or
// [modern.ErrInvalid]; any other is a fault, and refuses too.
type Verifier interface {
	Verify(signed string) (modern.Claims, error)
}

// Config says what a Gate works with.
type Config struct {
	// Verifier judges tokens. Required. It is called concurrently.
	Verifier Verifier
	// CacheSize is how many verified tokens are remembered, at less than 1 KiB
	// each. Zero means 16384.
	CacheSize int
	// Cookie is read by [Gate.Handler] when there is no Bearer. Empty means
	// [DefaultCookie].
	Cookie string
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// A Gate lets verified tokens through. It is safe for concurrent use.
type Gate struct {
	verifier Verifier
	verified *lru.Cache[[sha256.Size]byte, modern.Claims]
	cookie   string
	now      func() time.Time
}

// New makes a Gate.
func New(c Config) (*Gate, error) {
	if c.Verifier == nil {
		return nil, errors.New("gate: no verifier")
	}
	if c.CacheSize == 0 {
		c.CacheSize = defaultCacheSize
	}
	verified, err := lru.New[[sha256.Size]byte, modern.Claims](c.CacheSize)
	if err != nil {
		return nil, fmt.Errorf("gate: cache size %d: %w", c.CacheSize, err)
	}
	g := &Gate{verifier: c.Verifier, verified: verified, cookie: c.Cookie, now: c.Now}
	if g.cookie == "" {
		g.cookie = DefaultCookie
	}
	if g.now == nil {
		g.now = time.Now
	}
	return g, nil
}

// Check judges one token. Its errors are the verifier's. The claims are shared
// with other callers and not to be changed.
func (g *Gate) Check(token string) (modern.Claims, error) {
	// The token itself is not kept: who reads the memory finds no credential.
	key := digest(token)
	if claims, ok := g.verified.Get(key); ok {
		if g.now().Before(claims.ExpiresAt) {
			return claims, nil
		}
		// From here to the end of the leeway the verifier decides each time.
		g.verified.Remove(key)
	}
	claims, err := g.verifier.Verify(token)
	if err != nil {
		return modern.Claims{}, err
	}
	if g.now().Before(claims.ExpiresAt) {
		g.verified.Add(key, claims)
	}
	return claims, nil
}

// usual is as long as tokens usually are, in bytes.
const usual = 1 << 10

// digest hashes a token; one of the usual length is not copied to the heap for it.
func digest(token string) [sha256.Size]byte {
	if len(token) > usual {
		return sha256.Sum256([]byte(token))
	}
	var buf [usual]byte
	return sha256.Sum256(buf[:copy(buf[:], token)])
}

// Handler lets a request with a good token through to next, which finds the
// claims by [FromContext], and answers every other one itself. The request is
// passed on with the credential that it came with.
func (g *Gate) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, from, err := Credential(r.Header, g.cookie)
		if err != nil {
			refuse(w, http.StatusBadRequest, "More than one Authorization header")
			return
		}
		if from == None {
			refuse(w, http.StatusUnauthorized, "Not authenticated")
			return
		}
		claims, err := g.Check(token)
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, claims)))
		case errors.Is(err, modern.ErrExpired):
			refuse(w, http.StatusUnauthorized, "Token Expired")
		case errors.Is(err, modern.ErrInvalid):
			refuse(w, http.StatusForbidden, "Invalid JWT token")
		default:
			refuse(w, http.StatusInternalServerError, "Internal Server Error")
		}
	})
}

type contextKey struct{}

// FromContext gives the claims of a request that came through [Gate.Handler].
func FromContext(ctx context.Context) (modern.Claims, bool) {
	claims, ok := ctx.Value(contextKey{}).(modern.Claims)
	return claims, ok
}

// refuse answers in the bytes of FastAPI's HTTPException. The details are our
// own constants and need no escape.
func refuse(w http.ResponseWriter, status int, detail string) {
	body := `{"detail":"` + detail + `"}`
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write([]byte(body)) // an error means that the client left
}
