package fab_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
)

// A collation of MySQL's takes more for the same than Airflow's other databases
// do: letters with and without accents, spaces at the end, what it ignores or has
// no character for. Nobody gets in by that (C-24).
func TestMySQLCollations(t *testing.T) {
	for _, collation := range []string{
		"utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_unicode_520_ci", "utf8mb4_uca1400_ai_ci", "utf8mb4_general_nopad_ci", "utf8mb4_turkish_ci",
		"utf8mb4_bin", "utf8mb4_nopad_bin", "utf8mb3_general_ci", "utf8mb3_bin", "latin1_swedish_ci", "latin1_bin", "latin1_general_cs",
	} {
		t.Run(collation, func(t *testing.T) {
			db := newDatabase(t, fabtest.Config{MySQL: mysql(t), Collation: collation},
				fabtest.User{ID: 1, Name: "Müller", Email: "Müller@example.com", Hash: fabtest.HashOfSecret},
				fabtest.User{ID: 2, Name: "admin", Hash: fabtest.HashOfSecret, Roles: []string{"Admin"}},
				fabtest.User{ID: 3, Name: "strasse", Hash: fabtest.HashOfSecret},
				fabtest.User{ID: 4, Name: "a?c", Hash: fabtest.HashOfSecret})
			users := newUsers(t, db, fab.Config{})
			for name, want := range map[string]string{
				"Müller": "Müller", "mülleR": "Müller", "MÜLLER": "", "Muller": "", "muller": "", "Mu\u0308ller": "",
				"ADMIN": "admin", "admin ": "", "admin	": "", " admin": "", "admin\u200b": "", "ádmin": "", "ａdmin": "", "admin\U0001F600": "",
				"straße": "", "strasse": "strasse", "a?c": "a?c", "A?C": "a?c", "a\u4e2dc": "", "a\U0001F600c": "",
				"Müller@example.com": "Müller", "Muller@example.com": "", "müller@example.com": "", "Müller@example.com ": "",
			} {
				p, err := users.VerifyPassword(t.Context(), name, "secret")
				if p.Name != want || reason(err) != map[bool]legacy.Reason{true: legacy.UnknownUser}[want == ""] {
					t.Errorf("%q: %q, %v; want %q", name, p.Name, err, want)
				}
			}
		})
	}
}

// The database of the tables need not be the one of the URL.
func TestMySQLSchema(t *testing.T) {
	made := newDatabase(t, fabtest.Config{MySQL: mysql(t)}, fabtest.User{ID: 1, Name: "dana", Roles: []string{"Op"}, Groups: []string{"ops"}})
	schema := made.URL[strings.LastIndex(made.URL, "/")+1:]
	for _, url := range []string{mysql(t), strings.TrimSuffix(made.URL, schema)} {
		got, err := usersOf(t, airflowdb.Config{URL: url, Schema: schema}, fab.Config{}).Lookup(t.Context(), "DANA")
		if want := []string{"Op", "opsRole"}; err != nil || !cmp.Equal(got.Roles, want) {
			t.Errorf("%s: roles %v, %v; want %v", url, got.Roles, err, want)
		}
	}
}

// The account that MIGRATION.md makes can read all that is needed, and no more.
func TestMySQLGrants(t *testing.T) {
	guide, err := os.ReadFile("../../MIGRATION.md")
	if err != nil {
		t.Fatal(err)
	}
	made := newDatabase(t, fabtest.Config{MySQL: mysql(t)},
		fabtest.User{ID: 1, Name: "dana", Hash: fabtest.HashOfSecret, Roles: []string{"Viewer"}, Groups: []string{"ops"}})
	schema := made.URL[strings.LastIndex(made.URL, "/")+1:]
	statements := regexp.MustCompile("(?m)^(CREATE USER|GRANT) .*jetbridge@'10.0.0.7'[^;]*").FindAllString(string(guide), -1)
	if len(statements) != 9 {
		t.Fatalf("MIGRATION.md has %d statements: %q", len(statements), statements)
	}
	account := "jb_" + schema[len(schema)-8:]
	t.Cleanup(func() {
		if err := made.Exec(context.Background(), "DROP USER IF EXISTS "+account+"@localhost"); err != nil {
			t.Error(err)
		}
	})
	for _, s := range statements {
		s = strings.NewReplacer("jetbridge@'10.0.0.7'", account+"@localhost", "ON airflow.", "ON "+schema+".").Replace(s)
		if err := made.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	db, err := airflowdb.Open(airflowdb.Config{URL: strings.Replace(made.URL, "tester:tester@", account+":change%20me@", 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	users, err := fab.New(fab.Config{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	got, err := users.Lookup(t.Context(), "dana")
	if want := []string{"Viewer", "opsRole"}; err != nil || !cmp.Equal(got.Roles, want) {
		t.Errorf("roles %v, %v; want %v", got.Roles, err, want)
	}
	n := 0
	for _, err := range users.All(t.Context()) {
		if n++; err != nil {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("%d users", n)
	}
	if err := made.Exec(t.Context(), "REVOKE SELECT ON "+schema+".ab_group FROM "+account+"@localhost"); err != nil {
		t.Fatal(err)
	}
	if users, err = fab.New(fab.Config{DB: db}); err != nil { // which remembers nothing
		t.Fatal(err)
	}
	if _, err := users.Lookup(t.Context(), "dana"); reason(err) != legacy.SourceUnavailable || !strings.Contains(err.Error(), "must read all three") {
		t.Errorf("with a grant missing: %v", err)
	}
	err = db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
		var last *string
		return tx.QueryRow(ctx, "SELECT last_login FROM "+db.Table("ab_user")).Scan(&last)
	})
	if err == nil {
		t.Error("the account reads what was not granted")
	}
}
