// Package interop runs real Airflows and the real jetbridge in front of them, for the tests beside it and for
// `make demo-airflow`. It promises processes that are ready when a Start function returns and gone when Stop does.
// It is a module of its own: nothing that it needs is ever a dependency of jetbridge.
package interop

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The auth managers of Airflow 3 that the bridge speaks to.
const (
	FAB    = "fab"
	Simple = "simple"
)

// Users are the people of both auth managers, ids 1, 2 and 3 in FAB's tables. Each has its name as the password.
var Users = []string{"admin", "op", "viewer"}

// The releases that `make interop` runs unless it is told another.
const (
	Release2 = "2.11.0"
	Release3 = "3.3.2"
)

// An Installation is a virtual environment with one release of Airflow in it.
type Installation struct {
	Release string
	// DagFolder is where its Airflows find their Dags; empty for dags beside this file.
	DagFolder string

	dir  string
	here string // this folder
}

// Install makes or finds the installation of a release, by its lock file in here, the folder of this package.
// Progress goes to standard error: the first time takes a minute or more.
func Install(here, release string) (*Installation, error) {
	here, err := filepath.Abs(here)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(here, "install.sh"), "airflow", release)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("install.sh airflow %s: %w", release, err)
	}
	return &Installation{Release: release, dir: strings.TrimSpace(string(out)), here: here}, nil
}

// Python is the interpreter of the installation; it has requests.
func (i *Installation) Python() string { return filepath.Join(i.dir, "bin", "python") }

// Dags is the folder of the Dags.
func (i *Installation) Dags() string {
	if i.DagFolder != "" {
		return i.DagFolder
	}
	return filepath.Join(i.here, "dags")
}

// An Airflow is one Airflow on loopback with a database of its own.
type Airflow struct {
	URL string
	// Manager is Airflow 3's auth manager; of Airflow 2 it is FAB.
	Manager string
	// Home is its AIRFLOW_HOME; Config its airflow.cfg, which the bridge may read too; Database its SQLite file.
	Home, Config, Database string
	// Secret is Airflow 3's [api_auth] jwt_secret, or Airflow 2's [webserver] secret_key.
	Secret string
	// Env are further variables of its processes, as in [exec.Cmd]. To be set before they start.
	Env []string

	address   string
	install   *Installation
	processes []*Process
}

// lay makes the folder home of an Airflow that listens on a free port, and in it a migrated database with [Users]
// and the example Dags.
func (i *Installation) lay(ctx context.Context, home, manager string) (*Airflow, error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	a := i.airflowIn(home, manager)
	a.URL, a.address = "http://"+address, address
	template, err := i.template(ctx)
	if err != nil {
		return nil, err
	}
	return a, copyFile(a.Database, template)
}

func (i *Installation) airflowIn(home, manager string) *Airflow {
	return &Airflow{
		Manager: manager, Home: home, Config: filepath.Join(home, "airflow.cfg"), Database: filepath.Join(home, "airflow.db"),
		Secret: rand.Text() + rand.Text() + rand.Text(), install: i,
	}
}

// NewAirflow lays out an Airflow 3 in home, which it makes: a migrated database with [Users] and the example Dags in
// it, and a configuration. Nothing runs yet.
func (i *Installation) NewAirflow(ctx context.Context, home, manager string) (*Airflow, error) {
	a, err := i.lay(ctx, home, manager)
	if err != nil {
		return nil, err
	}
	passwords := `{"admin": "admin", "op": "op", "viewer": "viewer"}`
	if err := os.WriteFile(filepath.Join(home, "passwords.json"), []byte(passwords), 0o600); err != nil {
		return nil, err
	}
	return a, a.writeConfig()
}

func (a *Airflow) writeConfig() error {
	class := "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
	if a.Manager == FAB {
		class = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
	}
	text := fmt.Sprintf(`[core]
auth_manager = %s
dags_folder = %s
load_examples = False
executor = LocalExecutor
parallelism = 4
execution_api_server_url = %s/execution/
simple_auth_manager_users = admin:admin,op:op,viewer:viewer
simple_auth_manager_passwords_file = %s
fernet_key = %s

[database]
sql_alchemy_conn = sqlite:///%s

[api]
host = 127.0.0.1
workers = 1
expose_config = True
secret_key = %s

[api_auth]
jwt_secret = %s

[fab]
# A changed role or a deactivated user counts at once.
cache_ttl = 0

[workers]
# On a machine that is busy with tests, a task would fail for want of an answer in time.
execution_api_timeout = 60
`, class, a.install.Dags(), a.URL, filepath.Join(a.Home, "passwords.json"), fernetKey(), a.Database, rand.Text(), a.Secret)
	return os.WriteFile(a.Config, []byte(text), 0o600)
}

