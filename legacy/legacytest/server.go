package legacytest

import (
	"os"
	"testing"
)

// Server is what the tests were started with beside them, by the name of its
// variable: JETBRIDGE_TEST_POSTGRES, JETBRIDGE_TEST_MYSQL or
// JETBRIDGE_TEST_MYSQL_FILES. Where there is none the test fails, and does not skip.
func Server(t testing.TB, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set: run `make test`, or testdata/postgres/with-postgres.sh or testdata/mariadb/with-mariadb.sh go test …", variable)
	}
	return value
}
