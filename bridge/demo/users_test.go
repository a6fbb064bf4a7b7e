package demo_test

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/scrypt"

	"github.com/jetbridge/jetbridge/bridge/demo"
)

func TestHashesAreOfTheNames(t *testing.T) {
	for _, u := range demo.Users() {
		t.Run(u.Name, func(t *testing.T) {
			t.Parallel() // a second each under the race detector
			_, rest, _ := strings.Cut(u.Hash, "scrypt:32768:8:1$")
			salt, sum, _ := strings.Cut(rest, "$")
			key, err := scrypt.Key([]byte(u.Name), []byte(salt), 32768, 8, 1, 64)
			if err != nil || hex.EncodeToString(key) != sum {
				t.Errorf("not the hash of the name: %v", err)
			}
		})
	}
}

func TestDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "air flow.db")
	if err := demo.WriteDatabase(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), `SELECT u.id, u.username, r.id, r.name, u.password
		FROM ab_user u JOIN ab_user_role ur ON ur.user_id = u.id JOIN ab_role r ON r.id = ur.role_id WHERE u.active ORDER BY u.id`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var got []demo.User
	var roleIDs []int
	for rows.Next() {
		var u demo.User
		var roleID int
		if err := rows.Scan(&u.ID, &u.Name, &roleID, &u.Role, &u.Hash); err != nil {
			t.Fatal(err)
		}
		got, roleIDs = append(got, u), append(roleIDs, roleID)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(demo.Users(), got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{1, 5, 3}, roleIDs); diff != "" {
		t.Errorf("rows of Airflow's own roles: %s", diff)
	}
	if err := demo.WriteDatabase(t.Context(), path); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file that is there: %v", err)
	}
}

func TestScreen(t *testing.T) {
	var out bytes.Buffer
	if err := demo.Screen(&out, demo.Places{Program: "./jb", URL: "http://127.0.0.1:1/", Metrics: "http://127.0.0.1:2", Config: "/tmp/demo/jetbridge.yaml"}); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"http://127.0.0.1:1/api/v2/dags\n", "http://127.0.0.1:1/auth/token ", "http://127.0.0.1:1/auth/verify\n", "http://127.0.0.1:2/metrics ", "  ./jb why REQUEST_ID --config /tmp/demo/jetbridge.yaml\n", "jwt_only/' /tmp/demo/jetbridge.yaml\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	lines := strings.Split(text, "\n")
	if len(lines) > 45 || strings.Contains(text, "URL") || strings.Contains(text, "METRICS") || strings.Contains(text, "PROGRAM") || strings.Contains(text, "CONFIG") {
		t.Errorf("%d lines:\n%s", len(lines), text)
	}
	if w := ask(airflow(t, ""), "GET", "/api/v2/dags/greetings", "", bearer("3")); w.Code != 200 || !strings.Contains(text, "/dags/greetings") {
		t.Errorf("the Dag that it names: %d", w.Code)
	}
	if err := demo.Screen(closed{}, demo.Places{}); err == nil {
		t.Error("a broken pipe goes unnoticed")
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, os.ErrClosed }
