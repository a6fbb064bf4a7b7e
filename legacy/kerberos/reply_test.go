package kerberos

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

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

// certified makes a certificate that its own key signs.
func certified(t *testing.T, curve elliptic.Curve) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestChannelBindings: a binding must be that of a certificate of ours, by the
// hash that it is signed with (RFC 5929 section 4.1); none is let in.
func TestChannelBindings(t *testing.T) {
	p256, p384, p521 := certified(t, elliptic.P256()), certified(t, elliptic.P384()), certified(t, elliptic.P521())
	sha := func(c *x509.Certificate) []byte { h := sha256.Sum256(c.Raw); return h[:] }
	longer := sha512.Sum384(p384.Raw)
	longest := sha512.Sum512(p521.Raw)
	bound := func(prefix string, hash []byte) []byte {
		data := append([]byte(prefix), hash...)
		text := binary.LittleEndian.AppendUint32(make([]byte, 16), uint32(len(data)))
		sum := md5.Sum(append(text, data...))
		return sum[:]
	}
	const endPoint = "tls-server-end-point:"
	for _, c := range []struct {
		name    string
		binding []byte
		why     legacy.Reason
	}{
		{"SHA-256", bound(endPoint, sha(p256)), ""},
		{"SHA-384, of the certificate before", bound(endPoint, longer[:]), ""},
		{"SHA-512, of the one before that", bound(endPoint, longest[:]), ""},
		{"none", nil, ""},
		{"SHA-256 of one that is signed with SHA-384", bound(endPoint, sha(p384)), legacy.ChannelBindingMismatch},
		{"of another type", bound("tls-unique:", sha(p256)), legacy.ChannelBindingMismatch},
		{"another's", bound(endPoint, sha(certified(t, elliptic.P256()))), legacy.ChannelBindingMismatch},
	} {
		w := newWorld(t, func(cfg *Config) {
			cfg.Certificates = func() []*x509.Certificate { return []*x509.Certificate{p256, p384, p521} }
		})
		r := w.request(t, kerberostest.Want{Authenticator: func(a *types.Authenticator) { a.Cksum = kerberostest.Checksum(2, c.binding) }})
		if _, err := w.send(t, kerberostest.Header(r.Raw())); reasonOf(t, err) != c.why {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
