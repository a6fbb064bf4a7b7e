package airflowcfg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const conn = "sql_alchemy_conn"

// open opens a file of Airflow 3 whose commands print what they were called with.
func open(t *testing.T, c Config) *File {
	t.Helper()
	if c.Version == 0 {
		c.Version = Airflow3
	}
	if c.File == "" {
		c.File = "/etc/airflow/airflow.cfg"
	}
	f, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestWhereItStands(t *testing.T) {
	f := open(t, Config{
		Content: []byte("[database]\nsql_alchemy_conn = a\n[core]\nfernet_key_cmd = print\n[api]\nsecret_key = k\n"),
		Environ: []string{"AIRFLOW__WEBSERVER__SECRET_KEY=old", "AIRFLOW__API_AUTH__JWT_SECRET_CMD=print", "AIRFLOW__API_AUTH__JWT_LEEWAY=3"},
		Run:     func(context.Context, []string) ([]byte, error) { return []byte("printed\n"), nil },
	})
	for _, c := range []struct {
		section, key string
		want         Value
	}{
		{"database", conn, Value{"a", true, false, "/etc/airflow/airflow.cfg [database] sql_alchemy_conn"}},
		{"Database", "SQL_Alchemy_Conn", Value{"a", true, false, "/etc/airflow/airflow.cfg [database] sql_alchemy_conn"}},
		{"core", "fernet_key", Value{"printed\n", true, false, "/etc/airflow/airflow.cfg [core] fernet_key_cmd"}},
		{"api", "secret_key", Value{"old", true, false, "AIRFLOW__WEBSERVER__SECRET_KEY"}},
		{"api_auth", "jwt_secret", Value{"printed\n", true, false, "AIRFLOW__API_AUTH__JWT_SECRET_CMD"}},
		{"api_auth", "jwt_leeway", Value{"3", true, false, "AIRFLOW__API_AUTH__JWT_LEEWAY"}},
		{"api_auth", "jwt_expiration_time", Value{"86400", true, true, "Airflow's default"}},
		{"api_auth", "jwt_issuer", Value{}},
	} {
		if got, err := f.Get(c.section, c.key); err != nil || got != c.want {
			t.Errorf("[%s] %s = %+v, %v; want %+v", c.section, c.key, got, err, c.want)
		}
	}
}

func TestSecretsBackend(t *testing.T) {
	for name, c := range map[string]Config{
		"environment":            {Environ: []string{"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET=path"}},
		"deprecated environment": {Environ: []string{"AIRFLOW__CORE__SQL_ALCHEMY_CONN_SECRET=path"}},
		"file":                   {Content: []byte("[database]\nsql_alchemy_conn_secret = path\n")},
		"deprecated in file":     {Content: []byte("[core]\nsql_alchemy_conn_secret = path\n")},
		"before the file":        {Environ: []string{"AIRFLOW__CORE__SQL_ALCHEMY_CONN_SECRET=path"}, Content: []byte("[database]\nsql_alchemy_conn = a\n")},
	} {
		if v, err := open(t, c).Get("database", conn); !errors.Is(err, ErrSecretsBackend) || v != (Value{}) {
			t.Errorf("%s: %+v, %v; want ErrSecretsBackend", name, v, err)
		}
	}
	v, err := open(t, Config{Content: []byte("[database]\nsql_alchemy_conn = a\nsql_alchemy_conn_secret = path\n")}).Get("database", conn)
	if err != nil || v.Text != "a" {
		t.Errorf("a value beside the secret: %+v, %v", v, err)
	}
}

// An environment that belongs to another Airflow still expands what values name.
func TestFileOnly(t *testing.T) {
	f := open(t, Config{
		FileOnly: true,
		File:     "/old/airflow.cfg",
		Content:  []byte("[api]\naccess_control_allow_origins = $HOST ~/x\n[webserver]\nbase_url = ~/x\n"),
		Environ:  []string{"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=new", "AIRFLOW__API__ACCESS_CONTROL_ALLOW_ORIGINS=new", "AIRFLOW_HOME=/new", "HOST=h", "HOME=/home/op"},
		Version:  Airflow2,
	})
	for key, want := range map[[2]string]string{
		{"database", conn}:                        "sqlite:////old/airflow.db",
		{"api", "access_control_allow_origins"}:   "h ~/x",
		{"webserver", "base_url"}:                 "/home/op/x",
		{"api", "access_control_allow_headers"}:   "",
		{"database", "sql_alchemy_schema"}:        "",
		{"api", "auth_backends"}:                  "airflow.api.auth.backend.session",
		{"webserver", "there_is_no_such_setting"}: "",
	} {
		if v, err := f.Get(key[0], key[1]); err != nil || v.Text != want {
			t.Errorf("%v = %+v, %v; want %q", key, v, err, want)
		}
	}
}

func TestHome(t *testing.T) {
	home := func(name string) (string, bool) {
		h, ok := map[string]string{"": "/home/self", "ann": "/home/ann/"}[name]
		return h, ok
	}
	for _, c := range []struct{ text, env, want string }{
		{"~/x", "HOME=/h", "/h/x"},
		{"~/x", "NONE=", "/home/self/x"},
		{"~", "NONE=", "/home/self"},
		{"~ann/x", "HOME=/h", "/home/ann/x"},
		{"~bob/x", "HOME=/h", "~bob/x"},
		{"~ann", "HOME=/h", "/home/ann"},
	} {
		f := open(t, Config{Environ: []string{c.env, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=" + c.text}, Home: home})
		if v, err := f.Get("database", conn); err != nil || v.Text != c.want {
			t.Errorf("%s with %s = %q, %v; want %q", c.text, c.env, v.Text, err, c.want)
		}
	}
}

// TestBounds holds every loop and every growth that Airflow leaves open.
func TestBounds(t *testing.T) {
	// nested is 20 to the power of 9 references to one value.
	nested := func(end string) []byte {
		s := "[database]\nsql_alchemy_conn = %(a0)s\na9 = " + end + "\n"
		for i := range 9 {
			s += fmt.Sprintf("a%d = %s\n", i, strings.Repeat(fmt.Sprintf("%%(a%d)s", i+1), 20))
		}
		return []byte(s)
	}
	long := func(context.Context, []string) ([]byte, error) { return make([]byte, MaxOutput+1), nil }
	for name, c := range map[string]Config{
		"two variables that name each other": {Environ: []string{"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=$A", "A=$B", "B=$A"}},
		"a variable that grows":              {Environ: []string{"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=$A", "A=$A$A"}},
		"references that grow":               {Content: nested(strings.Repeat("x", 1000))},
		"references to nothing":              {Content: nested("")},
		"a command that prints too much":     {Environ: []string{"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD=print"}, Run: long},
	} {
		if v, err := open(t, c).Get("database", conn); err == nil {
			t.Errorf("%s: %d bytes, want an error", name, len(v.Text))
		}
	}
	if _, err := Open(Config{Version: Airflow3, File: "f", Content: make([]byte, MaxFile+1)}); err == nil {
		t.Error("a file without an end is accepted")
	}
}

func TestCommandWithoutAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		f := open(t, Config{
			Environ: []string{"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD=wait"},
			Run: func(ctx context.Context, _ []string) ([]byte, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		if _, err := f.Get("database", conn); err == nil {
			t.Error("no error")
		}
		if took := time.Since(begun); took != CommandTimeout {
			t.Errorf("took %s, want %s", took, CommandTimeout)
		}
	})
}

func TestRunner(t *testing.T) {
	dir := t.TempDir()
	run := runner(dir, []string{"PATH=" + os.Getenv("PATH"), "X=x y"})
	out, err := run(t.Context(), []string{"sh", "-c", `pwd -P; printf '%s\n' "$X"; echo not wanted >&2`})
	if err != nil || !strings.HasSuffix(string(out), "\nx y\n") || !strings.Contains(string(out), dir) {
		t.Errorf("got %q, %v", out, err)
	}
	out, err = run(t.Context(), []string{"head", "-c", "1000000", "/dev/zero"})
	if err != nil || len(out) != MaxOutput+1 {
		t.Errorf("a long output: %d bytes, %v; want one more than allowed", len(out), err)
	}
	canceled, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err = run(canceled, []string{"sleep", "60"}); err == nil {
		t.Error("a command that was stopped is no error")
	}
}

// Nothing that stands in the file or the environment reaches an error: any of it
// may be a password.
func TestErrorsHoldNoValue(t *testing.T) {
	const secret = "hunter2"
	for _, content := range []string{
		secret, secret + " = x", "[" + secret + "]\n[" + secret + "]", "[a]\n" + secret, "[a]\n" + secret + "=1\n" + secret + "=2\n",
		"[a]\n= " + secret, "[api_auth]\njwt_secret = " + secret + "%", "[api_auth]\njwt_secret = %(" + secret + ")s",
		"[api_auth]\njwt_secret_cmd = '" + secret, "[api_auth]\njwt_secret_cmd = /" + secret, "[api_auth]\njwt_secret_cmd = sh -c 'echo " + secret + " >&2; exit 3'",
		"[api_auth]\njwt_secret_secret = " + secret, "\ufeff" + secret, secret + "\xff",
	} {
		f, err := Open(Config{Version: Airflow3, File: "/etc/airflow.cfg", Content: []byte(content), Environ: []string{"PATH=" + os.Getenv("PATH")}})
		if err == nil {
			_, err = f.Get("api_auth", "jwt_secret")
		}
		if err == nil || strings.Contains(err.Error(), secret) || !strings.HasPrefix(err.Error(), "/etc/airflow.cfg") {
			t.Errorf("%q: %v", content, err)
		}
	}
	for _, v := range []Value{{Text: secret, From: "X"}} {
		_, errBool := v.Bool()
		_, errInt := v.Int()
		if errBool == nil || errInt == nil || strings.Contains(errBool.Error()+errInt.Error(), secret) {
			t.Errorf("%v, %v", errBool, errInt)
		}
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	for content, line := range map[string]string{
		"\n\nx = y\n":           "line 3",
		"[a]\nx = y\n\nx = z\n": "line 4",
		"[a]\n[b]\r\n[a]\n":     "line 3",
		"[a]\n\n# c\nnonsense":  "line 4",
		"[a]\nx=1\n y\n= z":     "line 4",
	} {
		if _, err := parseINI([]byte(content)); err == nil || !strings.Contains(err.Error(), line) {
			t.Errorf("%q: %v, want %s", content, err, line)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []Config{{}, {Version: 1, File: "f"}, {Version: Airflow2}} {
		if f, err := Open(c); err == nil || f != nil {
			t.Errorf("%+v: %v, %v", c, f, err)
		}
	}
}

func TestEnvironFirstCounts(t *testing.T) {
	if diff := cmp.Diff(map[string]string{"A": "1", "B": "", "C": "x=y"}, environ([]string{"A=1", "A=2", "B", "C=x=y"})); diff != "" {
		t.Error(diff)
	}
}

// FuzzGet: a file opens or not, gives a value or an error, stands behind the
// environment, and changes nothing about what needs no reading.
func FuzzGet(f *testing.F) {
	f.Add([]byte("[database]\nsql_alchemy_conn = %(x)s/$A\nx = ~\n"), "$B")
	f.Add([]byte("[core]\nsql_alchemy_conn_cmd = 'a' \"b\\\"\" c\\ d\n"), "")
	f.Add([]byte("[DEFAULT]\nx = %%\n[database] ; c\n y = 1\n   2\n\n  3\n"), "${A}~")
	open := func(content []byte, environ ...string) (*File, error) {
		return Open(Config{
			Version: Airflow3, File: "/airflow.cfg", Content: content, Environ: append(environ, "B=$A", "HOME=/h"),
			Home: func(string) (string, bool) { return "", false },
			Run:  func(_ context.Context, argv []string) ([]byte, error) { return []byte(strings.Join(argv, " ")), nil },
		})
	}
	f.Fuzz(func(t *testing.T, content []byte, variable string) {
		file, err := open(content, "A="+variable)
		if err != nil {
			if file != nil {
				t.Error("an error and a file")
			}
			return
		}
		for _, key := range []string{conn, "sql_alchemy_schema"} {
			v, err := file.Get("database", key)
			if err != nil && v != (Value{}) {
				t.Errorf("an error and a value: %+v", v)
			}
			if err == nil && !v.Found || len(v.Text) > MaxFile+maxValue {
				t.Errorf("%d bytes, found %t", len(v.Text), v.Found)
			}
		}
		// The environment comes first, whatever the file holds.
		const word = "sqlite:////from/the/environment.db"
		if file, err = open(content, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="+word); err != nil {
			t.Fatalf("no file any more: %v", err)
		}
		if v, err := file.Get("database", conn); err != nil || v.Text != word {
			t.Errorf("the environment's word became %q, %v", v.Text, err)
		}
		// What needs no reading is read as it is.
		if variable != "" && len(variable) < 1000 && strings.Trim(variable, "abcdefghijklmnopqrstuvwxyz0123456789:/@._-") == "" {
			if file, err = open([]byte("[database]\nsql_alchemy_conn = " + variable + "\n")); err != nil {
				t.Fatal(err)
			}
			if v, err := file.Get("database", conn); err != nil || v.Text != variable {
				t.Errorf("%q became %q, %v", variable, v.Text, err)
			}
		}
	})
}
