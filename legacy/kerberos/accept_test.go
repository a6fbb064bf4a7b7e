package kerberos

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

// A world is a service and its keys.
type world struct {
	*kerberostest.Keys
	*Authenticator
	path string
}

// newWorld makes a service; edit may change its configuration.
func newWorld(t testing.TB, edit func(*Config), list ...kerberostest.Key) world {
	t.Helper()
	keys, err := kerberostest.NewKeys(list...)
	if err != nil {
		t.Fatal(err)
	}
	w := world{Keys: keys, path: filepath.Join(t.TempDir(), "keytab")}
	if err := keys.Write(w.path); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Keytab: w.path, Replays: NewMemory(0, nil)}
	if edit != nil {
		edit(&cfg)
	}
	if w.Authenticator, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w world) request(t testing.TB, want kerberostest.Want) kerberostest.Request {
	t.Helper()
	r, err := w.Make(want)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// send judges a header without the net that catches panics.
func (w world) send(t testing.TB, header string) (legacy.Proof, error) {
	return w.judge(t.Context(), legacy.Credential{Scheme: legacy.Kerberos, Authorization: header})
}

// reasonOf gives the reason of a refusal; empty for a success.
func reasonOf(t testing.TB, err error) legacy.Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	var r *legacy.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("not a refusal: %v", err)
	}
	return r.Reason
}

func principalName(parts ...string) types.PrincipalName {
	return types.PrincipalName{NameType: 1, NameString: parts}
}

// TestEtypes: each type that is spoken, for ticket and session key.
func TestEtypes(t *testing.T) {
	all := []int32{17, 18, 19, 20, 23}
	var list []kerberostest.Key
	for _, etype := range all {
		list = append(list, kerberostest.Key{Etype: etype})
	}
	strict := newWorld(t, nil, list...)
	lax := newWorld(t, func(c *Config) { c.InsecureRC4 = true }, list...)
	for _, ticket := range all {
		for _, session := range all {
			r := strict.request(t, kerberostest.Want{Key: kerberostest.Key{Etype: ticket}, SessionEtype: session})
			proof, err := lax.send(t, kerberostest.Header(r.Raw()))
			if err != nil {
				t.Errorf("ticket %d, session %d: %v", ticket, session, err)
				continue
			}
			if _, err := r.CheckReply(proof.Reply.Get("WWW-Authenticate")); err != nil {
				t.Errorf("ticket %d, session %d: %v", ticket, session, err)
			}
			want := legacy.Reason("")
			if ticket == 23 || session == 23 {
				want = legacy.EncryptionNotAccepted
			}
			if _, err := strict.send(t, kerberostest.Header(r.Raw())); reasonOf(t, err) != want {
				t.Errorf("strict: ticket %d, session %d: %v", ticket, session, err)
			}
		}
	}
}

