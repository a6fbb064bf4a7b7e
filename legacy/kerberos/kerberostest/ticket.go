// Package kerberostest makes what Kerberos' tests need: tickets and tokens
// without a KDC ([Keys.Make]), good ones and every kind of bad one, the client's
// side of mutual authentication ([Request.CheckReply]), and a real KDC of MIT's
// for whoever wants one ([StartKDC]).
package kerberostest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Realm is the realm of everybody here, unless said otherwise.
const Realm = "EXAMPLE.TEST"

// A Key is one key of a service: HTTP/localhost@EXAMPLE.TEST, version 1 and
// etype 18 unless said otherwise. The same password is the same key.
type Key struct {
	Service, Realm string
	KVNO           uint8
	Etype          int32
	Password       string
}

func (k Key) filled() Key {
	if k.Service == "" {
		k.Service = "HTTP/localhost"
	}
	if k.Realm == "" {
		k.Realm = Realm
	}
	if k.KVNO == 0 {
		k.KVNO = 1
	}
	if k.Etype == 0 {
		k.Etype = 18
	}
	if k.Password == "" {
		k.Password = "a service's password"
	}
	return k
}

// Keys are a keytab.
type Keys struct{ table *keytab.Keytab }

// NewKeys makes a keytab; without keys, one with a key for each of HTTP/localhost
// and airflow/localhost.
func NewKeys(list ...Key) (*Keys, error) {
	if len(list) == 0 {
		list = []Key{{}, {Service: "airflow/localhost"}}
	}
	kt := keytab.New()
	for _, k := range list {
		k = k.filled()
		if err := kt.AddEntry(k.Service, k.Realm, k.Password, time.Now(), k.KVNO, k.Etype); err != nil {
			return nil, err
		}
	}
	return &Keys{kt}, nil
}

