package fab_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
)

// Whom Unicode's folding makes the same is somebody else: neither let in nor in
// the way (C-25).
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

// Who spells one name in many ways pushes nobody out, nor their grace (C-24).
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
