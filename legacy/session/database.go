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
	// JSON says that this is an Airflow from 2.11.1 on, which keeps its rows in
	// tagged JSON and takes whoever has a pickled one for nobody. It counts while the
	// table holds no row of Airflow's own to tell by. Both are read.
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
	tables *recheck.Cache[table]
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
	if err == nil {
		s.tables, err = recheck.New[table](recheck.Config{Recheck: tableRecheck, Size: 1, Now: common.Now})
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
// logged in and nothing else happened is a cookie without a row. Into Airflow 3's
// database it writes nothing: [ErrAirflow3].
func (s *DatabaseStore) Save(r *http.Request, w http.ResponseWriter, made *sessions.Session) error {
	if made.Options.MaxAge < 0 {
		if _, err := s.look(r.Context()); err != nil {
			return err
		}
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
	t, err := s.look(ctx)
	if err != nil {
		return err
	}
	format := writePickle
	if t.json {
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

// newID draws a random UUID (RFC 9562 section 5.4), as Flask-Session does.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // which ends the program rather than fail
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
