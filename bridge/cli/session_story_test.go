package cli_test

import (
	"database/sql"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jetbridge/jetbridge/legacy/airflowdb"
	"github.com/jetbridge/jetbridge/legacy/session"
)

// sessionKey is the secret key that the stories' Airflow 2 has.
const sessionKey = "the secret key of the web server"

// sessionCmd makes a session as Airflow 2 does, in which the user of a row of its
// ab_user has logged in.
func sessionCmd(ts *testscript.TestScript, neg bool, args []string) {
	const usage = "usage: session NAME ID [FILE] [-key KEY]"
	key := sessionKey
	if n := len(args); n >= 2 && args[n-2] == "-key" {
		key, args = args[n-1], args[:n-2]
	}
	if len(args) != 2 && len(args) != 3 {
		ts.Fatalf(usage)
	}
	id, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	cfg := session.Config{SecretKeys: []string{key}}
	var keep session.Store
	if len(args) == 2 {
		keep, err = session.NewCookieStore(cfg)
		ts.Check(err)
	} else {
		db, err := airflowdb.Open(airflowdb.Config{URL: "sqlite:///" + ts.MkAbs(args[2]), Writable: true})
		ts.Check(err)
		defer db.Close()
		keep, err = session.NewDatabaseStore(session.DatabaseConfig{Config: cfg, DB: db})
		ts.Check(err)
	}
	made, err := keep.New(httptest.NewRequest("GET", "/login/", nil), "session")
	ts.Check(err)
	for name, value := range session.LoggedIn(id, "", "192.0.2.1", "curl/8.5.0") {
		if name != "_jetbridge_password" { // Airflow keeps no such thing
			made.Values[name] = value
		}
	}
	out := httptest.NewRecorder()
	ts.Check(keep.Save(httptest.NewRequest("POST", "/login/", nil), out, made))
	value := out.Result().Cookies()[0].Value
	storyOf(ts).secret(value, value[strings.LastIndexByte(value, '.')+1:], key)
	ts.Setenv(args[0], value)
}

func sqlCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: sql FILE STATEMENTS")
	}
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[0])+"?_pragma=busy_timeout(5000)")
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(args[1])
	ts.Check(err)
}
