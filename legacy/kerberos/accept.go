package kerberos

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/jetbridge/jetbridge/legacy"
)

// Bits of ap-options (RFC 4120 section 5.5.1) and of a ticket's flags (5.3).
const (
	useSessionKey        = 1
	mutualRequired       = 2
	invalidTicket        = 7
	transitPolicyChecked = 12
)

// An acceptance is what an AP-REQ proved.
type acceptance struct {
	name    string
	session types.EncryptionKey // of the ticket
	auth    types.Authenticator
	mutual  bool
}

// accept judges an AP-REQ (RFC 4120 section 3.2.3). The replay cache is asked
// last, so that only what would be accepted takes room in it.
func (a *Authenticator) accept(ctx context.Context, in message) (acceptance, error) {
	var req messages.APReq
	if err := req.Unmarshal(in.apReq); err != nil || req.PVNO != 5 || req.Ticket.TktVNO != 5 {
		return acceptance{}, malformed("an AP-REQ that cannot be read")
	}
	if req.APOptions.At(useSessionKey) == 1 {
		return acceptance{}, legacy.Rejected(legacy.MechanismNotSpoken, errors.New("a user-to-user ticket"))
	}
	ticket, err := a.openTicket(&req.Ticket)
	if err != nil {
		return acceptance{}, err
	}
	auth, err := a.openAuthenticator(req, ticket)
	if err != nil {
		return acceptance{}, err
	}
	found := acceptance{session: ticket.Key, auth: auth, mutual: req.APOptions.At(mutualRequired) == 1}
	if found.name, err = a.nameOf(ticket); err != nil {
		return acceptance{}, err
	}
	// From here on it is known who asks.
	if err := a.checkChecksum(&found); err != nil {
		return acceptance{}, legacy.Claimed(err, found.name)
	}
	if err := found.checkMIC(in); err != nil {
		return acceptance{}, legacy.Claimed(err, found.name)
	}
	if err := a.claim(ctx, req.EncryptedAuthenticator.Cipher, auth); err != nil {
		return acceptance{}, legacy.Claimed(err, found.name)
	}
	return found, nil
}

