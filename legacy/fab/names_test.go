package fab_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
)

// Whom Unicode's folding makes the same is somebody else: neither let in nor in
// the way.
func TestFoldsOnlyASCII(t *testing.T) {
	twins := []fabtest.User{
		{ID: 1, Name: "admİn", Hash: fabtest.HashOfOther}, // U+0130
		{ID: 2, Name: "admin", Hash: fabtest.HashOfSecret},
		{ID: 3, Name: "kevin", Hash: fabtest.HashOfSecret},
		{ID: 4, Name: "jürgen", Hash: fabtest.HashOfSecret},
	}
	each(t, func(t *testing.T, cfg fabtest.Config) {
		twins, twin := twins, "admİn"
		if strings.HasSuffix(cfg.Collation, "_ci") { // where such two cannot both be
			twins, twin = twins[1:], ""
		}
		users := newUsers(t, newDatabase(t, cfg, twins...), fab.Config{})
		for name, want := range map[string]string{
			"ADMIN": "admin", "admİn": twin, "ADMİN": twin, "admın": "",
			"KEVIN": "kevin", "\u212Aevin": "", "JüRGEN": "jürgen", "JÜRGEN": "",
		} {
			refused := map[bool]legacy.Reason{true: legacy.UnknownUser}[want == ""]
			user, err := users.Lookup(t.Context(), name)
			if user.Name != want || reason(err) != refused {
				t.Errorf("Lookup of %q: %q, %v; want %q", name, user.Name, err, want)
			}
			password := map[bool]string{true: "other", false: "secret"}[want == "admİn"]
			p, err := users.VerifyPassword(t.Context(), name, password)
			if p.Name != want || reason(err) != refused {
				t.Errorf("VerifyPassword of %q: %q, %v; want %q", name, p.Name, err, want)
			}
		}
	})
}

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
				"Müller": "Müller", "mülleR": "Müller", "MÜLLER": "", "Muller": "", "muller": "", "Müller": "",
				"ADMIN": "admin", "admin ": "", "admin	": "", " admin": "", "admin​": "", "ádmin": "", "ａdmin": "", "admin😀": "",
				"straße": "", "strasse": "strasse", "a?c": "a?c", "A?C": "a?c", "a中c": "", "a😀c": "",
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
		db, err := airflowdb.Open(airflowdb.Config{URL: url, Schema: schema})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		users, err := fab.New(fab.Config{DB: db})
		if err != nil {
			t.Fatal(err)
		}
		got, err := users.Lookup(t.Context(), "DANA")
		if want := []string{"Op", "opsRole"}; err != nil || !cmp.Equal(got.Roles, want) {
			t.Errorf("%s: roles %v, %v; want %v", db, got.Roles, err, want)
		}
	}
}

// Who spells one name in many ways pushes nobody out, nor their grace.
func TestSpellingsShareOneAnswer(t *testing.T) {
	each(t, func(t *testing.T, cfg fabtest.Config) {
		now := time.Unix(1_000_000, 0)
		db := newDatabase(t, cfg, people...)
		users := newUsers(t, db, fab.Config{OutageGrace: time.Minute, Size: 2, Now: func() time.Time { return now }})
		if _, err := users.VerifyPassword(t.Context(), "bob", "other"); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"alice", "Alice", "ALICE", "aLICE"} {
			users.VerifyPassword(t.Context(), name, "wrong")
		}
		if err := db.Exec(t.Context(), "ALTER TABLE ab_user RENAME TO ab_user_away"); err != nil {
			t.Fatal(err)
		}
		now = now.Add(10 * time.Second)
		if _, err := users.VerifyPassword(t.Context(), "bob", "other"); err != nil {
			t.Errorf("in an outage: %v", err)
		}
	})
}

// An address in another letter case, which is nobody's, is not in the way of the
// right one; and whoever takes an address for a name has it.
func TestAddresses(t *testing.T) {
	each(t, func(t *testing.T, cfg fabtest.Config) {
		now := time.Unix(1_000_000, 0)
		db := newDatabase(t, cfg, people...)
		users := newUsers(t, db, fab.Config{Now: func() time.Time { return now }})
		want := func(address, as string, refused legacy.Reason) {
			t.Helper()
			if p, err := users.VerifyPassword(t.Context(), address, "secret"); p.Name != as || reason(err) != refused {
				t.Errorf("%s: %q, %v", address, p.Name, err)
			}
		}
		want("alice@example.com", "", legacy.UnknownUser)
		want("alice@Example.com", "Alice", "")
		want("alice@example.com", "", legacy.UnknownUser)
		want("alice@Example.com", "Alice", "")
		if err := db.Add(t.Context(), fabtest.User{ID: 20, Name: "ALICE@example.com", Email: "new", Hash: fabtest.HashOfSecret}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(5 * time.Second)
		want("alice@Example.com", "ALICE@example.com", "")
	})
}