// TestTickets: everything in which a request can differ from a good one.
func TestTickets(t *testing.T) {
	now := time.Now()
	min := func(m int) time.Time { return now.Add(time.Duration(m) * time.Minute) }
	sec := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	part := func(f func(*messages.EncTicketPart)) kerberostest.Want { return kerberostest.Want{Part: f} }
	auth := func(f func(*types.Authenticator)) kerberostest.Want { return kerberostest.Want{Authenticator: f} }
	req := func(f func(*messages.APReq)) kerberostest.Want { return kerberostest.Want{Request: f} }
	both := func(name []string, realm string) kerberostest.Want {
		return kerberostest.Want{
			Part:          func(p *messages.EncTicketPart) { p.CName.NameString, p.CRealm = name, realm },
			Authenticator: func(a *types.Authenticator) { a.CName.NameString, a.CRealm = name, realm },
		}
	}
	for _, c := range []struct {
		name string
		want kerberostest.Want
		why  legacy.Reason // empty: accepted
	}{
		{"good", kerberostest.Want{}, ""},
		{"the other name of the keytab", kerberostest.Want{Key: kerberostest.Key{Service: "airflow/localhost"}}, ""},

		// What the client writes must be what the KDC wrote, both halves.
		{"realm spoof", kerberostest.Want{Realm: "EVIL.TEST", Authenticator: func(a *types.Authenticator) { a.CRealm = "EXAMPLE.TEST" }}, legacy.AuthenticatorMismatch},
		{"realm spoof the other way", auth(func(a *types.Authenticator) { a.CRealm = "EVIL.TEST" }), legacy.AuthenticatorMismatch},
		{"realm in another case", auth(func(a *types.Authenticator) { a.CRealm = "example.test" }), legacy.AuthenticatorMismatch},
		{"name spoof", auth(func(a *types.Authenticator) { a.CName = principalName("admin") }), legacy.AuthenticatorMismatch},
		{"name spoof by a part more", auth(func(a *types.Authenticator) { a.CName = principalName("alice", "admin") }), legacy.AuthenticatorMismatch},
		{"name empty", auth(func(a *types.Authenticator) { a.CName = principalName() }), legacy.AuthenticatorMismatch},
		{"name of another type", auth(func(a *types.Authenticator) { a.CName.NameType = 10 }), ""},

		// Clocks, on both sides of five minutes (and a margin for slow machines).
		{"client 4:50 late", auth(func(a *types.Authenticator) { a.CTime = sec(-290) }), ""},
		{"client 4:50 early", auth(func(a *types.Authenticator) { a.CTime = sec(290) }), ""},
		{"client 5:02 late", auth(func(a *types.Authenticator) { a.CTime = sec(-302) }), legacy.ClockSkew},
		{"client 5:10 early", auth(func(a *types.Authenticator) { a.CTime = sec(310) }), legacy.ClockSkew},
		{"cusec beyond a second", auth(func(a *types.Authenticator) { a.Cusec = 1_000_000 }), legacy.MalformedCredential},
		{"cusec negative", auth(func(a *types.Authenticator) { a.Cusec = -1 }), legacy.MalformedCredential},
		{"expired 4 min ago", part(func(p *messages.EncTicketPart) { p.EndTime = min(-4) }), ""},
		{"expired 6 min ago", part(func(p *messages.EncTicketPart) { p.EndTime = min(-6) }), legacy.TicketExpired},
		{"starts in 4 min", part(func(p *messages.EncTicketPart) { p.StartTime = min(4) }), ""},
		{"starts in 6 min", part(func(p *messages.EncTicketPart) { p.StartTime = min(6) }), legacy.TicketNotYetValid},
		{"no start time", part(func(p *messages.EncTicketPart) { p.StartTime = time.Time{} }), ""},
		{"no start time, authenticated in 6 min", part(func(p *messages.EncTicketPart) { p.StartTime, p.AuthTime = time.Time{}, min(6) }), legacy.TicketNotYetValid},
		{"invalid flag", part(func(p *messages.EncTicketPart) { types.SetFlag(&p.Flags, invalidTicket) }), legacy.TicketNotYetValid},

		// The service's name on the wire is a hint.
		{"service in lower case", req(func(r *messages.APReq) { r.Ticket.SName = principalName("http", "localhost") }), ""},
		{"host in upper case", req(func(r *messages.APReq) { r.Ticket.SName = principalName("HTTP", "LOCALHOST") }), ""},
		{"an alias", req(func(r *messages.APReq) { r.Ticket.SName = principalName("HTTP", "airflow.example.com") }), ""},
		{"service realm in another case", req(func(r *messages.APReq) { r.Ticket.Realm = "example.test" }), ""},
		{"another version", req(func(r *messages.APReq) { r.Ticket.EncPart.KVNO = 77 }), ""},
		{"no version", req(func(r *messages.APReq) { r.Ticket.EncPart.KVNO = 0 }), ""},
		{"service name empty", req(func(r *messages.APReq) { r.Ticket.SName = principalName() }), ""},
		{"service name krbtgt", req(func(r *messages.APReq) { r.Ticket.SName = principalName("krbtgt", "EXAMPLE.TEST") }), ""},

		// Keys and ciphertexts.
		{"ticket of another etype", req(func(r *messages.APReq) { r.Ticket.EncPart.EType = 17 }), legacy.UnknownServiceKey},
		{"ticket of an unknown etype", req(func(r *messages.APReq) { r.Ticket.EncPart.EType = 25 }), legacy.EncryptionNotAccepted},
		{"ticket changed", req(func(r *messages.APReq) { r.Ticket.EncPart.Cipher[40] ^= 1 }), legacy.UnknownServiceKey},
		{"authenticator changed", req(func(r *messages.APReq) { r.EncryptedAuthenticator.Cipher[40] ^= 1 }), legacy.AuthenticatorMismatch},
		{"authenticator of another etype", req(func(r *messages.APReq) { r.EncryptedAuthenticator.EType = 17 }), legacy.MalformedCredential},
		{"session key of the wrong length", part(func(p *messages.EncTicketPart) { p.Key.KeyValue = p.Key.KeyValue[:16] }), legacy.EncryptionNotAccepted},
		{"session key of an unknown etype", part(func(p *messages.EncTicketPart) { p.Key.KeyType = 16 }), legacy.EncryptionNotAccepted},
		{"subkey of the wrong length", auth(func(a *types.Authenticator) { a.SubKey = types.EncryptionKey{KeyType: 18, KeyValue: []byte("short")} }), legacy.MalformedCredential},
		{"user to user", req(func(r *messages.APReq) { types.SetFlag(&r.APOptions, useSessionKey) }), legacy.MechanismNotSpoken},
		{"protocol version 4", req(func(r *messages.APReq) { r.PVNO = 4 }), legacy.MalformedCredential},

		// The checksum.
		{"no checksum", auth(func(a *types.Authenticator) { a.Cksum = types.Checksum{} }), ""},
		{"checksum of another type", auth(func(a *types.Authenticator) { a.Cksum.CksumType = 7 }), ""},
		{"checksum of 23 bytes", auth(func(a *types.Authenticator) { a.Cksum.Checksum = a.Cksum.Checksum[:23] }), legacy.MalformedCredential},
		{"checksum with credentials behind", auth(func(a *types.Authenticator) { a.Cksum.Checksum = append(a.Cksum.Checksum, make([]byte, 900)...) }), ""},
		{"channel binding, not looked at", auth(func(a *types.Authenticator) { a.Cksum = kerberostest.Checksum(2, []byte("0123456789abcdef")) }), ""},
		{"64 KiB of authorization data", part(func(p *messages.EncTicketPart) {
			p.AuthorizationData = types.AuthorizationData{{ADType: 1, ADData: make([]byte, 64<<10)}}
		}), ""},
		{"a PAC that is none (C-43)", part(func(p *messages.EncTicketPart) {
			p.AuthorizationData = types.AuthorizationData{{ADType: 1, ADData: []byte{0x30, 0}}, {ADType: 128, ADData: bytes.Repeat([]byte{0xff}, 40)}}
		}), ""},

		// Names (C-25, C-43).
		{"@ in a part", both([]string{"alice@EXAMPLE.TEST"}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"escaped @ in a part", both([]string{`alice\@EXAMPLE.TEST`}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"/ in a part", both([]string{"svc/host"}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"empty part", both([]string{"alice", ""}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"no part", both(nil, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"NUL", both([]string{"alice\x00"}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"full-width @", both([]string{"alice＠EXAMPLE.TEST"}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"right-to-left mark", both([]string{"alice\u202e"}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"@ in the realm", both([]string{"alice"}, "X@EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"empty realm", both([]string{"alice"}, ""), legacy.PrincipalNotAllowed},
		{"another realm", both([]string{"alice"}, "EVIL.TEST"), legacy.RealmNotAllowed},
		{"the realm in lower case", both([]string{"alice"}, "example.test"), legacy.RealmNotAllowed},
		{"a machine", both([]string{"host", "a.example.com"}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"a machine in capitals", both([]string{"HOST", "a.example.com"}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"anonymous", both([]string{"WELLKNOWN", "ANONYMOUS"}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"the KDC's own", both([]string{"krbtgt", "EXAMPLE.TEST"}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"the KDC's administration", both([]string{"kadmin", "admin"}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"the KDC's replication, in capitals", both([]string{"KIPROP", "h"}, "EXAMPLE.TEST"), legacy.PrincipalNotAllowed},
		{"through realms that nobody checked", part(func(p *messages.EncTicketPart) {
			p.Transited = messages.TransitedEncoding{TRType: 1, Contents: []byte("EVIL.TEST")}
		}), legacy.RealmNotAllowed},
		{"through realms that the KDC checked", part(func(p *messages.EncTicketPart) {
			p.Transited = messages.TransitedEncoding{TRType: 1, Contents: []byte("B.TEST")}
			types.SetFlag(&p.Flags, transitPolicyChecked)
		}), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			r := w.request(t, c.want)
			for _, token := range [][]byte{r.Raw(), r.SPNEGO()} {
				w.cfg.Replays = NewMemory(0, nil)
				proof, err := w.send(t, kerberostest.Header(token))
				if got := reasonOf(t, err); got != c.why {
					t.Fatalf("got %q (%v), want %q", got, err, c.why)
				}
				if err != nil && proof.Reply != nil {
					t.Errorf("refused, and yet a reply: %v", proof.Reply)
				}
			}
		})
	}
}

// TestNames: the name is the whole principal.
func TestNames(t *testing.T) {
	w := newWorld(t, nil)
	for parts, want := range map[string]string{"alice": "alice@EXAMPLE.TEST", "svc/etl.example.com": "svc/etl.example.com@EXAMPLE.TEST", "Jürgen": "Jürgen@EXAMPLE.TEST"} {
		r := w.request(t, kerberostest.Want{Client: parts})
		if proof, err := w.send(t, kerberostest.Header(r.Raw())); err != nil || proof.Principal.Name != want {
			t.Errorf("%s: %+v, %v", parts, proof.Principal, err)
		}
	}
}

// TestTwoRealms: a client of a trusted realm counts where that is listed, under
// its own realm's name.
func TestTwoRealms(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Realms = []string{"EXAMPLE.TEST", "PARTNER.TEST"} })
	proof, err := w.send(t, kerberostest.Header(w.request(t, kerberostest.Want{Realm: "PARTNER.TEST"}).Raw()))
	if err != nil || proof.Principal.Name != "alice@PARTNER.TEST" {
		t.Errorf("%+v, %v", proof.Principal, err)
	}
}

// TestNoRuleFits: whom no rule of auth_to_local makes a name of is refused.
func TestNoRuleFits(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.AuthToLocal = []string{"DEFAULT"} })
	_, err := w.send(t, kerberostest.Header(w.request(t, kerberostest.Want{Client: "svc/host"}).Raw()))
	if reasonOf(t, err) != legacy.PrincipalNotAllowed {
		t.Error(err)
	}
}

// TestServices: the list speaks of the keytab's name, not of the wire's.
func TestServices(t *testing.T) {
	list := []kerberostest.Key{{Password: "one"}, {Service: "airflow/localhost", Password: "two"}}
	for _, c := range []struct {
		services, key string
		ok            bool
	}{
		{"airflow", "airflow/localhost", true},
		{"airflow", "HTTP/localhost", false},
		{"HTTP/localhost", "HTTP/localhost", true},
		{"HTTP/localhost@EXAMPLE.TEST", "HTTP/localhost", true},
		{"HTTP/localhost@OTHER.TEST", "HTTP/localhost", false},
		{"HTTP/other", "HTTP/localhost", false},
		{"airflow HTTP", "HTTP/localhost", true},
	} {
		w := newWorld(t, func(cfg *Config) { cfg.Services = strings.Fields(c.services) }, list...)
		key := list[0]
		if c.key == "airflow/localhost" {
			key = list[1]
		}
		r := w.request(t, kerberostest.Want{Key: key, Request: func(r *messages.APReq) {
			r.Ticket.SName = principalName("airflow", "localhost") // what anybody can write there
		}})
		_, err := w.send(t, kerberostest.Header(r.Raw()))
		if got := reasonOf(t, err); (got == "") != c.ok || got != "" && got != legacy.ServiceNotAllowed {
			t.Errorf("%s, a ticket under %s: %v", c.services, c.key, err)
		}
	}
}

// TestErrorsTellWhatToDo: the record's line is what finds most set-up errors (C-42).
func TestErrorsTellWhatToDo(t *testing.T) {
	w := newWorld(t, nil, kerberostest.Key{KVNO: 3})
	for _, c := range []struct {
		name string
		key  kerberostest.Key
		want string
	}{
		{"old kvno", kerberostest.Key{KVNO: 2, Password: "before"}, `kvno 2, etype 18: the keytab holds kvno 3 of it`},
		{"etype", kerberostest.Key{KVNO: 3, Etype: 17}, "with aes256-cts-hmac-sha1-96 alone"},
		{"host name", kerberostest.Key{Service: "HTTP/other", Password: "x"}, `"HTTP/other@EXAMPLE.TEST", kvno 1, etype 18: the keytab does not hold that name`},
		{"same version, other key", kerberostest.Key{KVNO: 3, Password: "x"}, "does not open it"},
	} {
		other, err := kerberostest.NewKeys(c.key)
		if err != nil {
			t.Fatal(err)
		}
		r, err := other.Make(kerberostest.Want{Key: c.key})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.send(t, kerberostest.Header(r.Raw()))
		if reasonOf(t, err) != legacy.UnknownServiceKey || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestSealed: what is not spoken here decrypts nowhere (a check of the checks).
func TestSealed(t *testing.T) {
	for etype := int32(0); etype < 40; etype++ {
		_, err := crypto.GetEtype(etype)
		if spoken := keySize(etype) != 0; spoken && (err != nil || etypeName(etype) == "" || !longEnough(etype, make([]byte, 41))) {
			t.Errorf("etype %d is spoken, and yet unknown somewhere", etype)
		} else if !spoken && longEnough(etype, make([]byte, 1000)) {
			t.Errorf("etype %d is not spoken, and yet goes on to be decrypted", etype)
		}
	}
}
