package interop

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// startDemo runs `jetbridge demo` with the given secret and gives its URL; it stops with the test.
func startDemo(t *testing.T, secret string) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, world.binary, "demo", "--listen", "127.0.0.1:0", "--jwt-secret", secret)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it has a folder to remove
	cmd.WaitDelay = stopTime
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		cmd.Wait()
	})
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if url, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
				ready <- url
				break
			}
		}
		io.Copy(io.Discard, out)
	}()
	select {
	case url := <-ready:
		return url
	case <-time.After(readyTime):
		t.Fatal("jetbridge demo never said that it is ready")
		return ""
	}
}

// TestDemoAnswersLikeAirflow: the stand-in that the demo has for Airflow 3 answers like the real one, each behind
// its bridge: the same status and headers, the same errors word for word, and data of the same shape.
func TestDemoAnswersLikeAirflow(t *testing.T) {
	var real front
	for _, f := range world.bridges {
		if f.name == "fab-upstream" {
			real = f
		}
	}
	demo := startDemo(t, real.back.Secret)
	// The demo's Airflow is asked through its bridge, nothing else being open; it has FAB's users and the secret.
	standIn := &Airflow{URL: demo, Manager: FAB, Secret: real.back.Secret}
	theirs, ours := newPlace(t, real.url, real.back), newPlace(t, demo, standIn)
	for _, c := range readCalls(t) {
		want, got := theirs.make(t, c), ours.make(t, c)
		switch {
		case strings.HasPrefix(want.Header.Get("Content-Type"), "text/html"):
			want.Body, got.Body = "", "" // the stand-in has pages, but not Airflow's
		case want.Status < 400 && got.Status < 400:
			want.Body, got.Body = shapes(want.Body, got.Body)
		}
		if want.text() != got.text() {
			t.Errorf("%s\n--- a real Airflow:\n%s\n--- the stand-in:\n%s", c, short(want.text()), short(got.text()))
		}
	}
}

// TestDemoReadsTokensLikeAirflow: the stand-in takes and refuses the same tokens. Behind the demo's bridge that
// shows on a public page: Airflow deletes a bad token cookie wherever it meets one. Where Airflow fails with a 500
// the stand-in refuses.
func TestDemoReadsTokensLikeAirflow(t *testing.T) {
	demo := startDemo(t, world.fab.Secret)
	const deleted = `_token=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax`
	for _, r := range readRecipes(t) {
		if r.Manager == Simple {
			continue
		}
		page := request{Method: "GET", Target: "/api/v2/version", Headers: []string{"Cookie: _token=" + r.token(world.fab)}}
		direct, got := send(t, world.fab.URL, page), send(t, demo, page)
		want := direct.Header.Get("Set-Cookie")
		if direct.Status == http.StatusInternalServerError || slices.Contains(demoRefuses, r.Name) {
			want = deleted
		}
		if got.Status == http.StatusRequestHeaderFieldsTooLarge && slices.Contains(demoRefuses, r.Name) {
			continue
		}
		if got.Status != http.StatusOK || got.Header.Get("Set-Cookie") != want {
			t.Errorf("%s\n--- a real Airflow:\n%s\n--- the stand-in:\n%s", r.Name, direct.text(), got.text())
		}
	}
}
