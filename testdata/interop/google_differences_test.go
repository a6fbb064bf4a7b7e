package interop

// googleDifferences are those of TestGoogle, by presentation. MIGRATION.md has the same list in words. None lets in
// whom Airflow 2 refused as a matter of who they are.
func googleDifferences() map[string]disagreement {
	all := map[string]disagreement{}
	list := func(d disagreement, names ...string) {
		for _, name := range names {
			all[name] = d
		}
	}
	list(disagreement{"500", "out", "what makes Airflow fail with a 500 is refused: google-auth compares a text with a number, and calls a key as if it were one of the other kind"},
		"exp as text", "iat null", "ES256 under the kid of the RSA key", "RS256 under the kid of the EC key", "signed by a stranger without a kid")
	list(disagreement{"in", "out", "a token counts from its nbf on (RFC 7519 section 4.1.5); google-auth does not look at it"}, "nbf in the future")
	list(disagreement{"in", "out", "what crit names must be understood, or the token does not count (RFC 7515 section 4.1.11)"}, "crit")
	list(disagreement{"in", "out", "tokens of other types say nothing of who shows them (RFC 8725 section 3.12)"}, "a logout token")
	list(disagreement{"in", "out", "verified is what says true; for Airflow every text but the empty one, and every number but 0, did"},
		"email_verified is the text false", "email_verified is a number")
	list(disagreement{"in", "out", "an address has one domain (C-25)"}, "e-mail of two domains")
	list(disagreement{"in", "out", "who has no user in Airflow 3 is nobody there"}, "a user of Airflow 2 alone")
	list(disagreement{"in", "out", "two servers may read such a token as two different ones (C-37)"}, "a claim twice, the last one good", "iss twice, the last one good")
	list(disagreement{"in", "out", "base64url in a token has no padding (RFC 7515 section 2)"}, "a padded signature")
	list(disagreement{"431", "in", "Airflow 2's server takes no header beyond 8190 bytes; Airflow 3 sees the bridge's own token"}, "ten kilobytes")
	return all
}
