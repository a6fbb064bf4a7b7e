package fab

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
)

// A layout is what one Airflow's tables have and another's have not.
type layout struct {
	// grouped: there are group tables, which came with the FAB provider 2.
	grouped bool
	// name and email say how MySQL compares ab_user's columns; empty elsewhere.
	name, email collation
}

// layout says what the tables are like now; see [layoutRecheck].
func (u *Users) layout(ctx context.Context) (layout, error) {
	return u.layouts.Get(ctx, "", func(ctx context.Context) (l layout, err error) {
		err = u.db.Read(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
			if l.grouped, err = u.haveGroups(ctx, tx); err == nil && u.db.Dialect() == airflowdb.MySQL {
				err = u.readCollations(ctx, tx, &l)
			}
			return err
		})
		if err != nil {
			return layout{}, asRefusal(err)
		}
		return l, nil
	})
}

// haveGroups says whether this Airflow has the group tables. MySQL hides those
// that the account may not read; where it shows some, a grant is missing.
func (u *Users) haveGroups(ctx context.Context, tx airflowdb.Tx) (bool, error) {
	tables := []any{"ab_group", "ab_user_group", "ab_group_role"}
	query, args := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN (?, ?, ?)", tables
	switch u.db.Dialect() {
	case airflowdb.PostgreSQL:
		query, args = "SELECT num_nonnulls(to_regclass(?), to_regclass(?), to_regclass(?))", nil
		for _, name := range tables {
			args = append(args, u.db.Table(name.(string)))
		}
	case airflowdb.MySQL:
		query = "SELECT count(*) FROM information_schema.tables WHERE table_schema = " + mysqlSchema + " AND table_name IN (?, ?, ?)"
		args = append([]any{u.db.Schema()}, tables...)
	}
	var n int
	if err := tx.QueryRow(ctx, query, args...).Scan(&n); err != nil {
		return false, err
	}
	if u.db.Dialect() == airflowdb.MySQL && 0 < n && n < len(tables) {
		return false, fmt.Errorf("only %d of ab_group, ab_user_group and ab_group_role can be seen: the account must read all three", n)
	}
	return n == len(tables), nil
}

// mysqlSchema is the database that the tables are in; its argument is the
// configured one.
const mysqlSchema = "COALESCE(NULLIF(?, ''), DATABASE())"

// A collation is how a column of MySQL's compares.
type collation struct{ charset, name string }

// readCollations fills l. A column that is not there has none: the query that
// needs it will say so.
func (u *Users) readCollations(ctx context.Context, tx airflowdb.Tx, l *layout) error {
	rows, err := tx.Query(ctx, "SELECT column_name, character_set_name, collation_name FROM information_schema.columns WHERE table_schema = "+
		mysqlSchema+" AND table_name = 'ab_user' AND column_name IN ('username', 'email')", u.db.Schema())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var column string
		var charset, name sql.NullString // null for VARBINARY
		if err := rows.Scan(&column, &charset, &name); err != nil {
			return err
		}
		c := collation{charset.String, name.String}
		if !word.MatchString(c.charset) || !word.MatchString(c.name) {
			c = collation{}
		}
		if strings.EqualFold(column, "username") {
			l.name = c
		} else {
			l.email = c
		}
	}
	return rows.Err()
}

var word = regexp.MustCompile(`^\w+$`)

// like holds for the rows whose column has the argument's value, in words that
// the column's index serves: the value in the column's own character set, where
// what that lacks becomes a question mark, and under its own collation.
func (c collation) like(column string) string {
	if c.name == "" {
		return column + " = ?"
	}
	return column + " = CONVERT(? USING " + c.charset + ") COLLATE " + c.name
}

// foldsLike holds for the rows whose column differs from the argument in the case
// of letters at most, and for some more.
func (c collation) foldsLike(column string) string {
	if strings.HasSuffix(c.name, "_ci") {
		return c.like(column)
	}
	return "LOWER(CONVERT(" + column + " USING utf8mb4)) COLLATE utf8mb4_bin = LOWER(?)"
}

// byName compares as Airflow does, lower(username) = lower(name), in words that
// let the database use its index. The name is a folded one; what the database
// finds beyond the ASCII letters' case, [Users.one] leaves out.
//
// On SQLite the index is that of the NOCASE column. PostgreSQL folds by its
// locale, and so has to compare once more, where the collation "C" leaves it
// ASCII. A locale that lowers ASCII in a way of its own (Turkish, its I) finds
// fewer rows, never others. MySQL's usual collations pass over case, accents and
// spaces at the end, which is more than enough; one that minds the case has no
// index for this, nor for Airflow's own query, and reads all names, within the
// time that a read may take.
func (u *Users) byName(ctx context.Context, tx airflowdb.Tx, l layout, name string) (*row, error) {
	same := func(user legacy.User) bool { return fold(user.Name) == name }
	switch u.db.Dialect() {
	case airflowdb.SQLite:
		return u.one(ctx, tx, same, "username = ? COLLATE NOCASE", name)
	case airflowdb.PostgreSQL:
		return u.one(ctx, tx, same, `lower(username) = lower(?) AND lower(username COLLATE "C") = ?`, name, name)
	}
	return u.one(ctx, tx, same, l.name.foldsLike("username"), name)
}

// byAddress compares exactly.
func (u *Users) byAddress(ctx context.Context, tx airflowdb.Tx, l layout, address string) (*row, error) {
	same := func(user legacy.User) bool { return user.Email == address }
	return u.one(ctx, tx, same, l.email.like("email"), address)
}

const columns = "id, username, email, active, password"

// twins bounds the rows that a database may take for one name and that are none
// of it: unique as the column is, there can be hardly any.
const twins = 64

// one reads the only row that the condition holds for and that is the same: nil
// for none, AmbiguousUser for several.
func (u *Users) one(ctx context.Context, tx airflowdb.Tx, same func(legacy.User) bool, condition string, args ...any) (*row, error) {
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM "+u.db.Table("ab_user")+" WHERE "+condition+" LIMIT ?", append(args, twins)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found *row
	n := 0
	for ; rows.Next(); n++ {
		r, _, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if !same(r.user) {
			continue
		}
		if found != nil {
			return nil, legacy.Rejected(legacy.AmbiguousUser, nil)
		}
		found = r
	}
	if n == twins { // whoever comes behind them is not known
		return nil, legacy.Rejected(legacy.AmbiguousUser, nil)
	}
	return found, rows.Err()
}
