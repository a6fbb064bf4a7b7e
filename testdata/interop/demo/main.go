// Demo puts jetbridge in front of a real Airflow 3 that runs Dags, until it is interrupted: `make demo-airflow`.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jetbridge/jetbridge/testdata/interop"
)

const listen = "127.0.0.1:8080"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo-airflow:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	install, err := interop.Install(".", interop.Release3)
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "jetbridge-demo-airflow-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	airflow, err := install.NewAirflow(ctx, filepath.Join(home, "airflow"), interop.Simple)
	if err != nil {
		return err
	}
	binary := filepath.Join(home, "jetbridge")
	if err := install.Build(ctx, binary); err != nil {
		return err
	}
	defer airflow.Stop()
	say("starting Airflow 3 (api-server, dag-processor, scheduler), about ten seconds")
	if err := airflow.Start(ctx, true); err != nil {
		return err
	}
	if err := airflow.StartTasks(ctx); err != nil {
		return err
	}
	yaml := fmt.Sprintf(`airflow3: {url: %q, config: %q, auth_manager: simple, users: {via: upstream}}
legacy: {auth_backends: [basic_auth]}`, airflow.URL, airflow.Config)
	bridge, err := interop.StartBridge(ctx, binary, home, "bridge", listen, yaml)
	if bridge != nil {
		defer bridge.Stop()
	}
	if err != nil {
		return err
	}
	fmt.Println(strings.ReplaceAll(screen, "URL", bridge.URL))
	fmt.Printf("Airflow itself is at %s, everything lives in %s. Ctrl-C stops it all.\n", airflow.URL, home)
	select {
	case <-ctx.Done():
		say("stopping")
	case <-bridge.Done():
		return fmt.Errorf("jetbridge ended\n%s", bridge.LogTail())
	}
	return nil
}

func say(text string) { fmt.Fprintln(os.Stderr, "demo-airflow:", text) }

const screen = `
A real Airflow 3 is behind jetbridge at URL.
Users: admin, op and viewer, each with its name as the password.

Airflow 3 takes JWTs only; through the bridge an old script's password still works:
  curl -u admin:admin URL/api/v2/dags
  curl -u viewer:viewer URL/api/v2/connections        # refused by Airflow: a viewer may not

Run a Dag, and see how it went:
  curl -u op:op -X PATCH URL/api/v2/dags/squares -H 'Content-Type: application/json' -d '{"is_paused": false}'
  curl -u op:op URL/api/v2/dags/squares/dagRuns -H 'Content-Type: application/json' -d '{"logical_date": null}'
  curl -u viewer:viewer URL/api/v2/dags/squares/dagRuns

The new way, a token for the same password:
  TOKEN=$(curl -s -u op:op -X POST URL/auth/token | cut -d'"' -f4)
  curl -H "Authorization: Bearer $TOKEN" URL/api/v2/dags

Airflow's own pages: URL
`
