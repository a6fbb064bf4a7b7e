package fab

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
	"github.com/jetbridge/jetbridge/legacy/legacytest"
)

// MySQL looks one name up by the column's index, under every collation that does
// not mind the case, and an address under all of them, whatever is asked for.
func TestMySQLUsesTheIndex(t *testing.T) {
	server := legacytest.Server(t, "JETBRIDGE_TEST_MYSQL")
	for _, collation := range []string{"utf8mb4_unicode_ci", "utf8mb3_general_ci", "latin1_swedish_ci", "utf8mb4_bin"} {
		made, err := fabtest.New(t.Context(), fabtest.Config{MySQL: server, Collation: collation}, fabtest.User{Name: "Alice"}, fabtest.User{Name: "bob"})
		if err != nil {
			t.Fatal(err)
		}
		defer made.Close(context.Background())
		db, err := airflowdb.Open(airflowdb.Config{URL: made.URL})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		users, err := New(Config{DB: db})
		if err != nil {
			t.Fatal(err)
		}
		l, err := users.layout(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if l.name.name != collation || l.email.name != collation {
			t.Fatalf("collations %+v, want %s", l, collation)
		}
		conditions := []string{l.email.like("email")}
		if collation != "utf8mb4_bin" {
			conditions = append(conditions, l.name.foldsLike("username"))
		}
		for _, condition := range conditions {
			for _, value := range []string{"alice", "Alice@example.com", "nobody", "j\u00fcrgen", "bob\U0001F600", "a\u4e2dc"} {
				if plan := explain(t, db, condition, value); !strings.HasPrefix(plan, "const") && !strings.Contains(plan, "after reading const tables") {
					t.Errorf("%s: %s for %q: %s", collation, condition, value, plan)
				}
			}
		}
	}
}

// explain gives the kind of access and the remark of a query's plan.
func explain(t *testing.T, db *airflowdb.DB, condition, value string) string {
	var plan string
	err := db.Read(t.Context(), func(ctx context.Context, tx airflowdb.Tx) error {
		var access, extra, skip sql.NullString
		err := tx.QueryRow(ctx, "EXPLAIN SELECT "+columns+" FROM "+db.Table("ab_user")+" WHERE "+condition, value).
			Scan(&skip, &skip, &skip, &access, &skip, &skip, &skip, &skip, &skip, &extra)
		plan = access.String + " " + extra.String
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}
