package session

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/sessions"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/recheck"
)

// saltForm is ours: see [DatabaseStore.New].
const saltForm = "jetbridge-form"

// maxID is as wide as session.session_id.
const maxID = 255

// DatabaseConfig is what a [DatabaseStore] needs. It is copied.
type DatabaseConfig struct {
	Config
	// DB is Airflow 2's database; it stays the caller's to close. Saving needs one
	// that is Writable. It has no default.
	DB *airflowdb.DB
	// JSON writes rows in tagged JSON, as Airflow from 2.11.1 on reads them; else
	// they are pickled. Both are read.
	JSON bool
	// Recheck is the time within which the end of a session counts for
	// [DatabaseStore.Login]; one that ends by [DatabaseStore.Save] counts at once.
	// Zero: 5 s.
	Recheck time.Duration
	// OutageGrace is how much longer known sessions go on while the database
	// cannot be asked. Zero: not at all.
	OutageGrace time.Duration
}

// A DatabaseStore keeps sessions in Airflow 2's table. It implements
// [sessions.Store] and is safe for concurrent use.
//
// [sessions.Store]: https://pkg.go.dev/github.com/gorilla/sessions#Store
type DatabaseStore struct {
	cfg    DatabaseConfig
	signer signer
	forms  signer
	known  *recheck.Cache[known]
}

// A known session is what is remembered of a row.
type known struct {
	login  Login
	err    error // of a row that says nothing of a user
	expiry time.Time
}

// NewDatabaseStore makes a DatabaseStore. It asks the database nothing.
func NewDatabaseStore(cfg DatabaseConfig) (*DatabaseStore, error) {
	common, err := cfg.resolved()
	if err != nil {
		return nil, err
	}
	if cfg.DB == nil {
		return nil, errors.New("session: no database")
	}
	s := &DatabaseStore{cfg: cfg}
	s.cfg.Config = common
	if s.signer, err = newSigner(cfg.SecretKeys, saltDatabase); err == nil {
		s.forms, err = newSigner(cfg.SecretKeys, saltForm)
	}
	if err == nil {
		s.known, err = recheck.New[known](recheck.Config{Recheck: cfg.Recheck, Grace: cfg.OutageGrace, Size: cfg.Size, Now: common.Now})
	}
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return s, nil
}

