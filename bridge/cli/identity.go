package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/bridge/directory"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/basic"
	"github.com/jetbridge/jetbridge/legacy/fab"
	"github.com/jetbridge/jetbridge/legacy/kerberos"
	"github.com/jetbridge/jetbridge/legacy/lockout"
	"github.com/jetbridge/jetbridge/legacy/openid"
	"github.com/jetbridge/jetbridge/modern"
	"github.com/jetbridge/jetbridge/modern/token"
)

// An identity is who is asked about users: old credentials, and the directory
// of Airflow 3.
type identity struct {
	authenticators []legacy.Authenticator
	directory      legacy.Directory
	passwords      legacy.PasswordVerifier
	old, new       *fab.Users // the two databases; nil where there is none
	simple         []config.SimpleUser
	idTokens       *openid.Authenticator // likewise
	guard          *lockout.Guard
	sources        []source
	tickets        *kerberos.Authenticator // nil without the backend
	sessions       *sessions               // likewise
	warnings       []string
}

// A source is one place that is asked for users, for `check` to ask.
type source struct {
	name, where, todo string
	count             func(context.Context) (int, error)
}

// identity finds who is to be asked.
func (a *assembler) identity(t *taker, s *snapshot) (identity, error) {
	var id identity
	var err error
	cfg := s.cfg
	if id.guard, err = a.guard(t, cfg.Legacy.Lockout); err != nil {
		return id, err
	}
	switch {
	case cfg.Airflow3.Users.Via == config.Upstream:
		err = a.askUpstream(t, s, &id)
	case cfg.Airflow3.AuthManager == config.Simple:
		err = a.askSimple(t, cfg, &id)
	default:
		up := cfg.Airflow3.Users
		if id.new, err = a.users(t, database{up.DSN.Reveal(), up.Schema, digestOf(airflowdb.Files(up.DSN.Reveal())), up.Recheck, up.OutageGrace, id.guard}, "airflow3.users.dsn"); err == nil {
			id.directory = id.new
			id.add("airflow3 users", "airflow3.users.dsn", id.new)
		}
	}
	if err != nil {
		return id, err
	}
	if old := cfg.Legacy.Users; id.passwords == nil && old.DSN != "" {
		id.old, err = a.users(t, database{old.DSN.Reveal(), old.Schema, digestOf(airflowdb.Files(old.DSN.Reveal())), old.Recheck, old.OutageGrace, id.guard}, "legacy.users.dsn")
		if err != nil {
			return id, err
		}
		id.passwords = id.old
		id.add("legacy users", "legacy.users.dsn", id.old)
	}
	return id, a.chain(t, cfg, &id)
}

