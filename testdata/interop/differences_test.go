package interop

import "fmt"

// deliberate are the tokens that the bridge answers otherwise than Airflow, each group with its reason. MIGRATION.md
// has the same list in words.
var deliberate = []struct {
	reason string
	answer string // the bridge's, in tokens.json's words
	tokens []string
}{
	{
		reason: "what makes Airflow fail with a 500 is refused",
		answer: "BAD",
		tokens: []string{
			"exp list", "exp object", "exp 1e400", "exp -1e400", "exp Infinity", "exp -Infinity",
			"nbf list", "nbf object", "nbf 1e400", "nbf -1e400", "nbf Infinity", "nbf -Infinity",
			"iat list", "iat object", "iat 1e400", "iat -1e400", "iat Infinity", "iat -Infinity",
			"extra claim 5000 deep",
		},
	},
	{
		reason: "a time is a number that every JSON library reads alike, or its plain digits as text",
		answer: "BAD",
		tokens: []string{
			"exp 10^30",
			"exp string with spaces and underscore", "exp fullwidth digits",
			"nbf string with spaces and underscore", "nbf fullwidth digits",
			"iat string with spaces and underscore", "iat fullwidth digits",
		},
	},
	{
		reason: "what two readers of JSON may read differently is refused: doubled members, other encodings, NaN",
		answer: "BAD",
		tokens: []string{
			"duplicate alg in header, last good", "duplicate sub, other last", "duplicate exp, past last", "duplicate exp, past first",
			"header BOM", "header with NaN member",
			"payload BOM", "payload UTF-16", "payload NaN extra", "payload lone surrogate escape",
		},
	},
	{
		reason: "no critical extension is understood, not even one that changes nothing",
		answer: "BAD",
		tokens: []string{"crit b64"},
	},
	{
		reason: "a token speaks of somebody",
		answer: "BAD",
		tokens: []string{"sub empty simple"},
	},
	{
		reason: "size and depth of a token are bounded",
		answer: "BAD",
		tokens: []string{
			"extra claim deep", "extra claim 900 deep", "jti 10000 characters",
			"very long (8 KiB claim)", "very long (40 KiB claim)", "very long (70 KiB claim)",
		},
	},
	{
		reason: "the size of a request's headers is bounded",
		answer: "431",
		tokens: []string{"very long (200 KiB claim)"},
	},
}

// deliberatePresentations are the ways to show a credential that the bridge answers otherwise.
var deliberatePresentations = []presentationDifference{
	{
		reason: "which of two Authorization headers counts must not depend on who reads them",
		answer: "400",
		presentations: []string{"two headers, first good", "two headers, last good", "two headers of two users",
			"two headers, equal"},
	},
	{
		reason:        "beside a Bearer the token cookie is taken away, so that Airflow sees no bad one to delete",
		without:       "Set-Cookie",
		presentations: []string{"good header, forged cookie", "good header, expired cookie"},
	},
	{
		reason:        "an empty token cookie is no credential, and nothing to delete",
		without:       "Set-Cookie",
		presentations: []string{"empty cookie", "two cookies, last empty"},
	},
}

// A presentationDifference is either another answer, of which answer is the status, or the same one without a
// header.
type presentationDifference struct {
	reason          string
	answer, without string
	presentations   []string
}

// expect tells whether the bridge's answer is the difference, and no other.
func (d presentationDifference) expect(direct, bridged answer) bool {
	if direct.text() == bridged.text() {
		return false
	}
	if d.answer != "" {
		return fmt.Sprint(bridged.Status) == d.answer
	}
	direct.Header = direct.Header.Clone()
	direct.Header.Del(d.without)
	return direct.text() == bridged.text()
}

// differences maps the tokens that are answered otherwise to the bridge's answer.
func differences() map[string]string {
	all := map[string]string{}
	for _, d := range deliberate {
		for _, name := range d.tokens {
			all[name] = d.answer
		}
	}
	return all
}

func presentationDifferences() map[string]presentationDifference {
	all := map[string]presentationDifference{}
	for _, d := range deliberatePresentations {
		for _, name := range d.presentations {
			all[name] = d
		}
	}
	return all
}

// deliberateRequests are the requests of requests.json that the bridge answers otherwise, with the status that it
// gives.
var deliberateRequests = []struct {
	reason  string
	manager string // only with this one
	status  int
	calls   []string
}{
	{
		reason: "who asks is judged before the body is read",
		status: 401,
		calls:  []string{`PATCH /api/v2/dags/<dag> {"is_paused": (Content-Type: application/json)`},
	},
	{
		reason: "a path that one server may read as an API's and another not is not forwarded",
		status: 400,
		calls:  []string{"GET /API/v2/dags admin", "GET /api%2Fv2/version admin"},
	},
	{
		reason: "Airflow 2's health page lives on for its monitors",
		status: 200,
		calls:  []string{"GET /health"},
	},
	{
		reason: "everything below /ui/ takes a JWT, also what is no address of Airflow's",
		status: 401,
		calls:  []string{"GET /ui/nothing"},
	},
}

func requestDifferences(manager string) map[string]int {
	all := map[string]int{}
	for _, d := range deliberateRequests {
		for _, call := range d.calls {
			if d.manager == "" || d.manager == manager {
				all[call] = d.status
			}
		}
	}
	return all
}

// demoRefuses are tokens that Airflow takes and the demo's stand-in does not: it reads JSON in UTF-8 alone, and the
// bridge before it bounds a request's headers.
var demoRefuses = []string{
	"header with NaN member", "payload NaN extra", "payload UTF-16", "very long (200 KiB claim)",
}
