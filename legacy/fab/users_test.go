package fab_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
	"github.com/jetbridge/jetbridge/legacy/legacytest"
)

var people = []fabtest.User{
	{ID: 7, Name: "Alice", Email: "alice@Example.com", Hash: fabtest.HashOfSecret, Roles: []string{"Viewer", "Op"}},
	{ID: 3, Name: "bob", Hash: fabtest.HashOfOther},
	{ID: 4, Name: "gone", Hash: fabtest.HashOfSecret, Inactive: true, Roles: []string{"Admin"}},
	{ID: 5, Name: "undecided", Hash: fabtest.HashOfSecret, NullActive: true},
	{ID: 6, Name: "nopassword"},
	{ID: 8, Name: "oldhash", Hash: "md5$salt$0123"},
	{ID: 9, Name: "tooexpensive", Hash: "pbkdf2:sha256:999999999$salt$0123"},
	{ID: 10, Name: "alice@REALM", Hash: fabtest.HashOfOther},
	{ID: 11, Name: "jürgen", Hash: fabtest.HashOfSecret},
	{ID: 12, Name: "bob@example.org", Email: "other@example.org", Hash: fabtest.HashOfOther},
	{ID: 13, Name: "notbob", Email: "bob@example.org", Hash: fabtest.HashOfSecret},
}

// each runs f against the databases that Airflow's users may live in.
func each(t *testing.T, f func(t *testing.T, cfg fabtest.Config)) {
	for _, airflow2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("sqlite/airflow2=%t", airflow2), func(t *testing.T) {
			f(t, fabtest.Config{SQLite: filepath.Join(t.TempDir(), "airflow.db"), Airflow2: airflow2})
		})
		t.Run(fmt.Sprintf("postgresql/airflow2=%t", airflow2), func(t *testing.T) {
			f(t, fabtest.Config{Postgres: postgres(t), Airflow2: airflow2})
		})
		for _, collation := range []string{"utf8mb4_unicode_ci", "utf8mb4_bin"} {
			t.Run(fmt.Sprintf("%s/airflow2=%t", collation, airflow2), func(t *testing.T) {
				f(t, fabtest.Config{MySQL: mysql(t), Collation: collation, Airflow2: airflow2})
			})
		}
	}
}

func postgres(t *testing.T) string {
	t.Helper()
	return legacytest.Server(t, "JETBRIDGE_TEST_POSTGRES")
}

func mysql(t *testing.T) string {
	t.Helper()
	return legacytest.Server(t, "JETBRIDGE_TEST_MYSQL")
}

func newDatabase(t *testing.T, cfg fabtest.Config, users ...fabtest.User) *fabtest.Database {
	t.Helper()
	db, err := fabtest.New(t.Context(), cfg, users...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return db
}

// newUsers reads db with a Hasher of its own.
func newUsers(t *testing.T, db *fabtest.Database, cfg fab.Config) *fab.Users {
	t.Helper()
	return usersOf(t, airflowdb.Config{URL: db.URL}, cfg)
}

func usersOf(t *testing.T, db airflowdb.Config, cfg fab.Config) *fab.Users {
	t.Helper()
	var err error
	if cfg.DB, err = airflowdb.Open(db); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cfg.DB.Close() })
	if cfg.Hasher, err = fab.NewHasher(fab.HasherConfig{}); err != nil {
		t.Fatal(err)
	}
	users, err := fab.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return users
}

// reason is why err refuses; empty for nil.
func reason(err error) legacy.Reason {
	var r *legacy.Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	if err != nil {
		return "fault"
	}
	return ""
}

