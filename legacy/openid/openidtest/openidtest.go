// Package openidtest is an OpenID issuer for tests: discovery, keys that rotate,
// outages, and ID tokens, good and bad, signed with the standard library alone,
// so that it shares no fault with what verifies them.
package openidtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the algorithms
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// Audience is what good tokens are for.
const Audience = "airflow-clients"

// Now is when good tokens are good; they live for an hour from five seconds before.
var Now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// TB is what of a test it needs.
type TB interface {
	Helper()
	Fatal(...any)
	Cleanup(func())
}

// An Issuer serves its metadata and its keys on loopback. Safe for concurrent use.
type Issuer struct {
	// URL is its identifier.
	URL string

	t       TB
	mu      sync.Mutex
	key     *rsa.PrivateKey
	curve   *ecdsa.PrivateKey
	id      string
	turn    int
	down    bool
	fetches int
	// What was set in the place of the usual.
	metadata map[string]any
	document []byte
}

// New starts an issuer that ends with the test.
func New(t TB) *Issuer {
	t.Helper()
	i := &Issuer{t: t}
	i.Rotate()
	server := httptest.NewUnstartedServer(i)
	i.URL = "http://" + server.Listener.Addr().String() // before anybody asks
	server.Start()
	t.Cleanup(server.Close)
	return i
}

// Rotate gives the issuer new keys; the old ones are published no more.
func (i *Issuer) Rotate() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		i.t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.turn++
	i.key, i.curve, i.id = key, curve, fmt.Sprintf("key-%d", i.turn)
}

// SetDown has the issuer answer 503, or again as it should.
func (i *Issuer) SetDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// SetMetadata replaces members of the metadata; SetKeys the whole key set.
func (i *Issuer) SetMetadata(members map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.metadata = members
}

// SetKeys replaces the document with the keys.
func (i *Issuer) SetKeys(document []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.document = document
}

// Fetches is how often the keys were asked for.
func (i *Issuer) Fetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// Keys is the key set as it is published (RFC 7517).
func (i *Issuer) Keys() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys()
}

func (i *Issuer) keys() []byte {
	if i.document != nil {
		return i.document
	}
	number := func(n *big.Int, size int) string {
		return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, size)))
	}
	point, err := i.curve.PublicKey.Bytes()
	if err != nil {
		i.t.Fatal(err)
	}
	document, err := json.Marshal(map[string]any{"keys": []any{
		map[string]any{"kty": "RSA", "kid": i.id, "use": "sig", "alg": "RS256",
			"n": number(i.key.N, i.key.Size()), "e": number(big.NewInt(int64(i.key.E)), 3)},
		map[string]any{"kty": "EC", "kid": i.id + "-ec", "use": "sig", "crv": "P-256",
			"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:])},
	}})
	if err != nil {
		i.t.Fatal(err)
	}
	return document
}

func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		metadata := map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys"}
		maps.Copy(metadata, i.metadata)
		_ = json.NewEncoder(w).Encode(metadata)
	case "/keys":
		i.fetches++
		_, _ = w.Write(i.keys())
	default:
		http.NotFound(w, r)
	}
}

// Claims are those of a good token of alice's, with changes; nil takes one out.
func (i *Issuer) Claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": i.URL, "aud": Audience, "sub": "1234567890", "email": "alice@example.com", "email_verified": true,
		"iat": Now.Add(-5 * time.Second).Unix(), "exp": Now.Add(time.Hour).Unix(),
	}
	for name, value := range changes {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

// Token signs a good token with changes, by RS256.
func (i *Issuer) Token(changes map[string]any) string {
	text, err := json.Marshal(i.Claims(changes))
	if err != nil {
		i.t.Fatal(err)
	}
	return i.Sign(nil, text)
}

// Sign signs a text with header members that replace the usual ones; nil takes
// one out. The algorithm is what alg says: RS384, RS512, ES256 for the other key,
// and RS256 for everything else.
func (i *Issuer) Sign(header map[string]any, text []byte) string {
	i.mu.Lock()
	key, curve, id := i.key, i.curve, i.id
	i.mu.Unlock()
	h := map[string]any{"alg": "RS256", "typ": "JWT", "kid": id}
	if header["alg"] == "ES256" {
		h["kid"] = id + "-ec"
	}
	for name, value := range header {
		if h[name] = value; value == nil {
			delete(h, name)
		}
	}
	head, err := json.Marshal(h)
	if err != nil {
		i.t.Fatal(err)
	}
	input := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(text)
	hash := crypto.SHA256
	switch h["alg"] {
	case "RS384":
		hash = crypto.SHA384
	case "RS512":
		hash = crypto.SHA512
	}
	digest := hash.New()
	digest.Write([]byte(input))
	sum := digest.Sum(nil)
	var signature []byte
	if h["alg"] == "ES256" {
		r, s, err := ecdsa.Sign(rand.Reader, curve, sum)
		if err != nil {
			i.t.Fatal(err)
		}
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	} else if signature, err = rsa.SignPKCS1v15(rand.Reader, key, hash, sum); err != nil {
		i.t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Certificates are both keys in the form in which google-auth for Python reads
// Google's: a certificate by each kid.
func (i *Issuer) Certificates() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	set := map[string]string{}
	for id, public := range map[string]any{i.id: &i.key.PublicKey, i.id + "-ec": &i.curve.PublicKey} {
		der, err := x509.CreateCertificate(rand.Reader, template, template, public, i.key)
		if err != nil {
			i.t.Fatal(err)
		}
		set[id] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	document, err := json.Marshal(set)
	if err != nil {
		i.t.Fatal(err)
	}
	return document
}

// PublicKey is the RSA key's, for those who would use it as a secret.
func (i *Issuer) PublicKey() *rsa.PublicKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return &i.key.PublicKey
}
