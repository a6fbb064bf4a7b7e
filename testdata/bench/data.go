package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jetbridge/jetbridge/bridge/demo"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
	"github.com/jetbridge/jetbridge/modern"
	"github.com/jetbridge/jetbridge/modern/token"
	_ "modernc.org/sqlite"
)

const secret = "a secret of the benchmark, long enough for HMAC with SHA-512 to like it"

// clients are how many known clients the memory is measured with, principals how many of them the loads with many
// go through.
const (
	clients    = 100_000
	principals = 10_000
)

// firstSlow is the id of the first user behind the clients whose password is only guessed at: of those there are as
// many as principals.
const firstSlow = 1000 + clients

// data is what the bridge and its clients know: a database of users and sessions, and files with headers. The clients all have the
// password "secret" under a cheap hash, so that making them known takes seconds. The hash of the slow users costs what
// that of an Airflow does, and no password fits it.
type data struct{ dir string }

func (d data) file(name string) string { return filepath.Join(d.dir, name) }

func (d data) write(ctx context.Context) error {
	if err := demo.WriteDatabase(ctx, d.file("users.db")); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", d.file("users.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	slow := strings.Replace(fabtest.HashOfSecret, ":1000$", ":260000$", 1)
	for _, u := range []struct {
		name, hash string
		first, end int // ids, which the names end in
	}{{"user", fabtest.HashOfSecret, 1000, firstSlow}, {"slow", slow, firstSlow, firstSlow + principals}} {
		if _, err := db.ExecContext(ctx, `
WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2)
INSERT INTO ab_user (id, first_name, last_name, username, password, active, email)
SELECT i, 'F', 'L', ?3 || i, ?4, 1, ?3 || i || '@example.com' FROM n`, u.first, u.end, u.name, u.hash); err != nil {
			return err
		}
	}
	if _, err := db.ExecContext(ctx, `INSERT INTO ab_user_role (user_id, role_id) SELECT id, (SELECT min(id) FROM ab_role) FROM ab_user WHERE id >= 1000`); err != nil {
		return err
	}
	key, err := token.New(token.Config{Secret: []byte(secret)})
	if err != nil {
		return err
	}
	var basic, jwt, wrong []string
	for i := range clients {
		pair := fmt.Sprintf("user%d:secret", 1000+i)
		basic = append(basic, "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
		if i < principals {
			signed, _, err := key.Mint(modern.Claims{Subject: fmt.Sprint(1000 + i)}, 2*time.Hour)
			if err != nil {
				return err
			}
			jwt = append(jwt, "Authorization: Bearer "+signed)
		}
	}
	for i := range principals { // each for another one, or it would be remembered to be wrong
		pair := fmt.Sprintf("slow%d:wrong", firstSlow+i)
		wrong = append(wrong, "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	signed, rows, err := d.cookies(ctx, db)
	if err != nil {
		return err
	}
	for name, lines := range map[string][]string{
		"basic-1": basic[:1], "basic-10000": basic[:principals], "basic-100000": basic, "jwt-1": jwt[:1], "jwt-10000": jwt, "wrong": wrong,
		"securecookie-1": signed[:1], "securecookie-10000": signed, "database-1": rows[:1], "database-10000": rows,
	} {
		if err := os.WriteFile(d.file(name), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(d.file("send.lua"), []byte(sendLua), 0o600)
}

// basicAlone is the section legacy of who speaks Basic and nothing else.
const basicAlone = "auth_backends: [basic_auth]"

// config writes the bridge's configuration; legacy is what stands in that section.
func (d data) config(address, upstream, legacy string) (string, error) {
	text := fmt.Sprintf(`listen: %s
metrics: {listen: ""}
airflow3: {url: %s, auth_manager: fab, users: {dsn: 'sqlite:///users.db'}}
legacy: {%s}
modern: {secret: %q}
`, address, upstream, legacy, secret)
	path := d.file("jetbridge.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}
