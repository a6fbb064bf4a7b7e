package cli_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A load is clients that send one request again and again.
type load struct {
	clients int
	stop    chan struct{} // closed when every client shall have one answer more, and end
	ended   sync.WaitGroup

	mu      sync.Mutex
	answers map[string]int // by status, or by what went wrong
}

// loadLimit bounds what one client sends.
const loadLimit = 100_000

func loadCmd(ts *testscript.TestScript, neg bool, args []string) {
	again := len(args) > 0 && args[0] == "-again"
	if again {
		args = args[1:]
	}
	if len(args) < 3 {
		ts.Fatalf("usage: load [-again] N METHOD PATH [-u NAME:PASSWORD] [-H 'Name: value']")
	}
	s := storyOf(ts)
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	s.load = &load{clients: n, stop: make(chan struct{}), answers: map[string]int{}}
	req := s.request(ts, args[1:])
	for range n {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: 20 * time.Second}
		s.load.ended.Go(func() {
			defer client.CloseIdleConnections()
			for range loadLimit {
				last := s.load.stopping()
				answer := answerOf(client, req)
				if again && lost(answer) {
					answer = askAgain(client, req)
				}
				s.load.count(answer)
				if last || answer == refused {
					return // a client that finds nobody there goes elsewhere
				}
			}
		})
	}
}

func (l *load) stopping() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

func (l *load) count(answer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[answer]++
}

// refused is a request that nobody took: the client still has it whole.
const refused = "refused"

// askAgain sends a request until there is an answer, as a patient client does,
// for 20 s at most.
func askAgain(client *http.Client, req *http.Request) (answer string) {
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for range 2000 {
		<-pause.C
		if answer = answerOf(client, req); !lost(answer) {
			break
		}
	}
	return answer
}

// lost says that a request has no whole answer: what it did nobody knows.
func lost(answer string) bool { _, err := strconv.Atoi(answer); return err != nil }

// answerOf is the status of a whole answer, or what went wrong.
func answerOf(client *http.Client, req *http.Request) string {
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		again.Body, _ = req.GetBody() // of a string
	}
	res, err := client.Do(again)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case err != nil:
		return "error: " + err.Error()
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "cut: " + err.Error()
	}
	return strconv.Itoa(res.StatusCode)
}

func loadedCmd(ts *testscript.TestScript, neg bool, args []string) {
	l := storyOf(ts).load
	if l == nil || len(args) == 0 {
		ts.Fatalf("usage: loaded STATUS..., after load")
	}
	close(l.stop)
	l.ended.Wait()
	for _, answer := range slices.Sorted(maps.Keys(l.answers)) {
		fmt.Fprintf(ts.Stdout(), "%d x %s\n", l.answers[answer], answer)
		if !slices.Contains(args, answer) {
			ts.Fatalf("%d requests were answered %q, not %s", l.answers[answer], answer, strings.Join(args, " or "))
		}
	}
}

func flipCmd(ts *testscript.TestScript, neg bool, args []string) {
	hup := len(args) > 0 && args[0] == "-hup"
	if hup {
		args = args[1:]
	}
	if len(args) < 5 {
		ts.Fatalf("usage: flip [-hup] N FILE=STATUS FILE=STATUS METHOD PATH [-u NAME:PASSWORD]")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	s := storyOf(ts)
	req := s.request(ts, args[3:])
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	for i := range 2 * n {
		file, want, _ := strings.Cut(args[1+i%2], "=")
		// In one step, as editors do it: a half-written file is refused, and counted.
		ts.Check(os.WriteFile(ts.MkAbs("new.yaml"), []byte(ts.ReadFile(file)), 0o600))
		ts.Check(os.Rename(ts.MkAbs("new.yaml"), ts.MkAbs("jetbridge.yaml")))
		if hup {
			ts.Check(s.server.cmd.Process.Signal(syscall.SIGHUP))
		}
		deadline := time.Now().Add(20 * time.Second)
		for answer := ""; answer != want; answer = answerOf(client, req) {
			if time.Now().After(deadline) {
				ts.Fatalf("flip %d: %s is not in force, the answer is %s\n%s", i, file, answer, s.server.text())
			}
		}
	}
}

func untilCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: until STATUS METHOD PATH [...]")
	}
	s := storyOf(ts)
	req := s.request(ts, args[1:])
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	deadline := time.Now().Add(20 * time.Second)
	for {
		answer := answerOf(client, req)
		if answer == args[0] {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the answer is %s, not %s\n%s", answer, args[0], s.server.text())
		}
	}
}

func portCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: port NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	ts.Check(l.Close())
}
