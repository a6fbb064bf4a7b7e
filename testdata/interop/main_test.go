package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// wholeTime bounds the run: when it is over everything is stopped, before the test binary's own limit would leave
// servers behind.
const wholeTime = 15 * time.Minute

// world is what every test works with: two Airflows, and four bridges in front of them. TestMain fills it once.
var world struct {
	install  *Installation // of Airflow 3
	install2 *Installation
	fab      *Airflow
	simple   *Airflow
	airflow2 *Airflow
	bridges  []front
	binary   string
	dir      string

	processes []*Bridge
}

// A front is a bridge, what stands behind it, and how its users prove who they are.
type front struct {
	name string
	url  string
	back *Airflow
	// password is what comes before a user's name in the password: nothing where Airflow 3 is asked, "old-" where
	// the user tables of the Airflow 2 are.
	password string
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), wholeTime)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "jetbridge-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	world.dir = dir
	defer stopWorld()
	if err := buildWorld(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		return 1
	}
	return m.Run()
}

func stopWorld() {
	for _, b := range world.processes {
		b.Stop()
	}
	for _, a := range []*Airflow{world.fab, world.simple, world.airflow2} {
		if a != nil {
			a.Stop()
		}
	}
}

func buildWorld(ctx context.Context) (err error) {
	release2, release3, err := releases()
	if err != nil {
		return err
	}
	if world.install, err = Install(".", release3); err != nil {
		return err
	}
	if world.install2, err = Install(".", release2); err != nil {
		return err
	}
	if world.fab, err = world.install.NewAirflow(ctx, filepath.Join(world.dir, FAB), FAB); err != nil {
		return err
	}
	if world.simple, err = world.install.NewAirflow(ctx, filepath.Join(world.dir, Simple), Simple); err != nil {
		return err
	}
	if world.airflow2, err = world.install2.NewAirflow2(ctx, filepath.Join(world.dir, "airflow2"), Airflow2Config{}); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "interop: starting Airflow %s, twice, and %s, compiling jetbridge\n", release3, release2)
	world.binary = filepath.Join(world.dir, "jetbridge")
	if err := together(
		func() error { return world.fab.Start(ctx, false) },
		func() error { return world.simple.Start(ctx, false) },
		func() error { return world.airflow2.StartWeb(ctx) },
		func() error { return world.install.Build(ctx, world.binary) },
		func() error { return makeOldUsers(ctx) },
	); err != nil {
		return err
	}
	return startBridges(ctx)
}

// releases are those to run: the usual ones, or in the place of one of them what AIRFLOW names.
func releases() (release2, release3 string, err error) {
	release2, release3 = Release2, Release3
	switch other := os.Getenv("AIRFLOW"); {
	case other == "":
	case strings.HasPrefix(other, "2."):
		release2 = other
	case strings.HasPrefix(other, "3."):
		release3 = other
	default:
		return "", "", fmt.Errorf("AIRFLOW=%s is no release of Airflow 2 or 3", other)
	}
	return release2, release3, nil
}

// together runs the functions at once and gives the first error.
func together(functions ...func() error) error {
	var wait sync.WaitGroup
	errs := make([]error, len(functions))
	for i, f := range functions {
		wait.Go(func() { errs[i] = f() })
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func oldUsers() string { return filepath.Join(world.dir, "users2.db") }

// makeOldUsers makes the database of the Airflow 2 that is being left.
func makeOldUsers(ctx context.Context) error {
	const program = `import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(open(sys.argv[2]).read())`
	cmd := exec.CommandContext(ctx, world.install.Python(), "-c", program, oldUsers(), "users2.sql")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("users2.sql: %w\n%s", err, out)
	}
	return nil
}

func startBridges(ctx context.Context) error {
	for _, back := range []*Airflow{world.fab, world.simple} {
		for _, via := range []string{"database", "upstream"} {
			f := front{name: back.Manager + "-" + via, back: back}
			legacy := "legacy: {auth_backends: [basic_auth]}"
			if via == "database" {
				f.password = "old-"
				legacy = fmt.Sprintf(`legacy: {auth_backends: [basic_auth], users: {dsn: "sqlite:///%s"}}`, oldUsers())
			}
			yaml := fmt.Sprintf("airflow3: {url: %q, config: %q, auth_manager: %s, users: {via: %s}}\n%s",
				back.URL, back.Config, back.Manager, via, legacy)
			listen, err := FreeAddress()
			if err != nil {
				return err
			}
			b, err := StartBridge(ctx, world.binary, world.dir, f.name, listen, yaml)
			if b != nil {
				world.processes = append(world.processes, b)
			}
			if err != nil {
				return err
			}
			f.url = b.URL
			world.bridges = append(world.bridges, f)
		}
	}
	return nil
}

// eachBridge runs a test once for every bridge.
func eachBridge(t *testing.T, test func(t *testing.T, f front)) {
	t.Helper()
	for _, f := range world.bridges {
		t.Run(f.name, func(t *testing.T) { test(t, f) })
	}
}