// Get gives the request's session of that cookie's name: the same one each time
// that the request asks.
func (s *DatabaseStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New reads the session of the request's cookie, straight from the database.
// Without one it is a new session. A cookie that we or Airflow 2 signed and that
// has no row, or none that counts, is a new session under the same id: its
// csrf_token follows from the id, so that a login page needs no row for whoever
// looks at it. A cookie that somebody else signed is a new session too, with a
// [legacy.ErrRejected] that says why; so is it, with [legacy.ErrUnavailable],
// when the database cannot be asked.
func (s *DatabaseStore) New(r *http.Request, name string) (*sessions.Session, error) {
	made := sessions.NewSession(s, name)
	made.Options, made.IsNew = s.cfg.options(), true
	begin := func(id string) { made.ID = id; fill(made, Values{keyForever: true, keyForm: s.formToken(id)}) }
	begin(newID())
	value, ok := shown(r, name)
	if !ok {
		return made, nil
	}
	id, err := s.idOf(value)
	if err != nil {
		return made, refusal(err)
	}
	begin(id)
	row, err := s.read(r.Context(), id)
	switch {
	case err == nil && s.cfg.Now().Before(row.expiry):
		fill(made, row.values)
		made.IsNew = false
	case err != nil && errors.Is(refusal(err), legacy.ErrUnavailable):
		return made, refusal(err)
	}
	return made, nil
}

// Save writes the row and sets the cookie, or deletes both when the session's
// MaxAge is negative. An empty ID is drawn anew. A session in which nobody has
// logged in and nothing else happened is a cookie without a row.
func (s *DatabaseStore) Save(r *http.Request, w http.ResponseWriter, made *sessions.Session) error {
	if made.Options.MaxAge < 0 {
		err := s.cfg.DB.Write(r.Context(), func(ctx context.Context, tx airflowdb.Tx) error { return s.delete(ctx, tx, made.ID) })
		if err == nil {
			s.known.Forget(made.ID) // a logout here counts here at once
			s.cfg.setCookie(w, made, "")
		}
		return err
	}
	if made.ID == "" {
		made.ID = newID()
	}
	v, err := valuesOf(made)
	if err != nil {
		return err
	}
	if len(v) > 2 || v[keyForever] != true || v[keyForm] != s.formToken(made.ID) {
		if err := s.write(r.Context(), made, v); err != nil {
			return err
		}
		s.known.Forget(made.ID)
	}
	s.cfg.setCookie(w, made, s.signer.sign(made.ID))
	return nil
}

// Login says who logged in, of a cookie's value, and asks the database only when
// it has not done so within [DatabaseConfig.Recheck]. Its error is
// [legacy.ErrRejected] or [legacy.ErrUnavailable].
func (s *DatabaseStore) Login(ctx context.Context, value string) (Login, error) {
	id, err := s.idOf(unquoted(value))
	if err != nil {
		return Login{}, refusal(err)
	}
	k, err := s.known.Get(ctx, id, func(ctx context.Context) (known, error) {
		row, err := s.read(ctx, id)
		if err != nil {
			return known{}, refusal(err)
		}
		login, err := loginOf(row.values)
		return known{login, err, row.expiry}, nil
	})
	switch {
	case err != nil:
		return Login{}, err
	case !s.cfg.Now().Before(k.expiry):
		return Login{}, refusal(errExpired)
	}
	return k.login, k.err
}

// Count counts the sessions that have not run out, for whoever wants to know
// whether the table can be read.
func (s *DatabaseStore) Count(ctx context.Context) (n int, err error) {
	err = s.cfg.DB.Read(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
		query := "SELECT count(*) FROM " + s.table() + " WHERE session_id IS NOT NULL AND data IS NOT NULL AND expiry > " + s.time()
		return tx.QueryRow(ctx, query, naive(s.cfg.Now())).Scan(&n)
	})
	return n, err
}

// ErrFormat says that Airflow 2 could not read the sessions that begin here.
var ErrFormat = errors.New("session: Airflow 2 keeps its rows in JSON, as from 2.11.1 on, and reads no pickled ones")

// TryWrite finds out whether the table can be written to, as a login would, and
// whether Airflow 2 would read what is written: [ErrFormat]. It leaves nothing there.
func (s *DatabaseStore) TryWrite(ctx context.Context) error {
	newer, err := s.holdsJSON(ctx)
	switch {
	case err != nil:
		return err
	case newer && !s.cfg.JSON:
		return ErrFormat
	}
	done := errors.New("tried")
	err = s.cfg.DB.Write(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
		id := newID()
		if err := s.upsert(ctx, tx, id, nil, s.cfg.Now()); err != nil {
			return err
		}
		if err := s.delete(ctx, tx, id); err != nil {
			return err
		}
		return done // which undoes it
	})
	if errors.Is(err, done) {
		return nil
	}
	return err
}

// holdsJSON says whether one of the newest rows is in tagged JSON.
func (s *DatabaseStore) holdsJSON(ctx context.Context) (found bool, err error) {
	err = s.cfg.DB.Read(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
		rows, err := tx.Query(ctx, "SELECT data FROM "+s.table()+" WHERE data IS NOT NULL AND expiry IS NOT NULL ORDER BY expiry DESC LIMIT 64")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var raw sql.RawBytes
			if err := rows.Scan(&raw); err != nil {
				return err
			}
			found = found || len(raw) > 0 && raw[0] == '{'
		}
		return rows.Err()
	})
	return found, err
}

// idOf gives the id that we or Airflow 2 signed.
func (s *DatabaseStore) idOf(value string) (string, error) {
	if len(value) > maxCookie {
		return "", errMalformed
	}
	id, err := s.signer.unsign(value)
	if err != nil {
		return "", err
	}
	odd := func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_')
	}
	if id == "" || len(id) > maxID || strings.ContainsFunc(id, odd) {
		return "", errMalformed
	}
	return id, nil
}

