// Provider is an OpenID provider for the tests, made of github.com/zitadel/oidc: provider ADDRESS serves
// http://ADDRESS with two clients, airflow and other (secret: secret), and two users, viewer and unverified (password:
// password), in memory.
//
// It also serves POST /rotate, which makes a new key that signs from now on, beside the older ones, and POST /retire,
// after which the newest alone is published.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: provider ADDRESS")
	}
	s := newStore("http://" + os.Args[1] + "/callback")
	if err := s.rotate(); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", exampleop.SetupServer("http://"+os.Args[1], s, nil, false))
	mux.HandleFunc("POST /rotate", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.rotate(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /retire", func(http.ResponseWriter, *http.Request) { s.retire() })
	log.Fatal(http.ListenAndServe(os.Args[1], mux))
}

// users are those of the provider, by their ids.
type users map[string]*storage.User

func (u users) GetUserByID(id string) *storage.User         { return u[id] }
func (u users) GetUserByUsername(name string) *storage.User { return u[name] }
func (u users) ExampleClientID() string                     { return "nobody" }

// A store is the example's, with keys that change and ID tokens that say who it is.
type store struct {
	*storage.Storage
	mu   sync.Mutex
	keys []key // the last one signs
}

func newStore(callback string) *store {
	people := users{}
	for name, verified := range map[string]bool{"viewer": true, "unverified": false} {
		people[name] = &storage.User{ID: name, Username: name, Password: "password", Email: name + "@example.com", EmailVerified: verified}
	}
	return &store{Storage: storage.NewStorageWithClients(people, map[string]*storage.Client{
		"airflow": storage.WebClient("airflow", "secret", callback),
		"other":   storage.WebClient("other", "secret", callback),
	})}
}

func (s *store) rotate() error {
	made, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, key{id: rand.Text(), private: made})
	return nil
}

func (s *store) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = s.keys[len(s.keys)-1:]
}

func (s *store) SigningKey(context.Context) (op.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[len(s.keys)-1], nil
}

func (s *store) KeySet(context.Context) ([]op.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	published := make([]op.Key, len(s.keys))
	for i, k := range s.keys {
		published[i] = public{k}
	}
	return published, nil
}

func (s *store) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (s *store) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	return client{c}, err
}

// A client's access tokens are JWTs too, and its ID tokens name the user and live for long.
type client struct{ op.Client }

func (client) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeJWT }
func (client) IDTokenUserinfoClaimsAssertion() bool { return true }
func (client) IDTokenLifetime() time.Duration       { return 72 * time.Hour }

type key struct {
	id      string
	private *rsa.PrivateKey
}

func (k key) ID() string                                  { return k.id }
func (k key) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k key) Key() any                                    { return k.private }

type public struct{ key }

func (p public) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (p public) Use() string                        { return "sig" }
func (p public) Key() any                           { return &p.private.PublicKey }
