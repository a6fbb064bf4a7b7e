package kerberos

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

// seeds are real tokens of each framing.
func seeds(t testing.TB, w world) [][]byte {
	t.Helper()
	r := w.request(t, kerberostest.Want{})
	s := w.request(t, kerberostest.Want{NoMutual: true, Client: "svc/host"})
	return [][]byte{
		r.Raw(), s.Raw(), r.SPNEGO(), s.SPNEGO(kerberostest.MSKrb5, kerberostest.Krb5, kerberostest.NegoEx, kerberostest.NTLM),
		kerberostest.Init([]string{kerberostest.NTLM}, []byte("NTLMSSP\x00\x01\x00\x00\x00"), nil),
		kerberostest.Init(nil, r.Raw(), make([]byte, 28)),
		[]byte("\x60\x10\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x06\x30\x04\xa0\x02\x30\x00"),
		[]byte("\xa1\x07\x30\x05\xa0\x03\x0a\x01\x01"),
	}
}

// FuzzToken: no header makes a panic, and what is accepted was made with a key.
func FuzzToken(f *testing.F) {
	w := newWorld(f, nil)
	for _, seed := range seeds(f, w) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		if len(token) == 0 {
			return
		}
		proof, err := w.send(t, kerberostest.Header(token))
		if err == nil && proof.Principal.Name != "alice@EXAMPLE.TEST" && proof.Principal.Name != "svc/host@EXAMPLE.TEST" {
			t.Errorf("%q was let in", proof.Principal.Name)
		}
		if err != nil && (proof.Reply != nil || proof.Principal.Name != "") {
			t.Errorf("refused, and yet %+v", proof)
		}
	})
}

