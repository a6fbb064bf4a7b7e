package apiv1

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jetbridge/jetbridge/testdata/interop"
)

// script runs a Python program that speaks to url and gives what it printed.
func script(ctx context.Context, file, url string) (string, error) {
	cmd := exec.CommandContext(ctx, world.requests, "-W", "ignore", file, url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", file, url, err, out)
	}
	return string(out), nil
}

// TestScripts: scripts of the kind that people have, which know requests, a password and /api/v1, print the same of an
// Airflow 2.11 and through the bridge.
func TestScripts(t *testing.T) {
	if err := together(
		func() error { return stage(t.Context(), world.airflow2, world.airflow2.URL, "execution_date") },
		func() error { return stage(t.Context(), world.airflow3, world.bridge.URL, "logical_date") },
	); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ file, contains string }{
		{"trigger.py", "add success 1"},
		{"failed.py", "1 failed"},
		{"page.py", "1000 runs of 1000"},
		{"clear.py", "200"},
		{"log.py", "mind the step"},
		{"variable.py", "2024-02-01"},
		{"pause.py", "many True"},
	} {
		t.Run(strings.TrimSuffix(test.file, ".py"), func(t *testing.T) {
			var direct, bridge string
			file := filepath.Join("scripts", test.file)
			if err := together(
				func() (err error) { direct, err = script(t.Context(), file, world.airflow2.URL); return err },
				func() (err error) { bridge, err = script(t.Context(), file, world.bridge.URL); return err },
			); err != nil {
				t.Fatal(err)
			}
			if direct != bridge {
				t.Errorf("--- Airflow 2:\n%s--- through the bridge:\n%s", direct, bridge)
			}
			if !strings.Contains(direct, test.contains) {
				t.Errorf("it says nothing of %q: %s", test.contains, direct)
			}
		})
	}
}

// stage leaves what the scripts come upon: a run of the Dag trips that has failed, and a thousand runs of many, a minute
// apart. One of these is asked for, the rest are its copies: to ask for each would take minutes.
func stage(ctx context.Context, a *interop.Airflow, url, date string) error {
	const program = `
import sqlite3, sys, time, requests
url, file, date = sys.argv[1:]
dags = url + "/api/v1/dags"
auth = ("admin", "admin")
requests.post(dags + "/trips/dagRuns", json={"dag_run_id": "first"}, auth=auth).raise_for_status()
requests.post(dags + "/many/dagRuns", json={"dag_run_id": "pattern"}, auth=auth).raise_for_status()
db = sqlite3.connect(file, timeout=60)
columns = [row[1] for row in db.execute("PRAGMA table_info(dag_run)")]
pattern = dict(zip(columns, db.execute("SELECT * FROM dag_run WHERE run_id = 'pattern'").fetchone()))
db.execute("DELETE FROM dag_run WHERE dag_id = 'many'")
del pattern["id"]
for n in range(1000):
    when = "2024-05-01 %02d:%02d:00.000000" % divmod(n, 60)
    run = {**pattern, "run_id": "run-%d" % n, "state": "success", date: when}
    db.execute("INSERT INTO dag_run (%s) VALUES (%s)" % (",".join(run), ",".join("?" * len(run))), list(run.values()))
db.commit()
for _ in range(400):
    if requests.get(dags + "/trips/dagRuns/first", auth=auth).json()["state"] == "failed":
        sys.exit()
    time.sleep(0.3)
sys.exit("the run of trips does not fail")
`
	out, err := exec.CommandContext(ctx, world.requests, "-c", program, url, a.Database, date).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", url, err, out)
	}
	return nil
}