// C-25: a name is taken whole, or not at all.
func TestLookup(t *testing.T) {
	each(t, func(t *testing.T, cfg fabtest.Config) {
		users := newUsers(t, newDatabase(t, cfg, people...), fab.Config{})
		alice := legacy.User{ID: "7", Name: "Alice", Email: "alice@Example.com", Active: true, Roles: []string{"Op", "Viewer"}}
		for name, want := range map[string]struct {
			user   legacy.User
			reason legacy.Reason
		}{
			"Alice":                  {user: alice},
			"aLICE":                  {user: alice},
			"bob":                    {user: legacy.User{ID: "3", Name: "bob", Email: "bob@example.com", Active: true}},
			"gone":                   {user: legacy.User{ID: "4", Name: "gone", Email: "gone@example.com", Roles: []string{"Admin"}}},
			"undecided":              {user: legacy.User{ID: "5", Name: "undecided", Email: "undecided@example.com"}},
			"alice@Example.com":      {reason: legacy.UnknownUser}, // an address is no name
			"alice@realm":            {user: legacy.User{ID: "10", Name: "alice@REALM", Email: "alice@REALM@example.com", Active: true}},
			"alice@OTHER":            {reason: legacy.UnknownUser},
			"jürgen":                 {user: legacy.User{ID: "11", Name: "jürgen", Email: "jürgen@example.com", Active: true}},
			"nobody":                 {reason: legacy.UnknownUser},
			"Alice ":                 {reason: legacy.UnknownUser},
			"%":                      {reason: legacy.UnknownUser},
			"' OR 1=1 --":            {reason: legacy.UnknownUser},
			"alice@REALM@evil":       {reason: legacy.UnknownUser},
			`alice\@REALM`:           {reason: legacy.UnknownUser},
			"alice@":                 {reason: legacy.UnknownUser},
			"@REALM":                 {reason: legacy.UnknownUser},
			"\u0430lice":             {reason: legacy.UnknownUser}, // Cyrillic
			"al\u200bice":            {reason: legacy.UnknownUser},
			"":                       {reason: legacy.MalformedCredential},
			"ali\x00ce":              {reason: legacy.MalformedCredential},
			"ali\xffce":              {reason: legacy.MalformedCredential},
			strings.Repeat("x", 512): {reason: legacy.UnknownUser},
			strings.Repeat("x", 513): {reason: legacy.MalformedCredential},
		} {
			for range 2 { // asked, and remembered
				got, err := users.Lookup(t.Context(), name)
				if diff := cmp.Diff(want.user, got); diff != "" || reason(err) != want.reason {
					t.Errorf("%q: %v (-want +got):\n%s", name, err, diff)
				}
			}
		}
	})
}

// C-24: whatever the spelling, one principal comes out.
func TestVerifyPassword(t *testing.T) {
	each(t, func(t *testing.T, cfg fabtest.Config) {
		users := newUsers(t, newDatabase(t, cfg, people...), fab.Config{})
		for _, test := range []struct {
			name, password string
			as             string
			reason         legacy.Reason
		}{
			{"Alice", "secret", "Alice", ""},
			{"ALICE", "secret", "Alice", ""},
			{"alice", "Secret", "", legacy.WrongPassword},
			{"alice@Example.com", "secret", "Alice", ""},
			{"alice@example.com", "secret", "", legacy.UnknownUser}, // an address is exact
			{"bob", "other", "bob", ""},
			{"bob", "secret", "", legacy.WrongPassword},
			{"bob@example.org", "other", "bob@example.org", ""}, // the name, not notbob's address
			{"bob@example.org", "secret", "", legacy.WrongPassword},
			{"alice@REALM", "other", "alice@REALM", ""},
			{"gone", "secret", "", legacy.InactiveUser},
			{"undecided", "secret", "", legacy.InactiveUser},
			{"nopassword", "secret", "", legacy.NoPassword},
			{"oldhash", "secret", "", legacy.UnknownHashFormat},
			{"tooexpensive", "secret", "", legacy.UnknownHashFormat},
			{"nobody", "secret", "", legacy.UnknownUser},
			{"", "secret", "", legacy.MalformedCredential},
			{"alice", "", "", legacy.MalformedCredential},
			{"alice", "sec\xffret", "", legacy.MalformedCredential},
			{"alice", "sec\x00ret", "", legacy.WrongPassword},
			{"alice", strings.Repeat("x", 8193), "", legacy.MalformedCredential},
		} {
			for range 2 {
				p, err := users.VerifyPassword(t.Context(), test.name, test.password)
				if p.Name != test.as || reason(err) != test.reason {
					t.Errorf("%q with %q: %q, %v; want %q, %q", test.name, test.password, p.Name, err, test.as, test.reason)
				}
				if err == nil && p.Scheme != legacy.Basic || err != nil && !cmp.Equal(p, legacy.Principal{}) {
					t.Errorf("%q: principal %+v with error %v", test.name, p, err)
				}
				if err != nil && test.password != "" && strings.Contains(err.Error(), test.password) {
					t.Errorf("the error tells the password: %v", err)
				}
			}
		}
		p, err := users.VerifyPassword(t.Context(), "alice", "secret")
		if want := []string{"Op", "Viewer"}; err != nil || !cmp.Equal(p.Roles, want) || p.Subject != "" {
			t.Errorf("%+v, %v; want the roles %v and no subject", p, err, want)
		}
	})
}

