package record

// Reason says why a request was refused. It is a closed set (see [Reasons]):
// the value of a log field, a metric's label and what `jetbridge why` explains.
type Reason string

// What was wrong with the request itself.
const (
	BadPath           Reason = "bad_path"            // dot segments, encoded slashes in the prefix, NUL, backslash
	BadMethod         Reason = "bad_method"          // CONNECT or TRACE
	DoubledCredential Reason = "doubled_credential"  // two Authorization headers
	ForbiddenHeader   Reason = "forbidden_header"    // an alias of a protected header where it cannot be removed
	BadGatewayHeaders Reason = "bad_gateway_headers" // X-Original-*/X-Forwarded-* missing, doubled or unparsable
	NeedsProxy        Reason = "needs_proxy"         // /api/v1 asked through /auth/verify
	APIv1SwitchedOff  Reason = "api_v1_switched_off" // /api/v1, where migration.api_v1 is false
	CrossOrigin       Reason = "cross_origin"        // an unsafe method from another origin
	BadRequest        Reason = "bad_request"         // unreadable body or the like
	FormToken         Reason = "form_token"          // of the login form, not its session's
	ForeignCookie     Reason = "foreign_cookie"      // in the place of the login page's own
	RateLimited       Reason = "rate_limited"        // too many posts of the login form
)

// What was wrong with the credential.
const (
	NoCredential           Reason = "no_credential"
	SchemeNotSpoken        Reason = "scheme_not_spoken"   // an unknown scheme, or one not configured
	SchemeSwitchedOff      Reason = "scheme_switched_off" // configured, but not allowed today
	MalformedCredential    Reason = "malformed_credential"
	UnknownUser            Reason = "unknown_user"
	AmbiguousUser          Reason = "ambiguous_user"
	InactiveUser           Reason = "inactive_user"
	WrongPassword          Reason = "wrong_password"
	NoPassword             Reason = "no_password"
	UnknownHashFormat      Reason = "unknown_hash_format"
	SessionInvalid         Reason = "session_invalid"
	SessionExpired         Reason = "session_expired"
	SessionUnknown         Reason = "session_unknown"
	SessionUnreadable      Reason = "session_unreadable"
	SessionAnonymous       Reason = "session_anonymous"
	SessionEnded           Reason = "session_ended"
	IDTokenExpired         Reason = "id_token_expired"
	IDTokenInvalid         Reason = "id_token_invalid"
	TooManyFailures        Reason = "too_many_failures"
	NTLMOffered            Reason = "ntlm_offered"
	MechanismNotSpoken     Reason = "mechanism_not_spoken"
	UnknownServiceKey      Reason = "unknown_service_key"
	EncryptionNotAccepted  Reason = "encryption_not_accepted"
	ServiceNotAllowed      Reason = "service_not_allowed"
	TicketExpired          Reason = "ticket_expired"
	TicketNotYetValid      Reason = "ticket_not_yet_valid"
	ClockSkew              Reason = "clock_skew"
	AuthenticatorMismatch  Reason = "authenticator_mismatch"
	Replayed               Reason = "replayed"
	RealmNotAllowed        Reason = "realm_not_allowed"
	PrincipalNotAllowed    Reason = "principal_not_allowed"
	ChannelBindingMismatch Reason = "channel_binding_mismatch"
	TokenExpired           Reason = "token_expired"
	TokenInvalid           Reason = "token_invalid"
)

// What was missing in Airflow 3.
const (
	NoUpstreamUser Reason = "no_upstream_user" // absent, inactive or twice in Airflow 3's directory
	NoRole         Reason = "no_role"          // no role that the auth manager knows
)

// What went wrong on the way.
const (
	SourceUnavailable    Reason = "source_unavailable"
	ReplayCacheFull      Reason = "replay_cache_full"
	HashQueueFull        Reason = "hash_queue_full"
	BodiesFull           Reason = "bodies_full"
	UpstreamUnreachable  Reason = "upstream_unreachable"
	UpstreamUnreadable   Reason = "upstream_unreadable" // it answered, and may have done what was asked
	UpstreamTimeout      Reason = "upstream_timeout"
	UpstreamRefusedToken Reason = "upstream_refused_token"
	Fault                Reason = "fault" // anything else: a defect
)