// Write writes the file, for its owner alone, in one step as ktadd and
// Kubernetes do.
func (k *Keys) Write(path string) error {
	data, err := k.table.Marshal()
	if err != nil {
		return err
	}
	next := filepath.Join(filepath.Dir(path), ".next-"+filepath.Base(path))
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// A Want says how a request differs from alice's good one for HTTP/localhost.
type Want struct {
	Client string // default alice
	Realm  string // of the client
	Key    Key    // the key under which the ticket stands
	// SessionEtype is the session key's; zero for the ticket's own.
	SessionEtype int32
	// Now is the client's and the KDC's time; zero for the present.
	Now time.Time
	// NoMutual asks for no AP-REP.
	NoMutual bool
	// Part, Authenticator and Request change what was made, before it is
	// encrypted or sent.
	Part          func(*messages.EncTicketPart)
	Authenticator func(*types.Authenticator)
	Request       func(*messages.APReq)
	// PartDER and AuthenticatorDER change the bytes that are encrypted.
	PartDER, AuthenticatorDER func([]byte) []byte
}

// A Request is an AP-REQ, and what its client remembers of it.
type Request struct {
	APReq   []byte
	Session types.EncryptionKey
	Auth    types.Authenticator
}

// Make makes a request.
func (k *Keys) Make(w Want) (Request, error) {
	w.Key = w.Key.filled()
	if w.Client == "" {
		w.Client = "alice"
	}
	if w.Realm == "" {
		w.Realm = Realm
	}
	if w.SessionEtype == 0 {
		w.SessionEtype = w.Key.Etype
	}
	if w.Now.IsZero() {
		w.Now = time.Now()
	}
	w.Now = w.Now.UTC()
	r := Request{Session: randomKey(w.SessionEtype)}
	ticket, err := k.ticket(w, r.Session)
	if err != nil {
		return r, err
	}
	if r.Auth, err = newAuthenticator(w); err != nil {
		return r, err
	}
	plain, err := r.Auth.Marshal()
	if err != nil {
		return r, err
	}
	if w.AuthenticatorDER != nil {
		plain = w.AuthenticatorDER(plain)
	}
	sealed, err := crypto.GetEncryptedData(plain, r.Session, keyusage.AP_REQ_AUTHENTICATOR, 0)
	if err != nil {
		return r, err
	}
	req := messages.APReq{PVNO: 5, MsgType: 14, APOptions: types.NewKrbFlags(), Ticket: ticket, EncryptedAuthenticator: sealed}
	if w.Request != nil {
		w.Request(&req)
	}
	r.APReq, err = req.Marshal()
	return r, err
}

func (k *Keys) ticket(w Want, session types.EncryptionKey) (messages.Ticket, error) {
	sname := types.NewPrincipalName(2, w.Key.Service)
	part := messages.EncTicketPart{
		Flags: types.NewKrbFlags(), Key: session, CRealm: w.Realm, CName: types.NewPrincipalName(1, w.Client),
		AuthTime: w.Now, StartTime: w.Now, EndTime: w.Now.Add(time.Hour),
	}
	if w.Part != nil {
		w.Part(&part)
	}
	plain, err := asn1.Marshal(part)
	if err != nil {
		return messages.Ticket{}, err
	}
	key, _, err := k.table.GetEncryptionKey(sname, w.Key.Realm, int(w.Key.KVNO), w.Key.Etype)
	if err != nil {
		return messages.Ticket{}, err
	}
	plain = asn1tools.AddASNAppTag(plain, asnAppTag.EncTicketPart)
	if w.PartDER != nil {
		plain = w.PartDER(plain)
	}
	sealed, err := crypto.GetEncryptedData(plain, key, keyusage.KDC_REP_TICKET, int(w.Key.KVNO))
	return messages.Ticket{TktVNO: 5, Realm: w.Key.Realm, SName: sname, EncPart: sealed}, err
}

func newAuthenticator(w Want) (types.Authenticator, error) {
	auth, err := types.NewAuthenticator(w.Realm, types.NewPrincipalName(1, w.Client))
	if err != nil {
		return auth, err
	}
	auth.CTime, auth.Cusec = w.Now, w.Now.Nanosecond()/1000
	flags := uint32(0x30)
	if !w.NoMutual {
		flags |= 2
	}
	auth.Cksum = Checksum(flags, nil)
	if w.Authenticator != nil {
		w.Authenticator(&auth)
	}
	return auth, nil
}

// Checksum is the one of GSS-API (RFC 4121 section 4.1.1) with these flags and
// that channel binding, of 16 bytes or none.
func Checksum(flags uint32, binding []byte) types.Checksum {
	sum := make([]byte, 24)
	sum[0] = 16
	copy(sum[4:20], binding)
	binary.LittleEndian.PutUint32(sum[20:], flags)
	return types.Checksum{CksumType: 0x8003, Checksum: sum}
}

func randomKey(etype int32) types.EncryptionKey {
	size := 16
	if etype == 18 || etype == 20 {
		size = 32
	}
	key := types.EncryptionKey{KeyType: etype, KeyValue: make([]byte, size)}
	rand.Read(key.KeyValue)
	return key
}

// Object identifiers of mechanisms, contents alone.
const (
	Krb5   = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
	MSKrb5 = "\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"
	NegoEx = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e"
	NTLM   = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"
)

const (
	gss    = cbasn1.Tag(0x60)
	spnego = "\x2b\x06\x01\x05\x05\x02"
)

func tag(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// Raw frames the request as a krb5 mechanism token, as requests-kerberos does.
func (r Request) Raw() []byte {
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(gss, func(b *cryptobyte.Builder) {
			oid(b, Krb5)
			b.AddBytes([]byte{1, 0})
			b.AddBytes(r.APReq)
		})
	})
}

// SPNEGO frames the request as curl does; mechs is the list, krb5 alone if empty.
func (r Request) SPNEGO(mechs ...string) []byte { return Init(mechs, r.Raw(), nil) }

