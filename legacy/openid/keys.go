package openid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

// Bounds on what an issuer may answer, and on how often it is asked.
const (
	maxDocument  = 256 << 10 // bytes of a key set or a discovery document
	maxKeys      = 64
	maxKeyID     = 128 // bytes of a kid, ours and theirs
	fetchTimeout = 10 * time.Second
	refreshEvery = 30 * time.Minute
	// retryAfter is how soon an issuer that failed, or a kid that nobody knows,
	// makes us ask again: tokens must not be able to make us ask more often.
	retryAfter = 30 * time.Second
)

// errNoKeys says that the issuer's keys are not known now: "cannot tell", not "no".
var errNoKeys = errors.New("the issuer's keys are not known")

// A verificationKey is one public key of an issuer.
type verificationKey struct {
	id        string
	algorithm string // the one it is for; empty when the issuer does not say
	key       any    // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// keySet is an issuer's keys: fetched in the background, kept while the issuer
// is down, and asked for again at a bounded rate when a token names another.
type keySet struct {
	issuer string
	source string // of the keys; empty until discovery told
	client *http.Client
	now    func() time.Time
	keep   time.Duration // how long keys count while the issuer cannot be asked
	fixed  bool          // keys from a file: nothing is ever fetched

	flight singleflight.Group
	mu     sync.Mutex
	keys   []verificationKey
	good   time.Time // when the keys were fetched
	tried  time.Time // when that was last tried
	err    error     // of the last try
}

// find gives the keys that a token may be signed with: that of its kid, or all
// of them for a token without one. It fetches when there are none that count or
// the kid is unknown, no more often than the bounds allow; that others are fresh
// is the matter of [Authenticator.Run]. Its error is "cannot tell": there are no
// keys, or the issuer may have a newer one that cannot be had now.
func (s *keySet) find(ctx context.Context, kid string) ([]verificationKey, error) {
	found, age := s.look(kid)
	if s.fixed || len(found) > 0 && age < s.keep {
		return found, nil
	}
	failed := s.refresh(ctx)
	found, age = s.look(kid)
	if failed != nil && (len(found) == 0 || age > s.keep) {
		return nil, errNoKeys
	}
	return found, nil
}

// look gives what is known, and how old it is.
func (s *keySet) look(kid string) ([]verificationKey, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good.IsZero() {
		return nil, 1<<63 - 1
	}
	age := s.now().Sub(s.good)
	if kid == "" {
		return s.keys, age
	}
	i := slices.IndexFunc(s.keys, func(k verificationKey) bool { return k.id == kid })
	if i < 0 {
		return nil, age
	}
	return s.keys[i : i+1], age
}

// refresh fetches the keys, unless that was tried a moment ago: then it says how
// that went. All who wait share one fetch, which ends when it has to and not when
// they leave.
func (s *keySet) refresh(ctx context.Context) error {
	done := s.flight.DoChan("", func() (any, error) {
		s.mu.Lock()
		soon := !s.tried.IsZero() && s.now().Sub(s.tried) < retryAfter
		last := s.err
		if !soon {
			s.tried = s.now()
		}
		s.mu.Unlock()
		if soon {
			return nil, last
		}
		bounded, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		keys, err := s.fetch(bounded)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.err = err
		if err == nil {
			s.keys, s.good = keys, s.now()
		}
		return nil, err
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// state says how the last fetch went, how many keys count, and how old they are.
func (s *keySet) state() (keys int, age time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good.IsZero() {
		return 0, 0, s.err
	}
	age = s.now().Sub(s.good)
	if !s.fixed && age > s.keep {
		return 0, age, s.err
	}
	return len(s.keys), age, s.err
}

// fetch asks the issuer where its keys are, if nobody said, and for the keys.
func (s *keySet) fetch(ctx context.Context) ([]verificationKey, error) {
	source := s.source
	if source == "" {
		var err error
		if source, err = s.discover(ctx); err != nil {
			return nil, err
		}
	}
	body, err := s.get(ctx, source)
	if err != nil {
		return nil, fmt.Errorf("the key set at %s: %w", source, err)
	}
	return parseKeys(body)
}

// discover reads the issuer's metadata (OpenID Connect Discovery 1.0 section 4).
func (s *keySet) discover(ctx context.Context) (string, error) {
	at := strings.TrimSuffix(s.issuer, "/") + "/.well-known/openid-configuration"
	body, err := s.get(ctx, at)
	if err != nil {
		return "", fmt.Errorf("the metadata at %s: %w", at, err)
	}
	var metadata struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &metadata); err != nil {
		return "", fmt.Errorf("the metadata at %s is not JSON", at)
	}
	if metadata.Issuer != s.issuer {
		return "", fmt.Errorf("the metadata at %s is that of another issuer", at)
	}
	if err := checkURL(metadata.JWKS, strings.HasPrefix(s.issuer, "http://")); err != nil {
		return "", fmt.Errorf("jwks_uri in the metadata at %s: %w", at, err)
	}
	return metadata.JWKS, nil
}

// get fetches one document. Nothing in a token can change the address.
func (s *keySet) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %d", res.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err == nil && strings.HasPrefix(kind, "text/html") {
		return nil, errors.New("answered with a page, not with JSON")
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err == nil && len(body) > maxDocument {
		return nil, fmt.Errorf("longer than %d bytes", maxDocument)
	}
	return body, err
}

// checkURL wants https, or http where plain says so.
func checkURL(address string, plain bool) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("not an address of the form https://host/path")
	}
	if u.Scheme != "https" && (!plain || u.Scheme != "http") {
		return errors.New("not an https address")
	}
	return nil
}