// openTicket decrypts a ticket by any key that may be its own, and checks what
// the KDC wrote. What the wire says of the service is a hint for the order of
// trial alone: the entry that fits names the service.
func (a *Authenticator) openTicket(t *messages.Ticket) (messages.EncTicketPart, error) {
	none := messages.EncTicketPart{}
	reject := func(why legacy.Reason, format string, args ...any) error {
		about := fmt.Sprintf("a ticket for %.80q, kvno %d, etype %d", t.SName.PrincipalNameString()+"@"+t.Realm, t.EncPart.KVNO, t.EncPart.EType)
		return legacy.Rejected(why, errors.New(about+": "+fmt.Sprintf(format, args...)))
	}
	if why := a.weak(t.EncPart.EType); why != "" {
		return none, reject(legacy.EncryptionNotAccepted, "%s", why)
	}
	if !longEnough(t.EncPart.EType, t.EncPart.Cipher) {
		return none, reject(legacy.MalformedCredential, "its ciphertext is too short")
	}
	plain, entry, found := a.decrypt(t)
	if !found {
		return none, reject(legacy.UnknownServiceKey, "%s", a.keys.get().missing(t))
	}
	var part messages.EncTicketPart
	if err := part.Unmarshal(plain); err != nil {
		return none, reject(legacy.MalformedCredential, "its encrypted part cannot be read")
	}
	if !a.serves(entry) {
		return none, reject(legacy.ServiceNotAllowed, "it is one for %s, which is not among the services", entry.Name())
	}
	now, start := a.cfg.Now(), part.StartTime
	if start.IsZero() {
		start = part.AuthTime // RFC 4120 section 5.3
	}
	switch {
	case part.Flags.At(invalidTicket) == 1 || start.Sub(now) > a.cfg.Skew:
		return none, reject(legacy.TicketNotYetValid, "valid from %s; here it is %s", stamp(start), stamp(now))
	case now.Sub(part.EndTime) > a.cfg.Skew:
		return none, reject(legacy.TicketExpired, "valid until %s; here it is %s", stamp(part.EndTime), stamp(now))
	case len(part.Transited.Contents) > 0 && part.Flags.At(transitPolicyChecked) != 1:
		// The KDC leaves it to us whether to believe the realms in between (RFC
		// 4120 section 2.7), and we have no way to know.
		return none, reject(legacy.RealmNotAllowed, "it came through other realms, and the KDC did not check them")
	}
	if why := a.weak(part.Key.KeyType); why != "" || len(part.Key.KeyValue) != keySize(part.Key.KeyType) {
		return none, reject(legacy.EncryptionNotAccepted, "its session key is of etype %d", part.Key.KeyType)
	}
	return part, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// decrypt tries the keys, and once more after a look at the file if none fits.
func (a *Authenticator) decrypt(t *messages.Ticket) ([]byte, Entry, bool) {
	keys := a.keys.current()
	for {
		for entry := range keys.candidates(t) {
			plain, err := crypto.DecryptEncPart(t.EncPart, entry.key, keyusage.KDC_REP_TICKET)
			if err == nil {
				return plain, entry, true
			}
		}
		newer := a.keys.refreshed()
		if newer == keys {
			return nil, Entry{}, false
		}
		keys = newer
	}
}

func (a *Authenticator) serves(e Entry) bool {
	return len(a.services) == 0 || slices.ContainsFunc(a.services, func(s service) bool { return s.matches(e.parts, e.Realm) })
}

// openAuthenticator decrypts what the client wrote under the session key, and
// holds it against the ticket: name and realm, or a client of a trusted realm
// could call itself a user of ours.
func (a *Authenticator) openAuthenticator(req messages.APReq, ticket messages.EncTicketPart) (types.Authenticator, error) {
	var auth types.Authenticator
	sealed := req.EncryptedAuthenticator
	if sealed.EType != ticket.Key.KeyType || !longEnough(sealed.EType, sealed.Cipher) {
		return auth, malformed("an authenticator that is not of the session key's etype, or too short for it")
	}
	mismatch := func(format string, args ...any) error {
		return legacy.Rejected(legacy.AuthenticatorMismatch, fmt.Errorf(format, args...))
	}
	plain, err := crypto.DecryptEncPart(sealed, ticket.Key, keyusage.AP_REQ_AUTHENTICATOR)
	if err != nil {
		return auth, mismatch("the authenticator is not under the ticket's session key")
	}
	if err := auth.Unmarshal(plain); err != nil || auth.AVNO != 5 || auth.Cusec < 0 || auth.Cusec > 999_999 {
		return auth, malformed("an authenticator that cannot be read")
	}
	if auth.CRealm != ticket.CRealm || !slices.Equal(auth.CName.NameString, ticket.CName.NameString) {
		return auth, mismatch("the authenticator names another client (%.80q) than the ticket (%.80q)",
			auth.CName.PrincipalNameString()+"@"+auth.CRealm, ticket.CName.PrincipalNameString()+"@"+ticket.CRealm)
	}
	if off := sentAt(auth).Sub(a.cfg.Now()); off.Abs() > a.cfg.Skew {
		return auth, legacy.Rejected(legacy.ClockSkew, fmt.Errorf("the client's clock is off by %v, more than %v (%s)",
			off.Round(time.Second), a.cfg.Skew, errorcode.Lookup(errorcode.KRB_AP_ERR_SKEW)))
	}
	if key := auth.SubKey; key.KeyType != 0 && len(key.KeyValue) != keySize(key.KeyType) {
		return auth, malformed("a subkey of the wrong length")
	}
	return auth, nil
}

func sentAt(auth types.Authenticator) time.Time {
	return auth.CTime.Add(time.Duration(auth.Cusec) * time.Microsecond)
}

// nameOf makes the name that Airflow knows of who the KDC says it is.
func (a *Authenticator) nameOf(ticket messages.EncTicketPart) (string, error) {
	p, err := newPrincipal(ticket.CName.NameString, ticket.CRealm)
	if err != nil {
		return "", legacy.Rejected(legacy.PrincipalNotAllowed, err)
	}
	if !slices.Contains(a.realms, p.realm) {
		return "", legacy.Claimed(legacy.Rejected(legacy.RealmNotAllowed, fmt.Errorf("the realm %s is not listed", p.realm)), p.String())
	}
	if why := p.reserved(); why != "" {
		return "", legacy.Claimed(legacy.Rejected(legacy.PrincipalNotAllowed, errors.New(why)), p.String())
	}
	name, ok := a.rules.name(p)
	if !ok {
		return "", legacy.Claimed(legacy.Rejected(legacy.PrincipalNotAllowed, errors.New("no rule of auth_to_local makes a name of it")), p.String())
	}
	return name, nil
}

// claim makes an authenticator count once. Its ciphertext stands for it: no
// other one opens to the same, however it is framed.
func (a *Authenticator) claim(ctx context.Context, cipher []byte, auth types.Authenticator) error {
	at := sentAt(auth)
	first, err := a.cfg.Replays.Claim(ctx, sha256.Sum256(cipher), at, at.Add(a.cfg.Skew))
	switch {
	case errors.Is(err, ErrFull):
		return legacy.Unavailable(legacy.ReplayCacheFull, err, time.Minute)
	case err != nil:
		return legacy.Unavailable(legacy.SourceUnavailable, err, 0)
	case !first:
		return legacy.Rejected(legacy.Replayed, fmt.Errorf("an authenticator of %s that was shown before", stamp(at)))
	}
	return nil
}

// weak says why an etype does not count; empty when it does.
func (a *Authenticator) weak(etype int32) string {
	switch {
	case keySize(etype) == 0:
		return "an encryption type that is not spoken here: aes256, aes128 (RFC 3962, RFC 8009) are"
	case etype == rc4 && !a.cfg.InsecureRC4:
		return "rc4-hmac is not accepted: give the service AES keys"
	}
	return ""
}

// usable says why an entry of the keytab does not count; empty when it does.
func (a *Authenticator) usable(e Entry) string {
	switch {
	case a.weak(e.Etype) != "":
		return a.weak(e.Etype)
	case !a.serves(e):
		return "not among the services"
	}
	return ""
}
