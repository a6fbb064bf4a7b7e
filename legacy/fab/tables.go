package fab

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"math"
	"slices"
	"strconv"
	"unique"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
)

// page is how many users [Users.All] holds at a time.
const page = 500

// What a name is looked up as.
type kind int

const (
	username kind = iota
	login         // an e-mail address, where no username is the same
	owner         // an e-mail address, whatever usernames there are
)

// read finds the one row of that name, or else nobody.
func (u *Users) read(ctx context.Context, name string, as kind) (*row, error) {
	return u.readOne(ctx, func(ctx context.Context, tx airflowdb.Tx, layout layout) (found *row, err error) {
		if as != owner {
			found, err = u.byName(ctx, tx, layout, fold(name))
		}
		if err == nil && as != username {
			if found != nil {
				return nil, legacy.Rejected(legacy.UnknownUser, nil)
			}
			found, err = u.byAddress(ctx, tx, layout, name)
		}
		return found, err
	})
}

// readID finds the row of that id.
func (u *Users) readID(ctx context.Context, id int64) (*row, error) {
	found, err := u.readOne(ctx, func(ctx context.Context, tx airflowdb.Tx, _ layout) (*row, error) {
		return u.one(ctx, tx, func(legacy.User) bool { return true }, "id = ?", id)
	})
	if err != nil {
		return nil, err
	}
	found.mark = found.fingerprint()
	return found, nil
}

// readOne reads the one row that query finds, or else nobody, and its roles.
func (u *Users) readOne(ctx context.Context, query func(context.Context, airflowdb.Tx, layout) (*row, error)) (*row, error) {
	layout, err := u.layout(ctx)
	if err != nil {
		return nil, err
	}
	asked := u.now()
	var found *row
	err = u.db.Read(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
		var err error
		if found, err = query(ctx, tx, layout); err != nil {
			return err
		}
		if found == nil {
			return legacy.Rejected(legacy.UnknownUser, nil)
		}
		id, err := strconv.ParseInt(found.user.ID, 10, 64)
		if err != nil {
			return err
		}
		roles, err := u.roles(ctx, tx, layout.grouped, id, id)
		found.user.Roles, found.read = roles[id], asked
		return err
	})
	if err != nil {
		return nil, asRefusal(err)
	}
	return found, nil
}

func scan(rows *sql.Rows) (*row, int64, error) {
	var (
		id              int64
		name            string
		email, password sql.NullString
		active          sql.NullBool // null counts as inactive
	)
	if err := rows.Scan(&id, &name, &email, &active, &password); err != nil {
		return nil, 0, err
	}
	return &row{
		user:     legacy.User{ID: strconv.FormatInt(id, 10), Name: name, Email: email.String, Active: active.Bool},
		password: password.String,
	}, id, nil
}

// roles gives the sorted names of the roles of each user from first to last,
// those of the user's groups included.
func (u *Users) roles(ctx context.Context, tx airflowdb.Tx, grouped bool, first, last int64) (map[int64][]string, error) {
	t := u.db.Table
	query := "SELECT ur.user_id, r.name FROM " + t("ab_user_role") + " ur JOIN " + t("ab_role") + " r ON r.id = ur.role_id WHERE ur.user_id BETWEEN ? AND ?"
	args := []any{first, last}
	if grouped {
		query += " UNION SELECT ug.user_id, r.name FROM " + t("ab_user_group") + " ug JOIN " + t("ab_group_role") +
			" gr ON gr.group_id = ug.group_id JOIN " + t("ab_role") + " r ON r.id = gr.role_id WHERE ug.user_id BETWEEN ? AND ?"
		args = append(args, first, last)
	}
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	roles := map[int64][]string{}
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		// A hundred thousand users have a handful of roles among them.
		roles[id] = append(roles[id], unique.Make(name).Value())
	}
	for id := range roles {
		slices.Sort(roles[id])
		roles[id] = slices.Compact(roles[id])
	}
	return roles, rows.Err()
}

// asRefusal says that the database cannot tell, unless err is already a refusal.
func asRefusal(err error) error {
	if errors.Is(err, legacy.ErrRejected) || errors.Is(err, legacy.ErrUnavailable) {
		return err
	}
	return legacy.Unavailable(legacy.SourceUnavailable, err, 0)
}

// All gives every user in the order of the ids, some hundred at a time and
// straight from the database. It ends with the first error, which is
// [legacy.ErrUnavailable].
func (u *Users) All(ctx context.Context) iter.Seq2[legacy.User, error] {
	return func(yield func(legacy.User, error) bool) {
		layout, err := u.layout(ctx)
		if err != nil {
			yield(legacy.User{}, err)
			return
		}
		var users []legacy.User
		for last := int64(math.MinInt32); ; { // ids are INTEGER
			users, last, err = u.page(ctx, layout.grouped, last)
			if err != nil {
				yield(legacy.User{}, asRefusal(err))
				return
			}
			for _, user := range users {
				if !yield(user, nil) {
					return
				}
			}
			if len(users) < page {
				return
			}
		}
	}
}

// page reads the users whose ids follow after, and gives the last of those ids.
func (u *Users) page(ctx context.Context, grouped bool, after int64) (users []legacy.User, last int64, err error) {
	var ids []int64
	err = u.db.Read(ctx, func(ctx context.Context, tx airflowdb.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+columns+" FROM "+u.db.Table("ab_user")+" WHERE id > ? ORDER BY id LIMIT ?", after, page)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			r, id, err := scan(rows)
			if err != nil {
				return err
			}
			users, ids = append(users, r.user), append(ids, id)
		}
		if err := rows.Err(); err != nil || len(ids) == 0 {
			return err
		}
		roles, err := u.roles(ctx, tx, grouped, ids[0], ids[len(ids)-1])
		for i, id := range ids {
			users[i].Roles = roles[id]
		}
		last = ids[len(ids)-1]
		return err
	})
	return users, last, err
}
