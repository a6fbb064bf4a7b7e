package kerberos

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/jetbridge/jetbridge/legacy"
)

// maxToken bounds a token in bytes. Windows' MaxTokenSize is 48,000.
const maxToken = 96 << 10

// Object identifiers as they stand in a token, without tag and length.
var (
	oidSPNEGO = []byte{0x2b, 0x06, 0x01, 0x05, 0x05, 0x02}                         // RFC 4178 section 4
	oidKrb5   = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}       // RFC 4121 section 4.1
	oidMSKrb5 = []byte{0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02}       // Microsoft's, off by a bit
	oidNTLM   = []byte{0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a} // MS-NLMP
	oidIAKERB = []byte{0x2b, 0x06, 0x01, 0x05, 0x02, 0x05}                         // draft-ietf-kitten-iakerb
	ntlm      = []byte("NTLMSSP\x00")                                              // what NTLM's own messages begin with
	tagGSS    = asn1.Tag(0).Constructed() | 0x40                                   // RFC 2743 section 3.1
	tagAPReq  = asn1.Tag(14).Constructed() | 0x40                                  // RFC 4120 section 5.5.1
)

// tag is a context-specific, constructed one, as [n] EXPLICIT is written.
func tag(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }

// Token ids of the krb5 mechanism (RFC 4121 section 4.1).
var (
	idAPReq = []byte{0x01, 0x00}
	idAPRep = []byte{0x02, 0x00}
)

// A message is what a token asks for: an AP-REQ, and the framing that its answer
// must have.
type message struct {
	apReq  []byte
	spnego bool
	// Of SPNEGO: the mechanism as the client listed it, the DER of its list, and
	// what protects the list, if anything.
	mech     []byte
	mechList []byte
	mic      []byte
}

func malformed(what string) error {
	return legacy.Rejected(legacy.MalformedCredential, errors.New(what))
}

// parseHeader takes the token out of a Negotiate header. The scheme is compared
// without case; base64 may lack its padding, as MIT's and Apache's may.
func parseHeader(header string) ([]byte, error) {
	header = strings.Trim(header, " \t")
	end := strings.IndexAny(header, " \t")
	if end < 0 || !strings.EqualFold(header[:end], negotiate) {
		return nil, malformed("no token behind the scheme")
	}
	text := strings.TrimLeft(header[end:], " \t")
	if len(text) > base64.StdEncoding.EncodedLen(maxToken) {
		return nil, malformed("a token beyond 96 KiB")
	}
	bare := strings.TrimRight(text, "=")
	if len(text)-len(bare) > 2 || strings.ContainsAny(bare, "\r\n") {
		return nil, malformed("not base64")
	}
	token, err := base64.RawStdEncoding.DecodeString(bare)
	if err != nil || len(token) == 0 {
		return nil, malformed("not base64")
	}
	return token, nil
}

// parseToken tells the framings apart by their first bytes. Every length must
// cover its contents exactly.
func parseToken(token []byte) (message, error) {
	if bytes.HasPrefix(token, ntlm) {
		return message{}, offeredNTLM()
	}
	if token[0] == byte(tag(1)) {
		return message{}, legacy.Rejected(legacy.MechanismNotSpoken, errors.New("a second leg of SPNEGO, of which nobody knows the first"))
	}
	s := cryptobyte.String(token)
	var inner, oid cryptobyte.String
	if !s.ReadASN1(&inner, tagGSS) || !s.Empty() || !inner.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) {
		return message{}, malformed("not a GSS-API token")
	}
	switch {
	case bytes.Equal(oid, oidSPNEGO):
		return parseInit(inner)
	case bytes.Equal(oid, oidKrb5):
		apReq, err := parseKrb5(inner)
		return message{apReq: apReq}, err
	}
	return message{}, notSpoken(oid)
}

// parseKrb5 takes the AP-REQ out of a mechanism token (RFC 4121 section 4.1).
func parseKrb5(s cryptobyte.String) ([]byte, error) {
	var id []byte
	if !s.ReadBytes(&id, 2) || !bytes.Equal(id, idAPReq) {
		return nil, malformed("a krb5 token that is no AP-REQ")
	}
	whole := []byte(s)
	if !s.SkipASN1(tagAPReq) || !s.Empty() {
		return nil, malformed("an AP-REQ whose length is wrong")
	}
	return whole, nil
}

// parseInit reads a negTokenInit (RFC 4178 section 4.2.1). Our mechanism must
// come first: another one would need a second leg, and so a connection that
// remembers its first.
func parseInit(s cryptobyte.String) (message, error) {
	in := message{spnego: true}
	var choice, init, list, oid cryptobyte.String
	if !s.ReadASN1(&choice, tag(0)) || !s.Empty() || !choice.ReadASN1(&init, asn1.SEQUENCE) || !choice.Empty() ||
		!init.ReadASN1(&list, tag(0)) {
		return in, malformed("not a negTokenInit")
	}
	in.mechList = list
	var mechs cryptobyte.String
	if !list.ReadASN1(&mechs, asn1.SEQUENCE) || !list.Empty() {
		return in, malformed("not a list of mechanisms")
	}
	if mechs.Empty() {
		return in, legacy.Rejected(legacy.MechanismNotSpoken, errors.New("an empty list of mechanisms"))
	}
	if !mechs.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) {
		return in, malformed("not a list of mechanisms")
	}
	var inner []byte // nil if absent, as the MIC: an empty one is there, and wrong
	if !init.SkipOptionalASN1(tag(1)) || !init.ReadOptionalASN1OctetString(&inner, nil, tag(2)) ||
		!init.ReadOptionalASN1OctetString(&in.mic, nil, tag(3)) || !init.Empty() {
		return in, malformed("not a negTokenInit")
	}
	switch {
	case bytes.HasPrefix(inner, ntlm):
		return in, offeredNTLM()
	case !bytes.Equal(oid, oidKrb5) && !bytes.Equal(oid, oidMSKrb5):
		return in, notSpoken(oid)
	case inner == nil:
		return in, legacy.Rejected(legacy.MechanismNotSpoken, errors.New("no token of the mechanism, which would need a second leg"))
	}
	in.mech = oid
	// Inside, Windows too writes the standard identifier (RFC 4178 appendix D).
	frame := cryptobyte.String(inner)
	var body, id cryptobyte.String
	if !frame.ReadASN1(&body, tagGSS) || !frame.Empty() || !body.ReadASN1(&id, asn1.OBJECT_IDENTIFIER) || !bytes.Equal(id, oidKrb5) {
		return in, malformed("SPNEGO around what is no krb5 token")
	}
	var err error
	in.apReq, err = parseKrb5(body)
	return in, err
}

func notSpoken(oid []byte) error {
	what := "a mechanism that is not Kerberos comes first"
	switch {
	case bytes.Equal(oid, oidNTLM):
		return offeredNTLM()
	case bytes.Equal(oid, oidIAKERB):
		what = "IAKERB, which would have us ask the KDC for the client"
	case bytes.Equal(oid, oidMSKrb5):
		what = "Microsoft's identifier of Kerberos outside of SPNEGO"
	}
	return legacy.Rejected(legacy.MechanismNotSpoken, errors.New(what))
}

func offeredNTLM() error {
	return legacy.Rejected(legacy.NTLMOffered, errors.New("the client has no ticket for this host's name and fell back to NTLM"))
}
