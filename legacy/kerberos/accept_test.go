package kerberos

import (
	"bytes"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
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

// TestReplies: the framing that came in, a right AP-REP when it was asked for,
// nothing when nothing is due (C-41).
func TestReplies(t *testing.T) {
	for _, c := range []struct {
		name     string
		noMutual bool
		frame    func(kerberostest.Request) []byte
		header   bool
		want     kerberostest.Reply
	}{
		{"raw", false, kerberostest.Request.Raw, true, kerberostest.Reply{Mutual: true}},
		{"raw, not mutual", true, kerberostest.Request.Raw, false, kerberostest.Reply{}},
		{"SPNEGO", false, func(r kerberostest.Request) []byte { return r.SPNEGO() }, true,
			kerberostest.Reply{SPNEGO: true, Mech: kerberostest.Krb5, Mutual: true}},
		{"SPNEGO, not mutual", true, func(r kerberostest.Request) []byte { return r.SPNEGO() }, true,
			kerberostest.Reply{SPNEGO: true, Mech: kerberostest.Krb5}},
		{"Windows' list", false, func(r kerberostest.Request) []byte {
			return r.SPNEGO(kerberostest.MSKrb5, kerberostest.Krb5, kerberostest.NegoEx, kerberostest.NTLM)
		}, true, kerberostest.Reply{SPNEGO: true, Mech: kerberostest.MSKrb5, Mutual: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			r := w.request(t, kerberostest.Want{NoMutual: c.noMutual})
			proof, err := w.send(t, kerberostest.Header(c.frame(r)))
			if err != nil || proof.Principal.Name != "alice@EXAMPLE.TEST" || proof.Principal.Scheme != legacy.Kerberos {
				t.Fatalf("%+v, %v", proof, err)
			}
			lines := proof.Reply["Www-Authenticate"]
			if len(lines) != 0 != c.header || len(proof.Reply) > 1 {
				t.Fatalf("the reply is %v", proof.Reply)
			}
			if !c.header {
				return
			}
			reply, err := r.CheckReply(lines[0])
			if err != nil {
				t.Fatal(err)
			}
			if reply.Mutual && (reply.Sequence <= 0 || reply.Sequence >= 1<<30) {
				t.Errorf("sequence number %d", reply.Sequence)
			}
			reply.Sequence = 0
			if reply.MIC != nil || reply.SPNEGO != c.want.SPNEGO || reply.Mech != c.want.Mech || reply.Mutual != c.want.Mutual {
				t.Errorf("got %+v, want %+v", reply, c.want)
			}
		})
	}
	t.Run("the 22 bytes of MIT's for SPNEGO without mutual", func(t *testing.T) {
		w := newWorld(t, nil)
		proof, err := w.send(t, kerberostest.Header(w.request(t, kerberostest.Want{NoMutual: true}).SPNEGO()))
		if got := proof.Reply.Get("WWW-Authenticate"); err != nil || got != "Negotiate oRQwEqADCgEAoQsGCSqGSIb3EgECAg==" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("asked for by ap-options alone", func(t *testing.T) {
		w := newWorld(t, nil)
		r := w.request(t, kerberostest.Want{NoMutual: true, Authenticator: func(a *types.Authenticator) { a.Cksum = types.Checksum{} },
			Request: func(r *messages.APReq) { types.SetFlag(&r.APOptions, mutualRequired) }})
		proof, err := w.send(t, kerberostest.Header(r.Raw()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.CheckReply(proof.Reply.Get("WWW-Authenticate")); err != nil {
			t.Error(err)
		}
	})
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

// TestFraming: what is no token, or not one of ours (C-39). The inputs that
// crashed gokrb5 are here byte for byte.
func TestFraming(t *testing.T) {
	w := newWorld(t, nil)
	good := w.request(t, kerberostest.Want{})
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	longer := func(b []byte, n int) []byte { return append(slices.Clone(b), make([]byte, n)...) }
	for _, c := range []struct {
		name  string
		token []byte
		why   legacy.Reason
	}{
		{"empty list of mechanisms, YBAGBisGAQUFAqAGMASgAjAA of C-39", unhex("601006062b0601050502a0063004a0023000"), legacy.MechanismNotSpoken},
		{"short ciphertext", unhex("607c06092a864886f71201020201006e6d306ba003020105a10302010ea20703050020000000a34961473045a003020105a10e1b0c4558414d504c452e54455354a21c301aa003020103a11330111b04485454501b096c6f63616c686f7374a310300ea003020112a103020102a2020400a40b3009a003020112a2020400"), legacy.MalformedCredential},
		{"second leg", unhex("a1073005a0030a0101"), legacy.MechanismNotSpoken},
		{"NTLM", []byte("NTLMSSP\x00\x01\x00\x00\x00"), legacy.NTLMOffered},
		{"NTLM in SPNEGO", kerberostest.Init([]string{kerberostest.NTLM}, []byte("NTLMSSP\x00\x01\x00\x00\x00"), nil), legacy.NTLMOffered},
		{"NTLM under Kerberos' name", kerberostest.Init(nil, []byte("NTLMSSP\x00\x01\x00\x00\x00"), nil), legacy.NTLMOffered},
		{"NTLM first", good.SPNEGO(kerberostest.NTLM, kerberostest.Krb5), legacy.NTLMOffered},
		{"NEGOEX first", good.SPNEGO(kerberostest.NegoEx, kerberostest.Krb5), legacy.MechanismNotSpoken},
		{"IAKERB", good.SPNEGO("\x2b\x06\x01\x05\x02\x05", kerberostest.Krb5), legacy.MechanismNotSpoken},
		{"no token of the mechanism", kerberostest.Init(nil, nil, nil), legacy.MechanismNotSpoken},
		{"an empty token of the mechanism", kerberostest.Init(nil, []byte{}, nil), legacy.MalformedCredential},
		{"bare AP-REQ", good.APReq, legacy.MalformedCredential},
		{"raw, a byte behind", longer(good.Raw(), 1), legacy.MalformedCredential},
		{"SPNEGO, a byte behind", longer(good.SPNEGO(), 1), legacy.MalformedCredential},
		{"inside SPNEGO, a byte behind", kerberostest.Init(nil, longer(good.Raw(), 1), nil), legacy.MalformedCredential},
		{"AP-REP for AP-REQ", bytes.Replace(good.Raw(), []byte("\x02\x02\x01\x00"), []byte("\x02\x02\x02\x00"), 1), legacy.MalformedCredential},
		{"Microsoft's name outside", bytes.Replace(good.Raw(), []byte(kerberostest.Krb5), []byte(kerberostest.MSKrb5), 1), legacy.MechanismNotSpoken},
		{"a MIC that is none", kerberostest.Init(nil, good.Raw(), []byte("no MIC")), legacy.AuthenticatorMismatch},
		{"a MIC of nothing", kerberostest.Init(nil, good.Raw(), []byte{}), legacy.AuthenticatorMismatch},
		{"garbage", []byte("garbage"), legacy.MalformedCredential},
		{"one byte", []byte{0x60}, legacy.MalformedCredential},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := w.send(t, kerberostest.Header(c.token)); reasonOf(t, err) != c.why {
				t.Errorf("got %v, want %q", err, c.why)
			}
		})
	}
	t.Run("every truncation", func(t *testing.T) {
		for _, token := range [][]byte{good.Raw(), good.SPNEGO()} {
			for n := range token {
				if _, err := w.send(t, kerberostest.Header(token[:n])); err == nil {
					t.Fatalf("%d of %d bytes were enough", n, len(token))
				}
			}
		}
	})
	if _, err := w.send(t, kerberostest.Header(good.Raw())); err != nil {
		t.Errorf("and then the good one: %v", err)
	}
}

// TestShortCiphertexts: each length from nothing to too short, of each etype and
// in both places, in a request that names an entry of the keytab.
func TestShortCiphertexts(t *testing.T) {
	for _, etype := range []int32{17, 18, 19, 20, 23} {
		w := newWorld(t, func(c *Config) { c.InsecureRC4 = true }, kerberostest.Key{Etype: etype})
		for n := range 41 {
			for place, edit := range map[string]func(*messages.APReq){
				"ticket":        func(r *messages.APReq) { r.Ticket.EncPart.Cipher = r.Ticket.EncPart.Cipher[:n] },
				"authenticator": func(r *messages.APReq) { r.EncryptedAuthenticator.Cipher = r.EncryptedAuthenticator.Cipher[:n] },
			} {
				r := w.request(t, kerberostest.Want{Key: kerberostest.Key{Etype: etype}, Request: edit})
				if _, err := w.send(t, kerberostest.Header(r.Raw())); err == nil {
					t.Errorf("etype %d: a %s of %d bytes was accepted", etype, place, n)
				}
			}
		}
	}
}

// TestHeaders: the header's own form.
func TestHeaders(t *testing.T) {
	good := func(t *testing.T, w world) string {
		return strings.TrimPrefix(kerberostest.Header(w.request(t, kerberostest.Want{}).Raw()), "Negotiate ")
	}
	for _, c := range []struct {
		name   string
		header func(token string) string
		ok     bool
	}{
		{"lower case", func(s string) string { return "negotiate " + s }, true},
		{"upper case", func(s string) string { return "NEGOTIATE " + s }, true},
		{"several spaces", func(s string) string { return "Negotiate    " + s + "  " }, true},
		{"tab", func(s string) string { return "Negotiate\t" + s }, true},
		{"no padding", func(s string) string { return "Negotiate " + strings.TrimRight(s, "=") }, true},
		{"too much padding", func(s string) string { return "Negotiate " + s + "===" }, false},
		{"alone", func(string) string { return "Negotiate" }, false},
		{"alone with a space", func(string) string { return "Negotiate " }, false},
		{"padding alone", func(string) string { return "Negotiate ==" }, false},
		{"Basic", func(s string) string { return "Basic " + s }, false},
		{"no scheme", func(s string) string { return s }, false},
		{"empty", func(string) string { return "" }, false},
		{"a space inside", func(s string) string { return "Negotiate " + s[:40] + " " + s[40:] }, false},
		{"URL alphabet", func(s string) string { return "Negotiate _-" + s[2:] }, false},
		{"a line inside", func(s string) string { return "Negotiate " + s[:40] + "\n" + s[40:] }, false},
		{"a megabyte", func(string) string { return "Negotiate " + strings.Repeat("YIIB", 1<<18) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			_, err := w.send(t, c.header(good(t, w)))
			if got := reasonOf(t, err); c.ok != (got == "") || !c.ok && got != legacy.MalformedCredential {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestMIC: a protected list of mechanisms is verified, and the answer protects
// it as well: under the subkey if there is one, with the sequence number that
// the client expects.
func TestMIC(t *testing.T) {
	mechs := []string{kerberostest.Krb5, kerberostest.NTLM}
	for _, c := range []struct {
		name             string
		subkey, noMutual bool
		broken           bool
	}{
		{"session key", false, false, false},
		{"subkey", true, false, false},
		{"not mutual", true, true, false},
		{"over another list", false, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			r := w.request(t, kerberostest.Want{NoMutual: c.noMutual, Authenticator: func(a *types.Authenticator) {
				if c.subkey {
					a.SubKey = types.EncryptionKey{KeyType: 20, KeyValue: bytes.Repeat([]byte{7}, 32)}
				}
			}})
			key := r.Session
			if c.subkey {
				key = r.Auth.SubKey
			}
			list := kerberostest.MechList(mechs)
			mic := gssapi.MICToken{SndSeqNum: uint64(r.Auth.SeqNumber), Payload: list}
			if c.broken {
				mic.Payload = kerberostest.MechList(mechs[:1])
			}
			if err := mic.SetChecksum(key, keyusage.GSSAPI_INITIATOR_SIGN); err != nil {
				t.Fatal(err)
			}
			sealed, err := mic.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			proof, err := w.send(t, kerberostest.Header(kerberostest.Init(mechs, r.Raw(), sealed)))
			if c.broken {
				if reasonOf(t, err) != legacy.AuthenticatorMismatch {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			reply, err := r.CheckReply(proof.Reply.Get("WWW-Authenticate"))
			if err != nil {
				t.Fatal(err)
			}
			var answer gssapi.MICToken
			if err := answer.Unmarshal(reply.MIC, true); err != nil {
				t.Fatal(err)
			}
			answer.Payload = list
			if ok, err := answer.Verify(key, keyusage.GSSAPI_ACCEPTOR_SIGN); !ok {
				t.Error(err)
			}
			want := uint64(reply.Sequence)
			if c.noMutual {
				want = uint64(r.Auth.SeqNumber)
			}
			if answer.SndSeqNum != want {
				t.Errorf("its sequence number is %d, want %d", answer.SndSeqNum, want)
			}
		})
	}
}

// TestChannelBindings: a binding must be that of a certificate of ours, none is
// let in.
func TestChannelBindings(t *testing.T) {
	cert, old := []byte("a certificate"), []byte("the one before it")
	for _, c := range []struct {
		name    string
		binding []byte
		why     legacy.Reason
	}{
		{"right", binding(cert), ""},
		{"of the certificate before", binding(old), ""},
		{"none", nil, ""},
		{"another's", binding([]byte("another's certificate")), legacy.ChannelBindingMismatch},
	} {
		w := newWorld(t, func(cfg *Config) { cfg.Certificates = func() [][]byte { return [][]byte{cert, old} } })
		r := w.request(t, kerberostest.Want{Authenticator: func(a *types.Authenticator) { a.Cksum = kerberostest.Checksum(2, c.binding) }})
		if _, err := w.send(t, kerberostest.Header(r.Raw())); reasonOf(t, err) != c.why {
			t.Errorf("%s: %v", c.name, err)
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