// parseKeys reads a JWK Set (RFC 7517 section 5). Keys that are not for
// verifying signatures, or of a kind that is not known here, are passed over, as
// that section asks; what is left must not be nothing. Symmetric and private
// keys never count. Of keys of one kid the first does.
func parseKeys(document []byte) ([]verificationKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil || set.Keys == nil {
		return parseCertificates(document)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has more than %d keys", maxKeys)
	}
	var keys []verificationKey
	for _, raw := range set.Keys {
		k, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err != nil {
			continue
		}
		m := k.Marshal()
		if m.USE != "" && m.USE != jwkset.UseSig || len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify) {
			continue
		}
		keys = appendKey(keys, verificationKey{id: m.KID, algorithm: string(m.ALG), key: k.Key()})
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no key that verifies signatures")
	}
	return keys, nil
}

// parseCertificates reads the older form of Google's keys: an object of kid and
// PEM certificate (https://www.googleapis.com/oauth2/v1/certs), which is what
// google-auth for Python asks for.
func parseCertificates(document []byte) ([]verificationKey, error) {
	var set map[string]string
	if err := json.Unmarshal(document, &set); err != nil || len(set) == 0 || len(set) > maxKeys {
		return nil, errors.New("neither a key set nor an object of certificates")
	}
	var keys []verificationKey
	for id, text := range set {
		certs, err := jwkset.LoadCertificates([]byte(text))
		if err != nil || len(certs) != 1 {
			return nil, errors.New("neither a key set nor an object of certificates")
		}
		keys = appendKey(keys, verificationKey{id: id, key: certs[0].PublicKey})
	}
	if len(keys) == 0 {
		return nil, errors.New("no certificate has a key that verifies signatures")
	}
	return keys, nil
}

// minRSA is the least size of an RSA key, in bits (RFC 7518 section 3.3).
const minRSA = 2048

func appendKey(keys []verificationKey, k verificationKey) []verificationKey {
	if len(k.id) > maxKeyID || !verifies(k.key) {
		return keys
	}
	if k.id != "" && slices.ContainsFunc(keys, func(o verificationKey) bool { return o.id == k.id }) {
		return keys
	}
	return append(keys, k)
}

// provesWho says whether tokens of a type say who their holder is: ID tokens, and
// access tokens, which are all that a service account may get. An issuer signs
// others with the same keys for the same audience, such as logout tokens (RFC 8725
// sections 3.11 and 3.12).
func provesWho(typ any) bool {
	name, _ := typ.(string)
	switch strings.TrimPrefix(strings.ToLower(name), "application/") {
	case "jwt", "at+jwt":
		return true
	}
	return false
}

// A signature is one token's, being verified: go-oidc's KeySet, which keeps
// apart that the keys are not known (its caller would see text).
type signature struct {
	keys    *keySet
	unknown error
}

// VerifySignature tells whether one of the issuer's keys signed the token, and
// nothing else. The header chooses among them by an exact kid, and brings none
// of its own (C-32, C-33).
func (s *signature) VerifySignature(ctx context.Context, compact string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(compact, algorithms())
	if err != nil {
		return nil, errors.New("not a signed token")
	}
	header := signed.Signatures[0].Header
	if len(header.KeyID) > maxKeyID {
		return nil, errors.New("a kid that is too long")
	}
	if typ, there := header.ExtraHeaders[jose.HeaderType]; there && !provesWho(typ) {
		return nil, errors.New("a token of another type")
	}
	keys, err := s.keys.find(ctx, header.KeyID)
	if err != nil {
		s.unknown = err
		return nil, err
	}
	for _, k := range keys {
		if k.algorithm != "" && k.algorithm != header.Algorithm {
			continue
		}
		if payload, err := signed.Verify(k.key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key of the issuer has signed it")
}
