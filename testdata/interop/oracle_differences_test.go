package interop

// A disagreement is what Airflow 2 and the bridge say of one credential, on purpose not the same. MIGRATION.md has
// the same list in words.
type disagreement struct{ airflow2, bridge, reason string }

// oracleDifferences are those of TestOracle, by person and way.
func oracleDifferences() map[string]disagreement {
	all := map[string]disagreement{}
	list := func(d disagreement, people []string, ways ...string) {
		for _, name := range people {
			for _, way := range ways {
				all[name+", "+way] = d
			}
		}
	}
	list(disagreement{"in", "out", "one digest, or none: no Airflow writes such a hash, and it can be guessed at no cost"},
		[]string{"sha256", "sha1", "md5", "sha512", "plain"}, "right", "upper case name", "by e-mail")
	list(disagreement{"500", "out", "what makes Airflow fail with a 500 is refused"},
		[]string{"no hash at all", "two dollars", "unknown method"}, "right", "wrong", "cut", "upper case name", "by e-mail")
	scrypt := []string{"scrypt by a later one"}
	list(disagreement{"500", "in", "Werkzeug before 2.3 cannot read scrypt, which later ones write"}, scrypt, "right", "upper case name", "by e-mail")
	list(disagreement{"500", "out", "Werkzeug before 2.3 cannot read scrypt, which later ones write"}, scrypt, "wrong", "cut")
	return all
}