// Two rows that answer to one name are nobody.
func TestAmbiguous(t *testing.T) {
	for _, cfg := range []fabtest.Config{{Postgres: postgres(t)}, {MySQL: mysql(t), Collation: "utf8mb4_bin"}} {
		db := newDatabase(t, cfg,
			fabtest.User{Name: "carol", Hash: fabtest.HashOfSecret}, fabtest.User{Name: "CAROL", Hash: fabtest.HashOfSecret})
		users := newUsers(t, db, fab.Config{})
		if _, err := users.Lookup(t.Context(), "carol"); reason(err) != legacy.AmbiguousUser {
			t.Errorf("Lookup: %v", err)
		}
		if _, err := users.VerifyPassword(t.Context(), "carol", "secret"); reason(err) != legacy.AmbiguousUser {
			t.Errorf("VerifyPassword: %v", err)
		}
	}
}

func TestGroups(t *testing.T) {
	for _, cfg := range []fabtest.Config{{SQLite: filepath.Join(t.TempDir(), "a.db")}, {Postgres: postgres(t)}, {MySQL: mysql(t)}} {
		db := newDatabase(t, cfg,
			fabtest.User{ID: 1, Name: "dana", Roles: []string{"Viewer", "opsRole"}, Groups: []string{"ops", "dev"}},
			fabtest.User{ID: 2, Name: "eve", Groups: []string{"dev"}})
		got, err := newUsers(t, db, fab.Config{}).Lookup(t.Context(), "dana")
		if want := []string{"Viewer", "devRole", "opsRole"}; err != nil || !cmp.Equal(got.Roles, want) {
			t.Errorf("roles %v, %v; want %v", got.Roles, err, want)
		}
	}
}