// Init makes a negTokenInit. No mechs: krb5 alone; nil token or mic: none.
func Init(mechs []string, token, mic []byte) []byte {
	if len(mechs) == 0 {
		mechs = []string{Krb5}
	}
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(gss, func(b *cryptobyte.Builder) {
			oid(b, spnego)
			b.AddASN1(tag(0), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(tag(0), func(b *cryptobyte.Builder) { b.AddBytes(MechList(mechs)) })
					for n, value := range [][]byte{2: token, 3: mic} {
						if value != nil {
							b.AddASN1(tag(uint8(n)), func(b *cryptobyte.Builder) { b.AddASN1OctetString(value) })
						}
					}
				})
			})
		})
	})
}

// MechList is the DER of a list of mechanisms, over which a mechListMIC goes.
func MechList(mechs []string) []byte {
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, mech := range mechs {
				oid(b, mech)
			}
		})
	})
}

func oid(b *cryptobyte.Builder, contents string) {
	b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(contents)) })
}

// build is for what cannot fail: nothing here is larger than DER allows.
func build(add func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	add(&b)
	return b.BytesOrPanic()
}

// Header is the value of an Authorization header with that token.
func Header(token []byte) string { return "Negotiate " + base64.StdEncoding.EncodeToString(token) }

// A Reply is what a WWW-Authenticate header proved to the client.
type Reply struct {
	SPNEGO   bool
	Mech     string // of SPNEGO
	Mutual   bool   // whether an AP-REP was there, and right
	Sequence int64
	MIC      []byte
}

// CheckReply does with the header of an answer what a client does that wants the
// service to prove itself.
func (r Request) CheckReply(header string) (Reply, error) {
	var reply Reply
	text, ok := strings.CutPrefix(header, "Negotiate ")
	token, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(token) == 0 {
		return reply, fmt.Errorf("not a token: %q", header)
	}
	if token[0] == byte(tag(1)) {
		reply.SPNEGO = true
		if token, err = reply.readResp(token); err != nil || token == nil {
			return reply, err
		}
	}
	s := cryptobyte.String(token)
	var inner, mech cryptobyte.String
	var id []byte
	if !s.ReadASN1(&inner, gss) || !s.Empty() || !inner.ReadASN1(&mech, cbasn1.OBJECT_IDENTIFIER) || string(mech) != Krb5 ||
		!inner.ReadBytes(&id, 2) || string(id) != "\x02\x00" {
		return reply, errors.New("not the frame of an AP-REP")
	}
	var rep messages.APRep
	if err := rep.Unmarshal(inner); err != nil {
		return reply, err
	}
	plain, err := crypto.DecryptEncPart(rep.EncPart, r.Session, keyusage.AP_REP_ENCPART)
	if err != nil {
		return reply, err
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		return reply, err
	}
	if !part.CTime.Equal(r.Auth.CTime.Truncate(time.Second)) || part.Cusec != r.Auth.Cusec {
		return reply, errors.New("the AP-REP answers another request")
	}
	reply.Mutual, reply.Sequence = true, part.SequenceNumber
	return reply, nil
}

// readResp reads a negTokenResp that says completed, and gives its token.
func (reply *Reply) readResp(token []byte) ([]byte, error) {
	s := cryptobyte.String(token)
	var outer, seq, state, mech, mechOID cryptobyte.String
	var enum int
	var inner []byte
	var has bool
	if !s.ReadASN1(&outer, tag(1)) || !s.Empty() || !outer.ReadASN1(&seq, cbasn1.SEQUENCE) ||
		!seq.ReadASN1(&state, tag(0)) || !state.ReadASN1Enum(&enum) ||
		!seq.ReadASN1(&mech, tag(1)) || !mech.ReadASN1(&mechOID, cbasn1.OBJECT_IDENTIFIER) ||
		!seq.ReadOptionalASN1OctetString(&inner, &has, tag(2)) ||
		!seq.ReadOptionalASN1OctetString(&reply.MIC, nil, tag(3)) || !seq.Empty() {
		return nil, errors.New("not a negTokenResp")
	}
	if enum != 0 {
		return nil, fmt.Errorf("negState %d, not accept-completed", enum)
	}
	reply.Mech = string(mechOID)
	if !has {
		return nil, nil
	}
	return inner, nil
}
