package legacy

import (
	"errors"
	"time"
)

// What a caller may test for with errors.Is. The difference matters: "no" is
// a 401, "cannot tell now" is a 503, "not now, after so many failures" a 429.
var (
	ErrRejected    = errors.New("credential rejected")
	ErrUnavailable = errors.New("cannot tell now")
	ErrLockedOut   = errors.New("locked out")
)

// Reason says why a credential was not accepted. It goes into the record,
// never to the client. It is a closed set: see [Reasons].
type Reason string

// Why a credential was rejected ([ErrRejected]).
const (
	MalformedCredential Reason = "malformed_credential"
	UnknownUser         Reason = "unknown_user"
	AmbiguousUser       Reason = "ambiguous_user"
	InactiveUser        Reason = "inactive_user"
	WrongPassword       Reason = "wrong_password"
	NoPassword          Reason = "no_password"         // the row has no password at all
	UnknownHashFormat   Reason = "unknown_hash_format" // nothing that Werkzeug writes, or a cost beyond the bounds

	// Of sessions alone.
	SessionInvalid    Reason = "session_invalid"    // not signed with a key that counts
	SessionExpired    Reason = "session_expired"    //
	SessionUnknown    Reason = "session_unknown"    // no such row, or not one of Airflow 2's
	SessionUnreadable Reason = "session_unreadable" // holds what no session of Airflow 2's does
	SessionAnonymous  Reason = "session_anonymous"  // nobody has logged in
	SessionEnded      Reason = "session_ended"      // the password is another one since

	// Of OpenID alone.
	IDTokenExpired Reason = "id_token_expired"
	IDTokenInvalid Reason = "id_token_invalid" // not of that issuer, not for us, or it names nobody

	// Of Kerberos alone.
	NTLMOffered            Reason = "ntlm_offered"            // in Negotiate, for want of a ticket
	MechanismNotSpoken     Reason = "mechanism_not_spoken"    // not Kerberos first, a second leg, user-to-user
	UnknownServiceKey      Reason = "unknown_service_key"     // no key of the keytab opens the ticket
	EncryptionNotAccepted  Reason = "encryption_not_accepted" // RC4, or a type that is not spoken
	ServiceNotAllowed      Reason = "service_not_allowed"     // a ticket for a service that is not listed
	TicketExpired          Reason = "ticket_expired"
	TicketNotYetValid      Reason = "ticket_not_yet_valid"
	ClockSkew              Reason = "clock_skew"               // the client's clock and ours
	AuthenticatorMismatch  Reason = "authenticator_mismatch"   // it does not belong to the ticket
	Replayed               Reason = "replayed"                 // shown before
	RealmNotAllowed        Reason = "realm_not_allowed"        // not listed, or reached through unchecked ones
	PrincipalNotAllowed    Reason = "principal_not_allowed"    // host/, a name that could be read as another, no rule
	ChannelBindingMismatch Reason = "channel_binding_mismatch" // bound to a TLS channel that ends elsewhere
)

// Why it could not be told ([ErrUnavailable]).
const (
	SourceUnavailable Reason = "source_unavailable" // database, directory or token API out of reach
	ReplayCacheFull   Reason = "replay_cache_full"  // more authenticators than the bound allows
	HashQueueFull     Reason = "hash_queue_full"    // more passwords to check than the bound allows
)

// TooManyFailures is why nothing was judged ([ErrLockedOut]).
const TooManyFailures Reason = "too_many_failures" // of this account, or from this address

// Reasons lists every reason, for a test that no table forgets one.
func Reasons() []Reason {
	return []Reason{
		MalformedCredential, UnknownUser, AmbiguousUser, InactiveUser, WrongPassword,
		NoPassword, UnknownHashFormat,
		SessionInvalid, SessionExpired, SessionUnknown, SessionUnreadable, SessionAnonymous, SessionEnded,
		IDTokenExpired, IDTokenInvalid,
		NTLMOffered, MechanismNotSpoken, UnknownServiceKey, EncryptionNotAccepted, ServiceNotAllowed,
		TicketExpired, TicketNotYetValid, ClockSkew, AuthenticatorMismatch, Replayed, RealmNotAllowed,
		PrincipalNotAllowed, ChannelBindingMismatch,
		SourceUnavailable, HashQueueFull, ReplayCacheFull, TooManyFailures,
	}
}

// A Refusal is the error of every legacy package: what it is (ErrRejected,
// ErrUnavailable or ErrLockedOut), why, and the cause for the operator's log. Its text holds no
// credential.
type Refusal struct {
	Kind   error // one of the three
	Reason Reason
	Cause  error // may be nil
	// RetryAfter is when asking again makes sense; zero for unknown.
	RetryAfter time.Duration
	// Claimed is who the credential said it was; empty when it did not, or
	// nobody could read it.
	Claimed string
}

// Rejected makes the error for "mine, and no".
func Rejected(why Reason, cause error) *Refusal {
	return &Refusal{Kind: ErrRejected, Reason: why, Cause: cause}
}

// Unavailable makes the error for "cannot tell now".
func Unavailable(why Reason, cause error, retryAfter time.Duration) *Refusal {
	return &Refusal{Kind: ErrUnavailable, Reason: why, Cause: cause, RetryAfter: retryAfter}
}

// LockedOut makes the error for "not now, after so many failures".
func LockedOut(retryAfter time.Duration) *Refusal {
	return &Refusal{Kind: ErrLockedOut, Reason: TooManyFailures, RetryAfter: retryAfter}
}

// Claimed adds to err, if it is a [Refusal], who the credential said it was.
// Refusals are shared with others who wait for the same answer, so it is a copy.
func Claimed(err error, name string) error {
	var r *Refusal
	if !errors.As(err, &r) {
		return err
	}
	copied := *r
	copied.Claimed = name
	return &copied
}

func (e *Refusal) Error() string {
	s := e.Kind.Error() + ": " + string(e.Reason)
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap gives the kind and the cause, so that errors.Is finds both.
func (e *Refusal) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}
