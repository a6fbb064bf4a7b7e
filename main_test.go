package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/jetbridge/jetbridge/"

// imports is the architecture: what each package may import of ours, and why.
// A package that is not here does not belong to the tree.
var imports = []struct {
	pkg string
	may []string
	why string
}{
	{"legacy", nil, "the words of the old ways, nothing else"},
	{"legacy/airflowdb", []string{"legacy"}, "opens databases; says 'cannot tell now' in legacy's words"},
	{"legacy/lockout", []string{"legacy"}, "counts failures, of whichever scheme; says 'not now' in legacy's words"},
	{"legacy/queue", []string{"legacy"}, "the turns of whoever waits for something costly; says 'full' in legacy's words"},
	{"legacy/recheck", []string{"legacy"}, "tells a no from a cannot-tell by legacy's errors"},
	{"legacy/fab", []string{"legacy", "legacy/airflowdb", "legacy/queue", "legacy/recheck"}, "Airflow's user tables: read through airflowdb, remembered by recheck, hashed by turns"},
	{"legacy/fab/fabtest", []string{"legacy/airflowdb"}, "makes user tables for whoever tests against them"},
	{"legacy/basic", []string{"legacy"}, "one scheme, which knows no other"},
	{"legacy/session", []string{"legacy", "legacy/airflowdb", "legacy/fab", "legacy/recheck"}, "one scheme; its cookies name rows of ab_user, its sessions may be rows themselves"},
	{"legacy/kerberos", []string{"legacy"}, "one scheme, which knows no other"},
	{"legacy/kerberos/kerberostest", nil, "makers of tickets, and a KDC, for whoever tests against them"},
	{"legacy/openid", []string{"legacy"}, "one scheme, which knows no other"},
	{"legacy/openid/openidtest", nil, "an issuer of ID tokens, made with the standard library alone"},
	{"legacy/legacytest", []string{"legacy"}, "the conformance suite of every authenticator"},
	{"modern", nil, "the words of the new world, nothing else"},
	{"modern/token", []string{"modern"}, "mints and verifies modern's claims"},
	{"modern/gate", []string{"modern", "modern/token"}, "importable by anybody: it must not drag the bridge along"},
	{"modern/moderntest", []string{"modern"}, "makers of tokens, good and bad"},
	{"bridge/record", nil, "everybody fills it, so it may know nobody"},
	{"bridge/problem", nil, "one place makes bodies of refusals, from plain values"},
	{"bridge/route", nil, "a pure function of a path"},
	{"bridge/migration", nil, "a pure function of mode, scheme and calendar"},
	{"bridge/airflowcfg", nil, "Airflow's file format, for whoever needs it"},
	{"bridge/server", nil, "the home of gin: serves handlers, whatever they do"},
	{"bridge/demo", nil, "a stand-in that shared our token code would share our bugs"},
	{"bridge/translate", []string{"legacy", "modern"}, "the only place where old words become new ones"},
	{"bridge/directory", []string{"legacy", "legacy/fab", "legacy/airflowdb", "legacy/queue", "legacy/recheck"}, "Airflow 3's users, who live in FAB's tables too"},
	{"bridge", []string{"legacy", "modern", "modern/gate", "bridge/translate", "bridge/migration", "bridge/route", "bridge/record", "bridge/problem"}, "the decision core decides; it neither serves, nor stores, nor reads files"},
	{"bridge/bridgetest", []string{"bridge", "bridge/migration", "bridge/route", "bridge/translate", "legacy", "modern", "modern/gate", "modern/token"}, "makers of cores for tests"},
	{"bridge/proxy", []string{"bridge", "bridge/record", "bridge/problem"}, "carries a decision out"},
	{"bridge/apiv1", []string{"bridge", "bridge/record", "bridge/problem"}, "carries a decision out, in Airflow 2's words"},
	{"bridge/verify", []string{"bridge", "bridge/record", "bridge/problem", "bridge/route"}, "carries a decision out"},
	{"bridge/tokenapi", []string{"bridge", "bridge/record", "bridge/problem", "bridge/route", "legacy"}, "hands out tokens for what the core identified"},
	{"bridge/login", []string{"bridge", "bridge/record", "legacy", "legacy/fab", "legacy/session"}, "begins sessions for whom the old database knows"},
	{"bridge/metrics", []string{"bridge/record"}, "counts records; beside record, or the core would reach Prometheus and what that reaches"},
	{"bridge/store", []string{"bridge/record"}, "keeps what others record, behind their interfaces"},
	{"bridge/config", []string{"bridge/airflowcfg"}, "the operator's words, resolved; nobody's Config is known here"},
}

// everything is allowed to the one package that wires.
const everything = "bridge/cli"

