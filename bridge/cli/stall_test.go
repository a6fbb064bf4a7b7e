package cli_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge/cli"
)

// A stalled pipe is read up to a word, and never again.
type stalled struct {
	word string
	read chan struct{} // closed when it came
	end  chan struct{}
}

func (s stalled) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(s.word)) {
		close(s.read)
		<-s.end
	}
	return len(p), nil
}

// TestNobodyReadsStderr: a log that nobody reads any longer keeps neither serve from
// its end nor an error from being the last thing that is said.
func TestNobodyReadsStderr(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "jetbridge.yaml")
	text := `{listen: '127.0.0.1:0', metrics: {listen: '127.0.0.1:0'}, airflow2: {url: 'http://127.0.0.1:1'}, migration: {mode: observe}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		word string
		want int
	}{
		{[]string{"serve", "--config", file}, "serving", 0},
		{[]string{"serve", "--config", filepath.Join(t.TempDir(), "none.yaml")}, "none.yaml", 2},
	} {
		t.Run(test.word, func(t *testing.T) {
			t.Parallel()
			stderr := stalled{test.word, make(chan struct{}), make(chan struct{})}
			defer close(stderr.end)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			program := cli.Program{Args: test.args, Stdout: io.Discard, Stderr: stderr}
			done := make(chan int, 1)
			go func() { done <- program.Run(ctx) }()
			<-stderr.read
			stop()
			select {
			case code := <-done:
				if code != test.want {
					t.Errorf("it ended with %d, want %d", code, test.want)
				}
			case <-time.After(30 * time.Second):
				t.Error("it does not end")
			}
		})
	}
}
