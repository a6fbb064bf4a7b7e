package record

// An explanation is a reason's meaning and what to do about it.
type explanation struct {
	reason        Reason
	meaning, todo string
}

// Reasons lists every reason, in the order in which they are documented.
func Reasons() []Reason {
	list := make([]Reason, 0, 40)
	for _, e := range explanations() {
		list = append(list, e.reason)
	}
	return list
}

// Explain tells the operator in two or three plain sentences what a reason
// means and what to do; empty for what is no reason.
func Explain(why Reason) string {
	for _, e := range explanations() {
		if e.reason == why {
			return e.meaning + " " + e.todo
		}
	}
	return ""
}

func explanations() []explanation {
	return []explanation{
		{BadPath,
			"The path holds what another server could read differently: dot segments, a backslash, control characters, an encoded slash before the resource, or an API path in other case or with doubled slashes.",
			"Correct the URL that the client builds."},
		{BadMethod,
			"The method was CONNECT, which asks for a tunnel, or TRACE, which asks to be sent what Airflow is sent: no API of Airflow's knows either.",
			"Correct the client; a scanner sends them to find out what stands here."},
		{DoubledCredential,
			"The request carried two Authorization headers, so that it was not clear which one counts.",
			"Let the client, or the proxy in front that adds one, send a single header."},
		{ForbiddenHeader,
			"The request asked /auth/verify with a second spelling of a protected header, which only jetbridge's own proxy can remove.",
			"Let the gateway drop such headers, or send the traffic through the proxy."},
		{BadGatewayHeaders,
			"The X-Forwarded-* or X-Original-* headers of the proxy in front were missing, doubled or unreadable.",
			"Correct that proxy's configuration, and list it in trusted_proxies only if it sets those headers itself."},
		{NeedsProxy,
			"/api/v1 was asked through /auth/verify, but its requests must be translated.",
			"Send /api/v1 through jetbridge's proxy."},
		{CrossOrigin,
			"A browser sent a changing request from a page of another origin, with a credential that browsers send unasked.",
			"If that page may act here, use a token, or add its origin to access_control_allow_origins."},
		{BadRequest,
			"The request could not be read: its body or a parameter is malformed.",
			"Look at err in the log line, and correct the client."},
		{NoCredential,
			"The request carried no credential that counts.",
			"Send a token, or for a legacy client the credential that it used with Airflow 2."},
		{SchemeNotSpoken,
			"The credential is of a scheme that is unknown or not configured here, or the path takes tokens only.",
			"Add the scheme to legacy.auth_backends if it should count, or use a token."},
		{SchemeSwitchedOff,
			"The credential's scheme is configured, but migration.mode or migration.token_schemes does not allow it now.",
			"Move the client to a token from POST /auth/token; to give it more time, set migration.mode: dual."},
		{MalformedCredential,
			"The credential could not be read as what it claims to be.",
			"Check how the client builds it, for Basic the base64 and its colon."},
		{UnknownUser,
			"There is no such user where the old credentials are proven (legacy.users).",
			"Check the name, and that legacy.users names the right database."},
		{AmbiguousUser,
			"More than one user answers to that name.",
			"Rename one of them: names that differ only in case are the same name here."},
		{InactiveUser,
			"The user is deactivated.",
			"Activate the user again if it should have access."},
		{WrongPassword,
			"The password is wrong.",
			"Correct it in the client; if it was changed, the new one counts within legacy.users.recheck."},
		{NoPassword,
			"The user has no password in the database, as users that LDAP or OAuth made.",
			"Set a password, or use airflow3.users.via: upstream so that Airflow 3 asks its own sources."},
		{UnknownHashFormat,
			"The stored password hash is of a format or a cost that Airflow never writes.",
			"Set the user's password anew with Airflow."},
		{TooManyFailures,
			"Nothing was judged, since too many attempts had failed, of this account or from this address.",
			"Look for claimed and client in the log lines before it, and correct who sends the wrong password. It ends by itself; legacy.lockout has the bounds, and a load balancer in front must be in trusted_proxies, or all clients are one address."},
		{NTLMOffered,
			"The client sent NTLM under the name of Negotiate: it found no Kerberos ticket for this host's name.",
			"Check that the client has a ticket (klist), that the KDC knows HTTP/ or airflow/ with the very host name of the URL, and that the client is in the realm."},
		{MechanismNotSpoken,
			"The token in Negotiate is not Kerberos first, is the second leg of an exchange, or belongs to a user-to-user ticket.",
			"Let the client offer Kerberos first; most do once they have a ticket for this host's name."},
		{UnknownServiceKey,
			"No key of the keytab opens the ticket.",
			"err in the log line names the service, version and type of the ticket, and what the keytab holds; jetbridge check lists the keytab."},
		{EncryptionNotAccepted,
			"The ticket or its session key is of an encryption type that is not accepted: rc4-hmac, des3, or one that is not spoken.",
			"Give the service AES keys at the KDC and write a new keytab; legacy.kerberos.insecure_rc4 is for the time until then."},
		{ServiceNotAllowed,
			"The ticket is one for a service that legacy.kerberos.service does not list.",
			"Let the client ask for a listed service (curl --service-name, HTTPKerberosAuth(service=…)), or list this one."},
		{TicketExpired,
			"The Kerberos ticket has expired.",
			"Let the client get a new one (kinit); if it is fresh, compare the clocks."},
		{TicketNotYetValid,
			"The Kerberos ticket does not count yet.",
			"Compare the clocks of this host and of the KDC; a postdated ticket has to wait."},
		{ClockSkew,
			"The clocks of the client and of this host differ by more than legacy.kerberos.clock_skew.",
			"Synchronise both; err in the log line says by how much they differ."},
		{AuthenticatorMismatch,
			"What the client wrote does not belong to its ticket: another name or realm, another key, or a changed list of mechanisms.",
			"No well-made client sends that: look at who does."},
		{Replayed,
			"The very same Kerberos token was shown before; each counts once.",
			"A proxy that sends requests twice is the usual cause (nginx: proxy_next_upstream off): a client makes a new token for each request. Otherwise somebody has copied one."},
		{RealmNotAllowed,
			"The client's realm is not among legacy.kerberos.realms, or its ticket came through realms that nobody checked.",
			"List the realm if its users may come, and let the KDC check the way to it (krb5.conf [capaths])."},
		{PrincipalNotAllowed,
			"The principal can never be a user: a machine's, the KDC's or the anonymous one, one whose text could be read as another, or one that no rule of legacy.kerberos.auth_to_local makes a name of.",
			"Use a user's or a service's own principal, or add a rule."},
		{ChannelBindingMismatch,
			"The client bound its token to a TLS channel that does not end at this bridge.",
			"If a proxy in front ends TLS, set legacy.kerberos.channel_bindings: off; otherwise somebody is in between."},
		{TokenExpired,
			"The token has expired.",
			"Let the client get a new one from POST /auth/token; if it is fresh, compare the clocks."},
		{TokenInvalid,
			"The token is not one that Airflow 3 would accept: signature, algorithm, audience, issuer or a claim is wrong.",
			"Get a new token; if new ones fail too, compare jwt_secret and [api_auth] jwt_audience on both sides with jetbridge check."},
		{NoUpstreamUser,
			"The client proved who it is, but Airflow 3 has no active user of that name, or two.",
			"Create or activate the user in Airflow 3; jetbridge users diff lists all of them."},
		{NoRole,
			"The user has no role that Airflow 3's auth manager knows.",
			"Give the user a role, or map its roles in the configuration."},
		{SourceUnavailable,
			"The credential could not be judged, since a database, a directory or Airflow's token API could not be asked.",
			"See err in the log line, and ask every part with jetbridge check."},
		{ReplayCacheFull,
			"More Kerberos tokens were accepted within the clock skew than are remembered.",
			"Let busy clients take a token from POST /auth/token instead of a ticket for each request."},
		{HashQueueFull,
			"More passwords waited to be checked than the bound allows.",
			"Usually many wrong passwords at once: look at who sends them. Known clients are not affected."},
		{UpstreamUnreachable,
			"Airflow 3 could not be reached.",
			"Check that it runs and that airflow3.url is right."},
		{UpstreamTimeout,
			"Airflow 3 did not answer in time.",
			"Look at its load and its log."},
		{UpstreamRefusedToken,
			"Airflow 3 refused a token that jetbridge had minted, twice; the client's credential was good.",
			"Compare jwt_secret, audience, issuer and the clocks of both with jetbridge check."},
		{Fault,
			"Something failed that should not: a defect in jetbridge or its surroundings.",
			"See err in the log line, and report it with the request id."},
	}
}