// homes are the modules that live in one place each. Direct imports only.
var homes = []struct {
	prefix string
	in     []string
	why    string
}{
	{"github.com/gin-gonic/gin", []string{"bridge/server"}, "its recovery ends a cut stream as if it were whole, its router cleans paths: not on the proxied way"},
	{"github.com/golang-jwt/jwt", []string{"modern/token"}, "one place where a signature is trusted"},
	{"github.com/jcmturner/gokrb5", []string{"legacy/kerberos", "legacy/kerberos/kerberostest"}, "one place where a ticket is trusted"},
	{"github.com/coreos/go-oidc", []string{"legacy/openid"}, "one place judges ID tokens"},
	{"github.com/go-jose/go-jose", []string{"legacy/openid"}, "one place judges ID tokens"},
	{"github.com/MicahParks/jwkset", []string{"legacy/openid"}, "one place trusts an issuer's keys"},
	{"github.com/gorilla/sessions", []string{"legacy/session"}, "the interface of a store of sessions; nobody else keeps any"},
	{"github.com/jackc/pgx", []string{"legacy/airflowdb", "legacy/fab/fabtest"}, "databases are opened read-only, in one place"},
	{"github.com/go-sql-driver/mysql", []string{"legacy/airflowdb", "legacy/fab/fabtest"}, "the same, for MySQL and MariaDB"},
	{"modernc.org/sqlite", []string{"legacy/airflowdb", "legacy/fab/fabtest", "bridge/store", "bridge/demo"}, "read-only but for our own store and the demo's database"},
	{"github.com/spf13/cobra", []string{"bridge/cli"}, "commands are the cli's"},
	{"github.com/goccy/go-yaml", []string{"bridge/config"}, "one reader of the configuration"},
	{"github.com/prometheus", []string{"bridge/metrics"}, "one place counts"},
	{"github.com/fsnotify/fsnotify", []string{"bridge/cli"}, "only the reload watches files"},
	{"github.com/hashicorp/golang-lru", []string{"legacy/recheck", "legacy/lockout", "legacy/fab", "legacy/session", "bridge/directory", "modern/gate", "bridge", "bridge/login"}, "bounded memories"},
}

// reaches are rules on everything that a package reaches, however far.
var reaches = []struct{ from, mustNot, why string }{
	{"legacy", "github.com/golang-jwt/jwt", "the old ways never see a JWT"},
	{"legacy", "github.com/gin-gonic/gin", "the old ways serve nothing"},
	{"", "github.com/jcmturner/gokrb5/v8/spnego", "it takes the client's word for its realm, answers without an AP-REP, and panics: the acceptor is ours"},
	{"", "github.com/jcmturner/gokrb5/v8/service", "the same layer's other half"},
	{"modern", "github.com/gin-gonic/gin", "anybody may import the gate"},
	{"modern", "database/sql", "the new world asks no database"},
	{"modern", module + "legacy", "the new world does not know the old ways"},
	{"legacy", module + "modern", "the old ways do not know the new world"},
	{"legacy", module + "bridge", "who meets there must not depend on the meeting"},
	{"modern", module + "bridge", "who meets there must not depend on the meeting"},
	{"bridge=", "github.com/gin-gonic/gin", "the core decides; it does not serve"},
	{"bridge=", "database/sql", "the core decides; it does not store"},
	{"bridge=", "github.com/goccy/go-yaml", "the core decides; it does not read files"},
	{"bridge=", "github.com/spf13/cobra", "the core decides; it is not a command"},
	{"", "testing", "what is shipped does not test"},
}

type listed struct {
	ImportPath string
	Name       string
	Standard   bool
	Doc        string
	Imports    []string
	Deps       []string
	GoFiles    []string
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Standard,Doc,Imports,Deps,GoFiles", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestImports holds the tree to its table.
func TestImports(t *testing.T) {
	packages := map[string]listed{}
	for _, p := range list(t) {
		packages[strings.TrimPrefix(p.ImportPath, module)] = p
	}
	rows := map[string][]string{}
	for _, row := range imports {
		rows[row.pkg] = row.may
		if _, ok := packages[row.pkg]; !ok {
			t.Errorf("the table speaks of %s, which does not exist", row.pkg)
		}
	}
	for name, p := range packages {
		if name == everything || p.Name == "main" {
			continue // the wiring, and what hands over to it
		}
		may, ok := rows[name]
		if !ok {
			t.Errorf("%s has no row in the table: say what it may import, and why", name)
		}
		for _, imp := range p.Imports {
			if ours, is := strings.CutPrefix(imp, module); is && !slices.Contains(may, ours) {
				t.Errorf("%s imports %s, which its row does not allow", name, ours)
			}
		}
	}
}

// TestHomes keeps each third-party module where it belongs.
func TestHomes(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, home := range homes {
			for _, imp := range p.Imports {
				if strings.HasPrefix(imp, home.prefix) && !slices.Contains(home.in, name) {
					t.Errorf("%s imports %s: %s", name, imp, home.why)
				}
			}
		}
	}
}

// TestReach checks what is reached, however far.
func TestReach(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, rule := range reaches {
			if exact, is := strings.CutSuffix(rule.from, "="); is && name != exact {
				continue
			} else if !is && rule.from != "" && name != rule.from && !strings.HasPrefix(name, rule.from+"/") {
				continue
			}
			if strings.HasSuffix(name, "test") && rule.mustNot == "testing" {
				continue // makers and suites for tests are not shipped
			}
			for _, dep := range p.Deps {
				if dep == rule.mustNot || strings.HasPrefix(dep, rule.mustNot+"/") && rule.mustNot != "testing" {
					t.Errorf("%s reaches %s: %s", name, dep, rule.why)
				}
			}
		}
	}
}

// TestPackageComments: each package says what it promises, once.
func TestPackageComments(t *testing.T) {
	for _, p := range list(t) {
		if p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
