package interop

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestObserve: before the upgrade the bridge stands in front of the running Airflow 2 and changes nothing; on the day
// one line sends everybody to Airflow 3, and one line takes it back, while clients go on and lose no request.
func TestObserve(t *testing.T) {
	listen, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	yaml := func(mode string) string {
		return fmt.Sprintf(`airflow3: {url: %q, config: %q, auth_manager: fab}
airflow2: {url: %q, version: %s}
legacy: {auth_backends: [basic_auth], users: {dsn: "sqlite:///%s"}}
migration: {mode: %s}`, world.fab.URL, world.fab.Config, world.airflow2.URL, world.install2.Release, world.airflow2.Database, mode)
	}
	b, err := StartBridge(t.Context(), world.binary, world.dir, "observe", listen, yaml("observe"))
	if b != nil {
		t.Cleanup(b.Stop)
	}
	if err != nil {
		t.Fatal(err)
	}

	for _, r := range []request{
		{Method: "GET", Target: "/api/v1/dags", Headers: []string{basicAuth("viewer", "viewer")}},
		{Method: "GET", Target: "/api/v1/dags", Headers: []string{basicAuth("viewer", "wrong")}},
		{Method: "GET", Target: "/api/v1/dags"},
		{Method: "GET", Target: "/api/v1/dags/greetings/details?fields=dag_id", Headers: []string{basicAuth("op", "op")}},
		{Method: "GET", Target: "/api/v1/no/such", Headers: []string{basicAuth("op", "op")}},
		{Method: "POST", Target: "/api/v1/dags/greetings/dagRuns", Headers: []string{basicAuth("viewer", "viewer"), "Content-Type: application/json"}, Body: "{}"},
		{Method: "POST", Target: "/api/v1/variables", Headers: []string{basicAuth("admin", "admin"), "Content-Type: application/json"}, Body: `{"no": "variable"}`},
		{Method: "GET", Target: "/login/"},
		{Method: "GET", Target: "/home"},
		{Method: "GET", Target: "/health"},
		{Method: "OPTIONS", Target: "/api/v1/dags"},
		{Method: "HEAD", Target: "/login/"},
	} {
		same(t, "observed: "+r.Method+" "+r.Target, plain(send(t, world.airflow2.URL, r)), plain(send(t, b.URL, r)))
	}
	for client, cmd := range map[string]*exec.Cmd{
		"curl":     exec.Command("curl", "-sf", "-u", "viewer:viewer", b.URL+"/api/v1/dags"),
		"requests": exec.Command(world.install2.Python(), "-c", pythonClient, b.URL+"/api/v1/dags", "viewer", "viewer"),
	} {
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), `"greetings"`) {
			t.Errorf("%s: %v\n%s", client, err, out)
		}
	}

	stop, counted := sendAll(b.URL+"/api/v1/dags", 4)
	config := filepath.Join(world.dir, "observe", "jetbridge.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	change := func(mode, answers string) {
		t.Helper()
		changed := strings.Replace(string(text), "mode: observe", "mode: "+mode, 1)
		if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		// The clients see no difference but in the web server's name.
		before := counted()[answers]
		deadline := time.After(exchangeTime)
		for tick := time.Tick(pollTime); counted()[answers] < before+8; {
			select {
			case <-tick:
			case <-deadline:
				t.Fatalf("mode %s is not in force: %v\n%s", mode, counted(), b.LogTail())
			}
		}
	}
	change("dual", "200 from 3")
	change("observe", "200 from 2")
	change("jwt_only", "401")
	change("observe ", "200 from 2")
	stop()
	answers := counted()
	for answer, n := range answers {
		if answer != "200 from 2" && answer != "200 from 3" && answer != "401" {
			t.Errorf("%d requests were answered %s", n, answer)
		}
	}
	t.Logf("%v", answers)
}

// plain masks what Airflow 2 itself makes anew for each answer.
func plain(a answer) answer {
	for _, mask := range []string{`nonce="[^"]*"`, `value="[\w.-]{40,}"`, `csrfToken = '[^']*'`, `"latest_scheduler_heartbeat": "[^"]*"`, `csrf_token" content="[^"]*"`} {
		a.Body = regexp.MustCompile(mask).ReplaceAllString(a.Body, "<new>")
	}
	return a
}

// sendAll has clients that keep their connections ask for url with Basic, until they are told to stop; counted says
// what they have been answered.
func sendAll(url string, clients int) (stop func(), counted func() map[string]int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	answers, done := map[string]int{}, make(chan struct{})
	for range clients {
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: exchangeTime}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-done:
					return
				default:
				}
				answer := whoAnswers(client, url)
				mu.Lock()
				answers[answer]++
				mu.Unlock()
			}
		})
	}
	return func() { close(done); all.Wait() }, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(answers)
	}
}

func whoAnswers(client *http.Client, url string) string {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	req.SetBasicAuth("viewer", "viewer")
	res, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	switch {
	case res.StatusCode == http.StatusOK && strings.Contains(string(body), `"greetings"`) && res.Header.Get("Server") == "gunicorn":
		return "200 from 2"
	case res.StatusCode == http.StatusOK && strings.Contains(string(body), `"greetings"`):
		return "200 from 3"
	case res.StatusCode == http.StatusUnauthorized && strings.Contains(string(body), "POST /auth/token"):
		return "401"
	}
	return fmt.Sprintf("%d %.200s", res.StatusCode, body)
}