// chain makes the authenticators that auth_backends names.
func (a *assembler) chain(t *taker, cfg *config.Config, id *identity) error {
	backends, err := legacy.ParseBackends(cfg.Legacy.AuthBackends, cfg.Legacy.FromAirflow, cfg.Legacy.IgnoreBackends)
	if err != nil {
		return err
	}
	var faults []error
	for _, b := range backends {
		switch b.Scheme {
		case legacy.AnonymousScheme:
			err = anonymous(cfg, b, id)
		case legacy.Kerberos:
			err = a.kerberos(t, cfg, id)
		case legacy.OpenID:
			err = a.openid(t, cfg, id)
		case legacy.Session:
			if warning := appendedInVain(cfg, b); warning != "" {
				id.warnings = append(id.warnings, warning)
				continue
			}
			err = a.sessions(t, cfg, id)
		case legacy.Basic:
			err = byPassword(id)
		default:
			err = fmt.Errorf("legacy.auth_backends: nobody speaks %s", b.Name)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// anonymous takes everybody for one user. Nobody is, unless the operator says who
// that is.
func anonymous(cfg *config.Config, b legacy.Backend, id *identity) error {
	if cfg.Legacy.AnonymousUser == "" {
		return fmt.Errorf("legacy.auth_backends: %s lets everybody in: name the user whom they shall be in legacy.anonymous_user, or take it out of legacy.auth_backends", b.Name)
	}
	id.authenticators = append(id.authenticators, legacy.Anonymous(cfg.Legacy.AnonymousUser))
	return nil
}

func byPassword(id *identity) error {
	if id.passwords == nil {
		return errors.New("legacy.users.dsn: Basic needs a database of users and passwords, or airflow3.users.via: upstream")
	}
	made, err := basic.New(basic.Config{Verifier: id.passwords})
	if err != nil {
		return err
	}
	id.authenticators = append(id.authenticators, made)
	return nil
}

// appendedInVain tells of a backend that only Airflow's rewriting named, and that
// this configuration cannot speak. It stops nobody's start.
func appendedInVain(cfg *config.Config, b legacy.Backend) string {
	faults := config.SessionFaults(*cfg)
	if !b.Appended || len(faults) == 0 {
		return ""
	}
	return fmt.Sprintf("legacy.auth_backends: Airflow appends %s, which is left out here, so that clients with its cookies will be refused: %s %s", b.Name, faults[0].Key, faults[0].What)
}

// database are the settings of one database of users.
type database struct {
	dsn, schema    string
	files          string // a digest of what the URL names: those may change
	recheck, grace time.Duration
	guard          *lockout.Guard
}

// digestOf tells the contents of files from others. One that cannot be read is
// told of where it is needed.
func digestOf(files []string) string {
	sum := sha256.New()
	for _, name := range files {
		content, err := os.ReadFile(name)
		fmt.Fprint(sum, len(content), err != nil, "\n")
		sum.Write(content)
	}
	return string(sum.Sum(nil))
}

// guard counts failures. It is shared by all that have the same bounds, and so
// outlives a reload that leaves them alone.
func (a *assembler) guard(t *taker, settings config.Lockout) (*lockout.Guard, error) {
	return take(t, settings, func() (*lockout.Guard, func(), error) {
		g, err := lockout.New(lockout.Config{
			Failures: settings.Failures, AddressFailures: settings.AddressFailures, Window: settings.Window, Now: a.now,
		})
		return g, nil, err
	})
}

// users reads a database of users. The two databases are one part when they
// have the same settings, and so share what they know.
func (a *assembler) users(t *taker, settings database, key string) (*fab.Users, error) {
	users, err := take(t, settings, func() (*fab.Users, func(), error) {
		db, err := airflowdb.Open(airflowdb.Config{URL: settings.dsn, Schema: settings.schema})
		if err != nil {
			return nil, nil, err
		}
		users, err := fab.New(fab.Config{DB: db, Hasher: a.hasher, Guard: settings.guard, Recheck: settings.recheck, OutageGrace: settings.grace, Size: clients, Now: a.now})
		return users, func() { _ = db.Close() }, err // read only: nothing is lost with it
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return users, nil
}

// add has check ask a database.
func (id *identity) add(name, key string, users *fab.Users) {
	id.sources = append(id.sources, source{
		name: name, where: key,
		todo:  key + " must be a database that can be reached from here, with ab_user, ab_role, ab_user_role and, where they exist, ab_group, ab_user_group and ab_group_role readable",
		count: func(ctx context.Context) (int, error) { return countUsers(ctx, users) },
	})
}

func countUsers(ctx context.Context, users *fab.Users) (int, error) {
	n := 0
	for _, err := range users.All(ctx) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// askSimple takes the directory of the simple auth manager from its own setting.
func (a *assembler) askSimple(_ *taker, cfg *config.Config, id *identity) error {
	users := make([]legacy.User, len(cfg.Airflow3.SimpleUsers))
	for i, u := range cfg.Airflow3.SimpleUsers {
		users[i] = legacy.User{ID: u.Name, Name: u.Name, Active: true, Teams: u.Teams}
		if u.Role != "" { // else the old roles decide
			users[i].Roles = []string{u.Role}
		}
	}
	d, err := directory.NewSimple(users)
	if err != nil {
		return err
	}
	id.directory, id.simple = d, cfg.Airflow3.SimpleUsers
	id.sources = append(id.sources, source{
		name: "airflow3 users", where: "airflow3.simple_users", todo: "name the users in airflow3.simple_users or [core] simple_auth_manager_users",
		count: func(context.Context) (int, error) { return len(users), nil },
	})
	return nil
}

// exchange are the settings of asking Airflow 3's own token API.
type exchange struct {
	connection
	signing
	base           string
	recheck, grace time.Duration
	guard          *lockout.Guard
}

// askUpstream has Airflow 3 judge passwords. Its tokens are verified like any
// other before their subject is believed.
func (a *assembler) askUpstream(t *taker, s *snapshot, id *identity) error {
	cfg := s.cfg
	up := cfg.Airflow3
	settings := exchange{s.connection, signingOf(cfg), cfg.BasePath, up.Users.Recheck, up.Users.OutageGrace, id.guard}
	asked, err := take(t, settings, func() (*directory.Upstream, func(), error) {
		u, err := directory.NewUpstream(directory.UpstreamConfig{
			URL: up.URL.String() + cfg.BasePath + "/auth/token", Transport: s.transport, Verify: subjectOf(s.key),
			Recheck: up.Users.Recheck, OutageGrace: up.Users.OutageGrace, Size: clients, Guard: id.guard, Now: a.now,
		})
		return u, nil, err
	})
	if err != nil {
		return fmt.Errorf("airflow3.users: %w", err)
	}
	id.passwords = asked
	return nil
}

// subjectOf verifies a token of Airflow 3's and gives what it says of its bearer.
func subjectOf(key *token.Key) func(string) (string, map[string]any, error) {
	return func(signed string) (string, map[string]any, error) {
		claims, err := key.Verify(signed)
		return claims.Subject, claims.Extra, err
	}
}

var errNobody = errors.New("there is no directory to take a user from")

// somebody gives claims of an active user of Airflow 3, to try a token with.
func (id *identity) somebody(ctx context.Context, s *snapshot) (modern.Claims, string, error) {
	user, err := id.anybody(ctx)
	if err != nil {
		return modern.Claims{}, "", err
	}
	claims, err := s.core.Translator.Claims(legacy.Principal{Name: user.Name, Scheme: legacy.Basic}, user)
	return claims, fmt.Sprintf("%q", user.Name), err
}

func (id *identity) anybody(ctx context.Context) (legacy.User, error) {
	if id.new != nil {
		for user, err := range id.new.All(ctx) {
			if err != nil {
				return user, err
			}
			if user.Active {
				return user, nil
			}
		}
		return legacy.User{}, errors.New("the database of Airflow 3 has no active user")
	}
	for _, u := range id.simple {
		return id.directory.Lookup(ctx, u.Name)
	}
	return legacy.User{}, errNobody
}
