package config

import (
	"fmt"
	"slices"
	"strings"
)

// minSecret is the shortest secret that is taken, in bytes. Airflow itself takes
// any that is not empty, and draws one of 24 characters where it finds none
// ([api_auth] jwt_secret in airflow/config_templates/config.yml); RFC 7518
// section 3.2 asks for 64 bytes under HS512.
const minSecret = 16

// published are secrets that stand in files which everybody has: Airflow's
// docker-compose.yaml, old defaults, and what people write into examples. They
// are in lower case, with "_" for "-": so are their other spellings compared.
func published() []string {
	return []string{
		"airflow_jwt_secret", "airflow_jwt_secret_lab", "airflow_secret_key", "temporary_key", "change_me", "changeme", "super_secret_key",
		"your_jwt_secret", "your_jwt_secret_here", "your_jwt_secret_key", "your_secret_key", "your_secret_key_here", "your_secure_secret_key_here",
		// Of Flask's secret_key: Bitnami's images, the community's chart.
		"a25mq1fhtuh3mnfrsk5kmeiyvvu2ymn0tgrpytvxv08=", "this is unsafe!",
		"your_random_string_here", "your_super_secret_key_change_me", "my_secret_jwt_key", "test_secret_key_for_jwt_signing_in_tests",
	}
}

// weakness says why whoever knows Airflow could sign what (a token, a cookie) with
// a guess at the secret; empty for a secret that nobody knows.
func weakness(secret Secret, what string) string {
	folded := strings.ToLower(strings.ReplaceAll(secret.Reveal(), "-", "_"))
	switch {
	case secret == "":
		return ""
	case slices.Contains(published(), folded):
		return "is published: it stands in a sample configuration, so that everybody can sign a " + what + " with it"
	case len(secret) < minSecret:
		return fmt.Sprintf("is shorter than %d bytes: it can be guessed from any %s that was signed with it", minSecret, what)
	case distinct(secret.Reveal()) < minDistinct:
		return fmt.Sprintf("has fewer than %d different bytes: it can be guessed from any %s that was signed with it", minDistinct, what)
	}
	return ""
}

// minDistinct is what any secret has that was drawn: 32 hexadecimal digits have
// fewer different ones once in 10^16.
const minDistinct = 5

func distinct(s string) int {
	var seen [256]bool
	n := 0
	for _, b := range []byte(s) {
		if !seen[b] {
			seen[b] = true
			n++
		}
	}
	return n
}
