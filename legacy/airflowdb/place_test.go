package airflowdb

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSamePlace(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "airflow.db"), filepath.Join(dir, "link.db")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	type c = Config
	for _, test := range []struct {
		a, b Config
		want bool
	}{
		{c{URL: "postgresql+psycopg2://airflow:x@db/airflow"}, c{URL: "postgresql://jetbridge:y@db:5432/airflow?sslmode=require"}, true},
		{c{URL: "postgresql://u@DB./airflow"}, c{URL: "postgresql+asyncpg://u@db/airflow"}, true},
		{c{URL: "postgresql://u@127.0.0.1/airflow"}, c{URL: "postgresql://u@[::1]/airflow"}, true},
		{c{URL: "postgresql://u@localhost/airflow"}, c{URL: "postgresql://u@/airflow?host=/var/run/postgresql"}, true},
		{c{URL: "postgresql://u@/airflow?host=a,b"}, c{URL: "postgresql://u@b/airflow"}, true},
		{c{URL: "postgresql://u@db/airflow", Schema: "public"}, c{URL: "postgresql://u@db/airflow"}, true},
		{c{URL: "postgresql://u@db/airflow", Schema: "a"}, c{URL: "postgresql://u@db/airflow", Schema: "b"}, false},
		{c{URL: "postgresql://u@db/airflow"}, c{URL: "postgresql://u@db/airflow2"}, false},
		{c{URL: "postgresql://u@db/airflow"}, c{URL: "postgresql://u@db:5433/airflow"}, false},
		{c{URL: "postgresql://u@db/airflow"}, c{URL: "postgresql://u@db2/airflow"}, false},
		{c{URL: "postgresql://u@db/airflow"}, c{URL: "mysql://u@db/airflow"}, false},
		{c{URL: "mysql+mysqldb://u:x@db/airflow"}, c{URL: "mariadb+pymysql://v:y@db:3306/airflow?charset=utf8mb4"}, true},
		{c{URL: "mysql://u:x@localhost/airflow"}, c{URL: "mysql://u:x@/airflow?unix_socket=/run/mysqld.sock"}, true},
		{c{URL: "mysql://u:x@db/any", Schema: "airflow"}, c{URL: "mysql://u:x@db/airflow"}, true},
		{c{URL: "mysql://u:x@db/airflow"}, c{URL: "mysql://u:x@db/airflow2"}, false},
		{c{URL: "sqlite:///" + file}, c{URL: "sqlite:///" + link}, true},
		{c{URL: "sqlite:///airflow.db", Dir: dir}, c{URL: "sqlite:///" + dir + "/./airflow.db"}, true},
		{c{URL: "sqlite:///" + file}, c{URL: "sqlite:///" + file + "2"}, false},
		{c{URL: "no URL"}, c{URL: "no URL"}, false},
		{c{}, c{URL: "postgresql://u@db/airflow"}, false},
	} {
		if got := SamePlace(test.a, test.b); got != test.want {
			t.Errorf("%+v and %+v: %t", test.a, test.b, got)
		}
		if got := SamePlace(test.b, test.a); got != test.want {
			t.Errorf("%+v and %+v: %t", test.b, test.a, got)
		}
	}
}
