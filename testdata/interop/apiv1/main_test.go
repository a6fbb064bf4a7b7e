// Package apiv1 holds jetbridge's translation of the Airflow 2 REST API to real Airflows: what a client that knows
// /api/v1 alone gets from an Airflow 2.11, and what it gets through the bridge from an Airflow 3.3 with the same Dags.
package apiv1

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/testdata/interop"
)

// wholeTime bounds the run, so that no server is left behind.
const wholeTime = 14 * time.Minute

// world is what every test works with: two Airflows that run the same Dags, and a bridge. TestMain fills it once.
var world struct {
	airflow2, airflow3 *interop.Airflow
	release3           string
	bridge             *interop.Bridge
	client             string // the Python that has Airflow 2's client
	requests           string // one that has requests
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), wholeTime)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "jetbridge-apiv1-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	defer stopWorld()
	if err := buildWorld(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		return 1
	}
	return m.Run()
}

func stopWorld() {
	if world.bridge != nil {
		world.bridge.Stop()
	}
	for _, a := range []*interop.Airflow{world.airflow2, world.airflow3} {
		if a != nil {
			a.Stop()
		}
	}
}

func buildWorld(ctx context.Context, dir string) error {
	const here = ".."
	client, err := exec.Command(filepath.Join(here, "install.sh"), "client").Output()
	if err != nil {
		return fmt.Errorf("install.sh client: %w", err)
	}
	world.client = filepath.Join(strings.TrimSpace(string(client)), "bin", "python")
	world.release3 = interop.Release3
	if other := os.Getenv("AIRFLOW"); strings.HasPrefix(other, "3.") {
		world.release3 = other
	}
	dags, err := filepath.Abs("dags")
	if err != nil {
		return err
	}
	install2, err := interop.Install(here, interop.Release2)
	if err != nil {
		return err
	}
	install3, err := interop.Install(here, world.release3)
	if err != nil {
		return err
	}
	install2.DagFolder, install3.DagFolder = dags, dags
	world.requests = install2.Python()
	if world.airflow2, err = install2.NewAirflow2(ctx, filepath.Join(dir, "airflow2"), interop.Airflow2Config{Tasks: true}); err != nil {
		return err
	}
	if world.airflow3, err = install3.NewAirflow(ctx, filepath.Join(dir, "airflow3"), interop.FAB); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "interop: starting Airflow %s and %s with their schedulers, compiling jetbridge\n", interop.Release2, world.release3)
	binary := filepath.Join(dir, "jetbridge")
	if err := together(
		func() error { return world.airflow2.StartWeb(ctx) },
		func() error { return world.airflow3.Start(ctx, true) },
		func() error { return install3.Build(ctx, binary) },
	); err != nil {
		return err
	}
	if err := together(
		func() error { return world.airflow2.StartTasks(ctx) },
		func() error { return world.airflow3.StartTasks(ctx) },
	); err != nil {
		return err
	}
	if err := waitHealthy(ctx, world.airflow3.URL+"/api/v2/monitor/health"); err != nil {
		return err
	}
	listen, err := interop.FreeAddress()
	if err != nil {
		return err
	}
	yaml := fmt.Sprintf("airflow3: {url: %q, config: %q, auth_manager: fab, users: {via: upstream}}\nlegacy: {auth_backends: [basic_auth]}",
		world.airflow3.URL, world.airflow3.Config)
	world.bridge, err = interop.StartBridge(ctx, binary, dir, "bridge", listen, yaml)
	return err
}

// waitHealthy returns once all processes of an Airflow 3 that are to run have told so.
func waitHealthy(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	var health struct {
		Scheduler struct{ Status string }
		Processor struct{ Status string } `json:"dag_processor"`
	}
	for tick := time.Tick(200 * time.Millisecond); ; {
		if err := getJSON(ctx, url, &health); err == nil && health.Scheduler.Status == "healthy" && health.Processor.Status == "healthy" {
			return nil
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return fmt.Errorf("Airflow 3 does not get healthy: %+v", health)
		}
	}
}

func getJSON(ctx context.Context, url string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(into)
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
