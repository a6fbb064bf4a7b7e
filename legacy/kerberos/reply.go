package kerberos

import (
	"bytes"
	"crypto/md5" // #nosec: RFC 4121 section 4.1.1.2 makes it the name of a channel binding
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/jetbridge/jetbridge/legacy"
)

// The checksum in which GSS-API hides what it asks for (RFC 4121 section 4.1.1).
const (
	gssChecksum = 0x8003
	mutualFlag  = 2
)

// checkChecksum reads the channel binding and the wish for mutual authentication
// out of the authenticator's checksum. One of another type, or none, asks for
// neither.
func (a *Authenticator) checkChecksum(found *acceptance) error {
	sum := found.auth.Cksum
	if sum.CksumType != gssChecksum {
		return nil
	}
	if len(sum.Checksum) < 24 || binary.LittleEndian.Uint32(sum.Checksum) != 16 {
		return malformed("a GSS-API checksum that cannot be read")
	}
	if binary.LittleEndian.Uint32(sum.Checksum[20:])&mutualFlag != 0 {
		found.mutual = true
	}
	bound := sum.Checksum[4:20]
	if a.cfg.Certificates == nil || bytes.Equal(bound, make([]byte, 16)) {
		return nil
	}
	if !slices.ContainsFunc(a.cfg.Certificates(), func(c *x509.Certificate) bool { return bytes.Equal(bound, binding(c)) }) {
		return legacy.Rejected(legacy.ChannelBindingMismatch, errors.New("the client bound its token to a TLS channel that does not end here"))
	}
	return nil
}

// binding is what a client that ends its TLS at this certificate puts into the
// checksum: the MD5 of gss_channel_bindings_struct with the application data
// alone (RFC 4121 section 4.1.1.2, RFC 5929 section 4).
func binding(cert *x509.Certificate) []byte {
	hash := sha256.New()
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		hash = sha512.New384()
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		hash = sha512.New()
	}
	hash.Write(cert.Raw)
	data := hash.Sum([]byte("tls-server-end-point:"))
	sum := md5.New()
	sum.Write(make([]byte, 16)) // no addresses
	_ = binary.Write(sum, binary.LittleEndian, uint32(len(data)))
	sum.Write(data)
	return sum.Sum(nil)
}

// key is what protects messages of the context (RFC 4121 section 2): we assert
// no subkey of our own.
func (found acceptance) key() types.EncryptionKey {
	if found.auth.SubKey.KeyType != 0 {
		return found.auth.SubKey
	}
	return found.session
}

// checkMIC verifies what protects the list of mechanisms, if anything does (RFC
// 4178 section 5). Beside RC4 it would be of another format, which nobody sends.
func (found acceptance) checkMIC(in message) error {
	if in.mic == nil {
		return nil
	}
	bad := legacy.Rejected(legacy.AuthenticatorMismatch, errors.New("the list of mechanisms was changed on its way"))
	key := found.key()
	if key.KeyType == rc4 || keySize(key.KeyType) == 0 {
		return bad
	}
	var mic gssapi.MICToken
	if err := mic.Unmarshal(in.mic, false); err != nil {
		return bad
	}
	mic.Payload = in.mechList
	if ok, err := mic.Verify(key, keyusage.GSSAPI_INITIATOR_SIGN); err != nil || !ok {
		return bad
	}
	return nil
}

// answer makes the token for the client, in base64: an AP-REP if it asked for
// one, in the framing that came in. Empty when nothing is due.
func (found acceptance) answer(in message) (string, error) {
	var rep []byte
	sequence := found.auth.SeqNumber // without an AP-REP ours is the client's own
	if found.mutual {
		var err error
		sequence = newSequence()
		if rep, err = found.apRep(sequence); err != nil {
			return "", err
		}
	}
	token := rep
	if in.spnego {
		mic, err := found.mic(in, sequence)
		if err != nil {
			return "", err
		}
		if token, err = negTokenResp(in.mech, rep, mic); err != nil {
			return "", err
		}
	}
	return base64.StdEncoding.EncodeToString(token), nil
}

// newSequence is random, not zero and below 2^30, as MIT's.
func newSequence() int64 {
	var b [4]byte
	rand.Read(b[:])
	return int64(binary.BigEndian.Uint32(b[:])&0x3fffffff) | 1
}

// apRep makes the framed AP-REP (RFC 4120 section 5.5.2): the client's own time
// under the session key. No subkey is asserted, for nothing is wrapped
// afterwards.
func (found acceptance) apRep(sequence int64) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.Tag(27).Constructed()|0x40, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tag(0), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(found.auth.CTime.UTC()) })
			b.AddASN1(tag(1), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(found.auth.Cusec)) })
			b.AddASN1(tag(3), func(b *cryptobyte.Builder) { b.AddASN1Int64(sequence) })
		})
	})
	part, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	sealed, err := crypto.GetEncryptedData(part, found.session, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		return nil, err
	}
	return frame(sealed)
}

func frame(sealed types.EncryptedData) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(tagGSS, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(oidKrb5) })
		b.AddBytes(idAPRep)
		b.AddASN1(asn1.Tag(15).Constructed()|0x40, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(tag(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(5) })
				b.AddASN1(tag(1), func(b *cryptobyte.Builder) { b.AddASN1Int64(15) })
				b.AddASN1(tag(2), func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(tag(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(sealed.EType)) })
						b.AddASN1(tag(2), func(b *cryptobyte.Builder) { b.AddASN1OctetString(sealed.Cipher) })
					})
				})
			})
		})
	})
	return b.Bytes()
}

// mic answers the client's own, over the same list; nil without one.
func (found acceptance) mic(in message, sequence int64) ([]byte, error) {
	if in.mic == nil {
		return nil, nil
	}
	mic := gssapi.MICToken{Flags: gssapi.MICTokenFlagSentByAcceptor, SndSeqNum: uint64(sequence), Payload: in.mechList}
	if err := mic.SetChecksum(found.key(), keyusage.GSSAPI_ACCEPTOR_SIGN); err != nil {
		return nil, err
	}
	return mic.Marshal()
}

// negTokenResp says accept-completed (RFC 4178 section 4.2.2), and names the
// mechanism as the client did.
func negTokenResp(mech, response, mic []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(tag(1), func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tag(0), func(b *cryptobyte.Builder) { b.AddASN1Enum(0) })
			b.AddASN1(tag(1), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(mech) })
			})
			if response != nil {
				b.AddASN1(tag(2), func(b *cryptobyte.Builder) { b.AddASN1OctetString(response) })
			}
			if mic != nil {
				b.AddASN1(tag(3), func(b *cryptobyte.Builder) { b.AddASN1OctetString(mic) })
			}
		})
	})
	return b.Bytes()
}