// FuzzKeytab: whatever a file holds, it is a keytab or an error.
func FuzzKeytab(f *testing.F) {
	f.Add([]byte("\x05\x02"))
	f.Add([]byte("\x05\x01\x00\x00\x00\x04abcd"))
	f.Add([]byte("\x05\x02\x80\x00\x00\x00"))
	// One entry, HTTP/h@A, whose 16 bytes are too few for etype 18, and right for 17.
	for _, etype := range []string{"\x12", "\x11"} {
		f.Add([]byte("\x05\x02\x00\x00\x00\x2b\x00\x02\x00\x01A\x00\x04HTTP\x00\x01h\x00\x00\x00\x01\x00\x00\x00\x00\x01\x00" + etype + "\x00\x10aaaaaaaaaaaaaaaa"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parseKeytab(data)
		if err == nil && len(entries) == 0 {
			t.Error("a keytab without keys")
		}
		for _, e := range entries {
			if keySize(e.Etype) != 0 && len(e.key.KeyValue) != keySize(e.Etype) {
				t.Errorf("%+v", e)
			}
		}
	})
}

// FuzzRules: whatever the rule and the principal, no panic.
func FuzzRules(f *testing.F) {
	f.Add(`RULE:[1:$1@$0](.*@B\.TEST)s/@.*//g`, "alice", "A.TEST")
	f.Add(`RULE:[2:$1.$2@$0]`, "svc/host", "A.TEST")
	f.Add("DEFAULT", "alice", "A.TEST")
	f.Fuzz(func(t *testing.T, text, name, realm string) {
		rs, err := parseRules([]string{text}, "A.TEST")
		if err != nil {
			return
		}
		if p, err := newPrincipal(strings.Split(name, "/"), realm); err == nil {
			rs.name(p)
		}
	})
}

// A node is one element of DER, or bytes that are none.
type node struct {
	tag      byte
	value    []byte // of a leaf
	children []*node
}

// parse reads elements as far as they go.
func parse(b []byte, depth int) []*node {
	var all []*node
	for len(b) >= 2 && depth < 24 {
		size, head := int(b[1]), 2
		switch {
		case b[1] == 0x81 && len(b) > 2:
			size, head = int(b[2]), 3
		case b[1] == 0x82 && len(b) > 3:
			size, head = int(b[2])<<8|int(b[3]), 4
		case b[1] > 0x82:
			return append(all, &node{value: b})
		}
		if head+size > len(b) {
			return append(all, &node{value: b})
		}
		n := &node{tag: b[0], value: b[head : head+size]}
		if n.tag&0x20 != 0 || n.tag == 4 && size > 8 && (b[head] == 0x60 || b[head] == 0x30) {
			n.children = parse(n.value, depth+1)
		}
		all = append(all, n)
		b = b[head+size:]
	}
	if len(b) > 0 {
		all = append(all, &node{value: b})
	}
	return all
}

// write gives the bytes, every length right.
func (n *node) write() []byte {
	value := n.value
	if n.children != nil {
		value = nil
		for _, c := range n.children {
			value = append(value, c.write()...)
		}
	}
	if n.tag == 0 {
		return value
	}
	switch size := len(value); {
	case size < 0x80:
		return append([]byte{n.tag, byte(size)}, value...)
	case size < 0x100:
		return append([]byte{n.tag, 0x81, byte(size)}, value...)
	default:
		return append([]byte{n.tag, 0x82, byte(size >> 8), byte(size)}, value...)
	}
}

func (n *node) all() []*node {
	list := []*node{n}
	for _, c := range n.children {
		list = append(list, c.all()...)
	}
	return list
}

// mutate changes one to three elements and makes the lengths right again, which
// random bytes never are.
func mutate(b []byte, r *rand.Rand) []byte {
	root := &node{children: parse(b, 0)}
	for range 1 + r.IntN(3) {
		list := root.all()
		n := list[r.IntN(len(list))]
		switch r.IntN(9) {
		case 0: // empty
			n.value, n.children = nil, nil
		case 1: // cut
			if n.children == nil && len(n.value) > 0 {
				n.value = n.value[:r.IntN(len(n.value))]
			}
		case 2: // lengthen
			if n.children == nil {
				n.value = append(append([]byte{}, n.value...), make([]byte, r.IntN(300))...)
			}
		case 3: // flip
			if n.children == nil && len(n.value) > 0 {
				n.value = append([]byte{}, n.value...)
				n.value[r.IntN(len(n.value))] ^= 1 << r.IntN(8)
			}
		case 4: // another tag
			n.tag = byte(r.IntN(256))
		case 5: // one less
			if k := len(n.children); k > 0 {
				at := r.IntN(k)
				n.children = append(append([]*node{}, n.children[:at]...), n.children[at+1:]...)
			}
		case 6: // twice
			if k := len(n.children); k > 0 {
				n.children = append(n.children, n.children[r.IntN(k)])
			}
		case 7: // somebody else's
			other := list[r.IntN(len(list))]
			n.value, n.children = other.write(), nil
		case 8: // extreme numbers
			n.children = nil
			n.value = [][]byte{{0x80}, {0x7f, 0xff, 0xff, 0xff}, {0xff, 0xff, 0xff, 0xff, 0xff}, {0}}[r.IntN(4)]
		}
		if len(root.write()) > 20_000 {
			break
		}
	}
	return root.write()
}

// sometimes mutates what will be encrypted, one time in four.
func sometimes(r *rand.Rand) func([]byte) []byte {
	if r.IntN(4) > 0 {
		return nil
	}
	return func(b []byte) []byte { return mutate(b, r) }
}

// TestMutations: changed structure outside, and inside of what is encrypted,
// makes no panic. Nothing here catches one.
func TestMutations(t *testing.T) {
	const rounds = 20_000
	w := newWorld(t, func(c *Config) { c.InsecureRC4 = true }, kerberostest.Key{}, kerberostest.Key{Etype: 23})
	r := rand.New(rand.NewPCG(4120, 4178)) // the same ones each time
	all := seeds(t, w)
	for range rounds {
		token := mutate(all[r.IntN(len(all))], r)
		if len(token) == 0 {
			continue
		}
		_, _ = w.send(t, kerberostest.Header(token)) // a panic is what would fail
	}
	// With the service's key: a KDC, or a client that can have things put into
	// its ticket.
	accepted := 0
	for range rounds / 4 {
		inner := w.request(t, kerberostest.Want{
			Key: kerberostest.Key{Etype: []int32{18, 23}[r.IntN(2)]},
			Part: func(p *messages.EncTicketPart) {
				p.CName.NameString = []string{"alice", "x"}[:r.IntN(3)]
				p.Key.KeyValue = p.Key.KeyValue[:len(p.Key.KeyValue)-r.IntN(2)]
				p.AuthorizationData = types.AuthorizationData{{ADType: 1, ADData: mutate([]byte("\x30\x0d\x30\x0b\xa0\x04\x02\x02\x00\x80\xa1\x03\x04\x01\x00"), r)}}
			},
			Authenticator: func(a *types.Authenticator) {
				a.CName.NameString = []string{"alice", "x"}[:r.IntN(3)]
				a.Cksum.Checksum = a.Cksum.Checksum[:r.IntN(25)]
				if r.IntN(2) == 0 {
					a.SubKey = types.EncryptionKey{KeyType: int32(r.IntN(30)) - 2, KeyValue: make([]byte, r.IntN(40))}
				}
				a.SeqNumber = int64(r.Uint64())
			},
			PartDER:          sometimes(r),
			AuthenticatorDER: sometimes(r),
		})
		mic := make([]byte, r.IntN(40))
		if _, err := w.judge(t.Context(), legacy.Credential{Authorization: kerberostest.Header(kerberostest.Init(nil, inner.Raw(), mic))}); err == nil {
			t.Error("a MIC of zeros was accepted")
		}
		if _, err := w.send(t, kerberostest.Header(inner.Raw())); err == nil {
			accepted++
		}
	}
	if accepted == 0 {
		t.Error("none of the inner ones was good: the test tests nothing")
	}
}