// Who is switched off is out within the recheck; who was known outlives an
// outage for the grace; nobody else comes in.
func TestRecheckAndGrace(t *testing.T) {
	each(t, func(t *testing.T, cfg fabtest.Config) {
		now := time.Unix(1_000_000, 0)
		db := newDatabase(t, cfg, people...)
		users := newUsers(t, db, fab.Config{OutageGrace: time.Minute, Now: func() time.Time { return now }})
		want := func(what, name, password string, reasons ...legacy.Reason) {
			t.Helper()
			_, err := users.VerifyPassword(t.Context(), name, password)
			if reason(err) != append(reasons, "")[0] {
				t.Errorf("%s: %s gets %v, want %v", what, name, err, reasons)
			}
		}
		change := func(query string) {
			t.Helper()
			if err := db.Exec(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
		want("at first", "alice", "secret")
		want("at first", "bob", "other")
		want("at first", "bob", "secret", legacy.WrongPassword)

		change("UPDATE ab_user SET password = '" + fabtest.HashOfOther + "' WHERE id = 7")
		change("UPDATE ab_user SET active = FALSE WHERE id = 3")
		now = now.Add(5 * time.Second)
		want("after the change", "alice", "secret", legacy.WrongPassword)
		want("after the change", "alice", "other")
		want("after the change", "bob", "other", legacy.InactiveUser)

		change("UPDATE ab_user SET password = '" + fabtest.HashOfSecret + "', active = TRUE WHERE id = 3")
		now = now.Add(5 * time.Second)
		want("after the next", "bob", "secret") // it was wrong before
		want("after the next", "alice", "other")
		want("after the next", "alice@Example.com", "other")

		change("ALTER TABLE ab_user RENAME TO ab_user_away")
		now = now.Add(10 * time.Second)
		want("in the outage", "alice", "other")
		want("in the outage", "alice", "secret", legacy.WrongPassword)
		want("in the outage", "jürgen", "secret", legacy.SourceUnavailable)
		want("in the outage", "alice@Example.com", "other")
		now = now.Add(54 * time.Second)
		want("at the end of the grace", "alice", "other")
		want("at the end of the grace", "alice@Example.com", "other")
		now = now.Add(time.Second)
		want("after the grace", "alice", "other", legacy.SourceUnavailable)
		want("after the grace", "alice@Example.com", "other", legacy.SourceUnavailable)

		change("ALTER TABLE ab_user_away RENAME TO ab_user")
		want("when it is back", "alice", "other")
	})
}

// Group tables that an upgrade brings are seen without a restart.
func TestUpgradeBringsGroups(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	db := newDatabase(t, fabtest.Config{SQLite: filepath.Join(t.TempDir(), "a.db"), Airflow2: true}, people...)
	users := newUsers(t, db, fab.Config{Now: func() time.Time { return now }})
	if _, err := users.Lookup(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		"CREATE TABLE ab_group (id INTEGER PRIMARY KEY, name TEXT)", "CREATE TABLE ab_user_group (user_id INTEGER, group_id INTEGER)",
		"CREATE TABLE ab_group_role (group_id INTEGER, role_id INTEGER)", "INSERT INTO ab_user_group VALUES (3, 1)",
		"INSERT INTO ab_group_role SELECT 1, id FROM ab_role WHERE name = 'Admin'",
	} {
		if err := db.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Minute)
	got, err := users.Lookup(t.Context(), "bob")
	if err != nil || !cmp.Equal(got.Roles, []string{"Admin"}) {
		t.Errorf("roles %v, %v", got.Roles, err)
	}
}

func TestAll(t *testing.T) {
	each(t, func(t *testing.T, cfg fabtest.Config) {
		db := newDatabase(t, cfg)
		var rows []string
		for i := range 1203 { // more than two pages
			rows = append(rows, fmt.Sprintf("(%d, 'user%d', 'user%d', '', '', TRUE)", 2*i+1, i, i))
		}
		if err := db.Exec(t.Context(), "INSERT INTO ab_user (id, username, email, first_name, last_name, active) VALUES "+strings.Join(rows, ", ")); err != nil {
			t.Fatal(err)
		}
		if err := db.Add(t.Context(), fabtest.User{ID: 100_000, Name: "last", Roles: []string{"Op"}, Inactive: true}); err != nil {
			t.Fatal(err)
		}
		users := newUsers(t, db, fab.Config{})
		n := 0
		var last legacy.User
		for user, err := range users.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			n, last = n+1, user
		}
		want := legacy.User{ID: "100000", Name: "last", Email: "last@example.com", Roles: []string{"Op"}}
		if diff := cmp.Diff(want, last); n != 1204 || diff != "" {
			t.Errorf("%d users, the last (-want +got):\n%s", n, diff)
		}
		for range users.All(t.Context()) {
			break // must not go on
		}
	})
}

func TestAllWithoutTables(t *testing.T) {
	db := newDatabase(t, fabtest.Config{SQLite: filepath.Join(t.TempDir(), "a.db")})
	users := newUsers(t, db, fab.Config{})
	if err := db.Exec(t.Context(), "DROP TABLE ab_user"); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range users.All(t.Context()) {
		if n++; !errors.Is(err, legacy.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d turns, want one with the error", n)
	}
}

func TestNew(t *testing.T) {
	db, err := airflowdb.Open(airflowdb.Config{URL: "sqlite:///" + filepath.Join(t.TempDir(), "a.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for name, cfg := range map[string]fab.Config{
		"no database":      {},
		"negative recheck": {DB: db, Recheck: -1},
		"negative grace":   {DB: db, OutageGrace: -1},
	} {
		if _, err := fab.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	users, err := fab.New(fab.Config{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := users.VerifyPassword(t.Context(), "a", "b"); err == nil || errors.Is(err, legacy.ErrRejected) {
		t.Errorf("without a hasher: %v", err)
	}
	for _, cfg := range []fab.HasherConfig{{Iterations: -1}, {Iterations: 1 << 30}, {Concurrent: -1}, {Queue: -1}, {Known: -1}} {
		if _, err := fab.NewHasher(cfg); err == nil {
			t.Errorf("%+v: accepted", cfg)
		}
	}
}

// TestAccount: a row by its id, which no name or address can be taken for, and a
// fingerprint that changes with the password alone.
func TestAccount(t *testing.T) {
	each(t, func(t *testing.T, cfg fabtest.Config) {
		db, err := fabtest.New(t.Context(), cfg, people...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close(context.Background()) })
		users := newUsers(t, db, fab.Config{})
		one, err := users.Account(t.Context(), people[0].ID)
		named, lookupErr := users.Lookup(t.Context(), people[0].Name)
		if err != nil || lookupErr != nil || !cmp.Equal(one.User, named) || one.Read.IsZero() {
			t.Fatalf("%+v, %v; by name %+v, %v", one, err, named, lookupErr)
		}
		for _, id := range []int64{-1, 0, 999, math.MaxInt32 + 1, math.MaxInt64} {
			if _, err := users.Account(t.Context(), id); !errors.Is(err, legacy.ErrRejected) {
				t.Errorf("%d: %v", id, err)
			}
		}
		if err := db.Exec(t.Context(), "UPDATE ab_user SET password = $1 WHERE id = $2", "another", people[0].ID); err != nil {
			t.Fatal(err)
		}
		fresh, err := newUsers(t, db, fab.Config{}).Account(t.Context(), people[0].ID)
		if err != nil || fresh.Password == one.Password {
			t.Errorf("%+v, %v", fresh, err)
		}
	})
}

// TestVerifyAccount: the fingerprint is that of the password which was compared, not
// of what somebody else has read since.
func TestVerifyAccount(t *testing.T) {
	db := newDatabase(t, fabtest.Config{SQLite: filepath.Join(t.TempDir(), "airflow.db")}, people...)
	users := newUsers(t, db, fab.Config{})
	id := people[0].ID
	one, err := users.VerifyAccount(t.Context(), "ALICE", "secret")
	same, accountErr := users.Account(t.Context(), id)
	if err != nil || accountErr != nil || !cmp.Equal(one.User, same.User) || one.Password != same.Password || one.Password == "" {
		t.Fatalf("%+v, %v; by id %+v, %v", one, err, same, accountErr)
	}
	if got, err := users.VerifyAccount(t.Context(), "alice", "wrong"); reason(err) != legacy.WrongPassword || !cmp.Equal(got, fab.Account{}) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := db.Exec(t.Context(), "UPDATE ab_user SET password = $1 WHERE id = $2", fabtest.HashOfOther, id); err != nil {
		t.Fatal(err)
	}
	old, err := users.VerifyAccount(t.Context(), "alice", "secret") // the row is remembered
	fresh, accountErr := newUsers(t, db, fab.Config{}).Account(t.Context(), id)
	if err != nil || accountErr != nil || old.Password != one.Password || fresh.Password == one.Password {
		t.Errorf("%+v, %v; in the database %+v, %v", old, err, fresh, accountErr)
	}
}
