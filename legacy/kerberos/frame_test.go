package kerberos

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

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