// fernetKey is one for what Airflow stores encrypted: all of its processes must have the same.
func fernetKey() string {
	key := make([]byte, 32)
	rand.Read(key)
	return base64.URLEncoding.EncodeToString(key)
}

// Start starts the api-server, with or without the API that running tasks speak to, and returns when it is ready.
func (a *Airflow) Start(ctx context.Context, tasks bool) error {
	apps := "core"
	if tasks {
		apps = "all"
	}
	_, port, _ := strings.Cut(a.address, ":")
	server, err := a.run(ctx, "api-server", "--host", "127.0.0.1", "--port", port, "--apps", apps)
	if err != nil {
		return err
	}
	return server.WaitReady(ctx, a.URL+"/api/v2/monitor/health")
}

// StartTasks starts what runs Dags: the scheduler and, in Airflow 3, the Dag processor.
func (a *Airflow) StartTasks(ctx context.Context) error {
	commands := []string{"dag-processor", "scheduler"}
	if a.install.isAirflow2() {
		commands = commands[1:]
	}
	for _, command := range commands {
		if _, err := a.run(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

func (a *Airflow) run(ctx context.Context, args ...string) (*Process, error) {
	cmd := a.install.command(a.Home, a.Config, args...)
	cmd.Env = append(cmd.Env, a.Env...)
	p, err := Start(ctx, "airflow "+args[0], filepath.Join(a.Home, args[0]+".log"), cmd)
	if err == nil {
		a.processes = append(a.processes, p)
	}
	return p, err
}

// Stop stops what Start and StartTasks started.
func (a *Airflow) Stop() {
	for _, p := range a.processes {
		p.Stop()
	}
	a.processes = nil
}

// command is airflow itself, hearing nothing of the caller's own Airflow configuration.
func (i *Installation) command(home, config string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(i.dir, "bin", "airflow"), args...)
	cmd.Env = append(withoutPrefix(os.Environ(), "AIRFLOW", "PYTHON"),
		"AIRFLOW_HOME="+home,
		"AIRFLOW_CONFIG="+config,
		"PYTHONDONTWRITEBYTECODE=1", // the Dags are in somebody's working tree
		"PATH="+filepath.Join(i.dir, "bin")+":"+os.Getenv("PATH"),
	)
	cmd.Dir = home
	return cmd
}

// template is a migrated database with the users and the Dags, made once for an installation: migrating and adding
// three users takes half a minute. Both managers start from it, as Airflow makes FAB's tables for either.
func (i *Installation) template(ctx context.Context) (string, error) {
	digest, err := i.templateKey()
	if err != nil {
		return "", err
	}
	file := filepath.Join(i.dir, "template-"+digest+".db")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	fmt.Fprintf(os.Stderr, "interop: making a database with users and Dags for Airflow %s (once, half a minute)\n", i.Release)
	home, err := os.MkdirTemp("", "jetbridge-template-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(home)
	a := i.airflowIn(home, FAB)
	write := a.writeConfig
	if i.isAirflow2() {
		write = func() error { return a.writeConfig2(Airflow2Config{}) }
	}
	if err := write(); err != nil {
		return "", err
	}
	steps := [][]string{{"db", "migrate"}}
	if i.isAirflow2() {
		steps = append(steps, []string{"sync-perm"}) // the web server would make the roles, when it starts
	}
	for _, name := range Users {
		steps = append(steps, []string{"users", "create", "--username", name, "--password", name,
			"--firstname", "F", "--lastname", "L", "--email", name + "@example.com",
			"--role", strings.ToUpper(name[:1]) + name[1:]})
	}
	steps = append(steps, []string{"dags", "reserialize"})
	for _, step := range steps {
		if out, err := i.command(home, a.Config, step...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("airflow %s: %w\n%s", step, err, out)
		}
	}
	// Renamed into place, so that an interrupted run leaves no half database behind.
	if err := copyFile(file+".new", a.Database); err != nil {
		return "", err
	}
	return file, os.Rename(file+".new", file)
}

// templateKey changes with everything that the template is made from, the installation aside.
func (i *Installation) templateKey() (string, error) {
	hash := sha256.New()
	io.WriteString(hash, i.Dags())
	files, err := filepath.Glob(filepath.Join(i.here, "airflow*"))
	if err != nil {
		return "", err
	}
	dags, err := filepath.Glob(filepath.Join(i.Dags(), "*.py"))
	for _, file := range append(files, dags...) {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		hash.Write(text)
	}
	return hex.EncodeToString(hash.Sum(nil)[:6]), err
}

func copyFile(to, from string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}
