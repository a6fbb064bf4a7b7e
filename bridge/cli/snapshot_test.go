package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/bridge/metrics"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
)

// assembled makes a snapshot of a configuration file with the given lines.
func assembled(t *testing.T, a *assembler, lines ...string) *snapshot {
	t.Helper()
	s, err := a.snapshot(loaded(t, lines...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.release)
	return s
}

func loaded(t *testing.T, lines ...string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jetbridge.yaml")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Source{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func newAssembler(t *testing.T, c *bridgetest.Clock) *assembler {
	t.Helper()
	hasher, err := fab.NewHasher(fab.HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return &assembler{
		hasher: hasher, metrics: metrics.New(metrics.Config{}), sink: record.Fanout{}, now: c.Now,
		log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// users makes a database; roles that it lacks are made too.
func users(t *testing.T, list ...fabtest.User) *fabtest.Database {
	t.Helper()
	db, err := fabtest.New(context.Background(), fabtest.Config{SQLite: filepath.Join(t.TempDir(), "airflow.db")}, list...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// decide asks about a GET of the Dags by that user, whose password is "secret".
func decide(s *snapshot, user string) bridge.Decision {
	pair := base64.StdEncoding.EncodeToString([]byte(user + ":secret"))
	return s.core.Decide(context.Background(), bridge.Request{
		Method: http.MethodGet, RawPath: "/api/v2/dags", Header: http.Header{"Authorization": {"Basic " + pair}},
	})
}

const secretLine = "modern: {secret: 'the secret of a test, long enough for HMAC with SHA-512, as it must be'}"

// TestNobodyBecomesSomebodyElse: the same names stand under other ids in the two
// databases, and each old user's token is for the user of that name.
func TestNobodyBecomesSomebodyElse(t *testing.T) {
	const n = 24
	var old, new []fabtest.User
	for i := range n {
		name := fmt.Sprintf("user%02d", i)
		old = append(old, fabtest.User{ID: int64(i + 1), Name: name, Hash: fabtest.HashOfSecret})
		// 7 and 24 have no common divisor: a shuffle in which nobody stays.
		new = append(new, fabtest.User{ID: int64((i*7+3)%n + 1), Name: name})
	}
	olds, news := users(t, old...), users(t, new...)
	s := assembled(t, newAssembler(t, bridgetest.NewClock(time.Now())),
		"airflow3: {url: 'http://127.0.0.1:1', auth_manager: fab, users: {dsn: '"+news.URL+"'}, secret_key: a key of Airflow 3}",
		"legacy: {auth_backends: [basic_auth, session], users: {dsn: '"+olds.URL+"'}, session: {backend: securecookie, secret_key: a key of Airflow 2}}", secretLine)
	for i, u := range old {
		want := fmt.Sprint(new[i].ID)
		for _, d := range []bridge.Decision{decide(s, u.Name), decideSession(t, s, u.ID)} {
			if d.Verdict != bridge.PassMinted || d.Principal.Name != u.Name || d.Claims.Subject != want || want == fmt.Sprint(u.ID) {
				t.Errorf("%s, %d in Airflow 2, by %s: %v as %q, want %s", u.Name, u.ID, d.Scheme, d.Verdict, d.Claims.Subject, want)
			}
		}
	}
}

// TestChangesCountWithinRecheck: a deactivated user is out after the configured
// time, in either database, and a changed password too.
func TestChangesCountWithinRecheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(olds, news *fabtest.Database) error
		want   record.Reason
	}{
		{"deactivated in Airflow 2", func(olds, _ *fabtest.Database) error {
			return olds.Exec(context.Background(), "UPDATE ab_user SET active = false")
		}, record.InactiveUser},
		{"another password", func(olds, _ *fabtest.Database) error {
			return olds.Exec(context.Background(), "UPDATE ab_user SET password = $1", fabtest.HashOfOther)
		}, record.WrongPassword},
		{"deactivated in Airflow 3", func(_, news *fabtest.Database) error {
			return news.Exec(context.Background(), "UPDATE ab_user SET active = false")
		}, record.NoUpstreamUser},
		{"gone from Airflow 3", func(_, news *fabtest.Database) error {
			return news.Exec(context.Background(), "DELETE FROM ab_user")
		}, record.NoUpstreamUser},
	} {
		t.Run(c.name, func(t *testing.T) {
			alice := fabtest.User{ID: 1, Name: "alice", Hash: fabtest.HashOfSecret}
			olds, news := users(t, alice), users(t, fabtest.User{ID: 2, Name: "alice"})
			at := bridgetest.NewClock(time.Now())
			s := assembled(t, newAssembler(t, at),
				"airflow3: {url: 'http://127.0.0.1:1', auth_manager: fab, users: {dsn: '"+news.URL+"', recheck: 5s}}",
				"legacy: {auth_backends: [basic_auth], users: {dsn: '"+olds.URL+"', recheck: 5s}}", secretLine)
			if d := decide(s, "alice"); d.Verdict != bridge.PassMinted {
				t.Fatalf("%v %s", d.Verdict, d.Reason)
			}
			if err := c.change(olds, news); err != nil {
				t.Fatal(err)
			}
			at.Advance(4 * time.Second)
			if d := decide(s, "alice"); d.Verdict != bridge.PassMinted {
				t.Errorf("within recheck: %v %s", d.Verdict, d.Reason)
			}
			at.Advance(2 * time.Second)
			if d := decide(s, "alice"); d.Verdict != bridge.Refuse || d.Reason != c.want {
				t.Errorf("after recheck: %v %q, want %q", d.Verdict, d.Reason, c.want)
			}
		})
	}
}

// TestPartsOutliveAReload: who is known stays known when the mode changes, and
// what is not used any more is closed.
func TestPartsOutliveAReload(t *testing.T) {
	db := users(t, fabtest.User{ID: 1, Name: "alice", Hash: fabtest.HashOfSecret})
	a := newAssembler(t, bridgetest.NewClock(time.Now()))
	lines := []string{
		"airflow3: {url: 'http://127.0.0.1:1', auth_manager: fab, users: {dsn: '" + db.URL + "'}}",
		"legacy: {auth_backends: [basic_auth]}", secretLine,
	}
	first, err := a.snapshot(loaded(t, lines...))
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.snapshot(loaded(t, append(lines, "migration: {mode: jwt_only}")...))
	if err != nil {
		t.Fatal(err)
	}
	if first.identity.old != second.identity.old || first.identity.new != first.identity.old || first.transport != second.transport {
		t.Error("a part was made twice for the same settings")
	}
	if first.core == second.core {
		t.Error("two configurations share a core")
	}
	third, err := a.snapshot(loaded(t, lines[0], lines[1], "modern: {secret: 'another secret of a test, long enough for HMAC with SHA-512 too'}"))
	if err != nil {
		t.Fatal(err)
	}
	if third.key == first.key {
		t.Error("another secret, the same key")
	}
	first.release()
	second.release()
	if d := decide(third, "alice"); d.Verdict != bridge.PassMinted {
		t.Errorf("a part in use was closed: %v %v", d.Verdict, d.Cause)
	}
	third.release()
	if len(a.shelf.parts) != 0 {
		t.Errorf("%d parts are left", len(a.shelf.parts))
	}
}

// TestReasonsAreOneList: the record has a word for each of legacy's.
func TestReasonsAreOneList(t *testing.T) {
	known := map[record.Reason]bool{}
	for _, r := range record.Reasons() {
		known[r] = true
	}
	for _, r := range legacy.Reasons() {
		if !known[record.Reason(r)] {
			t.Errorf("the record has no reason %q", r)
		}
	}
}