func (s *DatabaseStore) formToken(id string) string {
	return hex.EncodeToString(mac(s.forms.keys[0], id))
}

func (s *DatabaseStore) table() string { return s.cfg.DB.Table("session") }

// A stored session is a row.
type stored struct {
	values Values
	expiry time.Time
}

// read reads the row of id. What is no session of Airflow 2's is errNotOurs.
func (s *DatabaseStore) read(ctx context.Context, id string) (stored, error) {
	var data []byte
	var expiry any
	err := s.cfg.DB.Read(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
		// An id that differs in case is the same for MySQL, and not for us.
		rows, err := tx.Query(ctx, "SELECT session_id, CASE WHEN length(data) <= ? THEN data END, expiry FROM "+s.table()+
			" WHERE session_id = ? LIMIT 8", maxText, id)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var same string
			var raw sql.RawBytes
			var at any
			if err := rows.Scan(&same, &raw, &at); err != nil {
				return err
			}
			if same == id {
				data, expiry = append([]byte{}, raw...), at
			}
		}
		return rows.Err()
	})
	if err != nil {
		return stored{}, err
	}
	var row stored
	if row.expiry, err = timeOf(expiry); err != nil {
		return stored{}, err
	}
	row.values, err = readRow(data)
	return row, err
}

// readRow tells the formats by their first bytes: a pickle's protocol, a brace.
// Airflow 3's msgpack begins with a map, 0x80 to 0x8f, and no protocol behind it.
func readRow(data []byte) (Values, error) {
	switch {
	case len(data) > 1 && data[0] == opProto:
		return readPickle(data)
	case len(data) > 1 && data[0] == '{':
		return readJSON(string(data))
	}
	return nil, errNotOurs
}

// timeOf reads a time without a zone, which is UTC, however the driver gives it.
// Airflow takes a row without one for no session.
func timeOf(v any) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		return v.UTC(), nil
	case []byte:
		return timeOf(string(v))
	case string:
		for _, layout := range []string{"2006-01-02 15:04:05.999999", "2006-01-02T15:04:05.999999"} {
			if t, err := time.Parse(layout, v); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, errNotOurs
}

func naive(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000") }

// time is how an argument is a time without a zone. PostgreSQL would take one
// with a zone, and move it.
func (s *DatabaseStore) time() string {
	if s.cfg.DB.Dialect() == airflowdb.PostgreSQL {
		return "CAST(? AS timestamp)"
	}
	return "?"
}

func (s *DatabaseStore) write(ctx context.Context, made *sessions.Session, v Values) error {
	format := writePickle
	if s.cfg.JSON {
		format = writeJSON
	}
	data, err := format(v)
	if err != nil {
		return err
	}
	if len(data) > maxText || len(made.ID) > maxID {
		return fmt.Errorf("session: a row of %d bytes is longer than %d, or its id than %d", len(data), maxText, maxID)
	}
	expiry := s.cfg.Now().Add(s.cfg.Lifetime)
	return s.cfg.DB.Write(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
		return s.upsert(ctx, tx, made.ID, data, expiry)
	})
}

// upsert writes a row in one statement: MySQL has two that delete what is not
// there, and insert then, wait for each other.
func (s *DatabaseStore) upsert(ctx context.Context, tx airflowdb.Tx, id string, data []byte, expiry time.Time) error {
	replace := " ON CONFLICT (session_id) DO UPDATE SET data = excluded.data, expiry = excluded.expiry"
	if s.cfg.DB.Dialect() == airflowdb.MySQL {
		replace = " ON DUPLICATE KEY UPDATE data = VALUES(data), expiry = VALUES(expiry)"
	}
	return tx.Exec(ctx, "INSERT INTO "+s.table()+" (session_id, data, expiry) VALUES (?, ?, "+s.time()+")"+replace, id, data, naive(expiry))
}

func (s *DatabaseStore) delete(ctx context.Context, tx airflowdb.Tx, id string) error {
	return tx.Exec(ctx, "DELETE FROM "+s.table()+" WHERE session_id = ?", id)
}

// newID draws a random UUID (RFC 9562 section 5.4), as Flask-Session does.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // which ends the program rather than fail
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
