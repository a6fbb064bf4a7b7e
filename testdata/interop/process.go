package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// readyTime is how long a server may take to start on a slow machine.
	readyTime = 2 * time.Minute
	// stopTime is how long a server may take to stop before it is killed.
	stopTime = 15 * time.Second
	// pollTime is the pause between two questions whether a server is ready.
	pollTime = 50 * time.Millisecond
)

// A Process is a running server. Its children are in its process group and end with it.
type Process struct {
	name, log string
	cmd       *exec.Cmd
	done      chan struct{} // closed once it has ended
}

// Start runs cmd in a process group of its own, its output going to the file log. It stops when ctx ends.
func Start(ctx context.Context, name, log string, cmd *exec.Cmd) (*Process, error) {
	output, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer output.Close() // the child has its own copy
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p := &Process{name: name, log: log, cmd: cmd, done: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	context.AfterFunc(ctx, p.Stop)
	return p, nil
}

// WaitReady returns once url answers 200; an error holds the end of the log.
func (p *Process) WaitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	for tick := time.Tick(pollTime); ; {
		if isOK(ctx, url) {
			return nil
		}
		select {
		case <-tick:
		case <-p.done:
			return fmt.Errorf("%s ended: %s\n%s", p.name, p.cmd.ProcessState, p.LogTail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", p.name, context.Cause(ctx), p.LogTail())
		}
	}
}

func isOK(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// Stop asks the process group to end, insists after a while, and returns when the process is gone.
func (p *Process) Stop() {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopTime):
	}
	// Also for children that outlived their parent.
	p.signal(syscall.SIGKILL)
	<-p.done
}

func (p *Process) signal(s syscall.Signal) {
	if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		fmt.Fprintf(os.Stderr, "interop: signal to %s: %v\n", p.name, err)
	}
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// LogTail is the end of what the process wrote.
func (p *Process) LogTail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return p.name + " wrote:\n  " + strings.Join(lines[max(0, len(lines)-30):], "\n  ")
}

// FreeAddress is an address on loopback whose port nobody has right now.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
