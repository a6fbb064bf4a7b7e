package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is a server under way.
type process struct {
	url string
	cmd *exec.Cmd
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// start runs a command on so many cores, the first ones, and waits until path answers.
func start(cores int, address, path string, name string, args ...string) (*process, error) {
	list := "0"
	if cores > 1 {
		list = fmt.Sprintf("0-%d", cores-1)
	}
	cmd := exec.Command("taskset", append([]string{"-c", list, name}, args...)...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", cores))
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{url: "http://" + address, cmd: cmd}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		res, err := http.Get(p.url + path)
		if err == nil {
			res.Body.Close()
			return p, nil
		}
		if time.Now().After(deadline) {
			p.stop()
			return nil, fmt.Errorf("%s does not answer: %w\n%s", filepath.Base(name), err, said.String())
		}
	}
}

func (p *process) stop() {
	if p != nil {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Wait()
	}
}

// cpu is the time that the process has spent on a core (proc(5), stat).
func (p *process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // 100 ticks a second on Linux
}

// resident is the memory of the process, in MB (proc(5), status).
func (p *process) resident() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		return 0
	}
	kb, _ := strconv.ParseFloat(string(m[1]), 64)
	return kb / 1024
}

// wrkVersion is what wrk calls itself.
func wrkVersion() string {
	out, _ := exec.Command("wrk", "--version").CombinedOutput() // it exits 1
	name, _, _ := strings.Cut(string(out), " [")
	return name
}

// A load is what wrk sends.
type load struct {
	path, headers string // headers names a file with one header a line, of which each request takes the next
	connections   int
	seconds       int
}

// A result is what one round measured.
type result struct {
	requests  float64
	perSecond float64
	cpu       float64 // of the process under test, in microseconds a request
	median    float64 // of the time to an answer, in microseconds
}

var (
	half     = regexp.MustCompile(`(?m)^\s*50%\s+([\d.]+)(us|ms|s)`)
	requests = regexp.MustCompile(`(\d+) requests in ([\d.]+)(ms|s|m)`)
	bad      = regexp.MustCompile(`(?m)^\s*(Non-2xx or 3xx responses|Socket errors): (.*)$`)
)

// run has wrk load p once.
func run(ctx context.Context, dir string, p *process, l load) (result, error) {
	threads := min(l.connections, 2)
	before := p.cpu()
	cmd := exec.CommandContext(ctx, "wrk", "--latency", "-t", strconv.Itoa(threads), "-c", strconv.Itoa(l.connections),
		"-d", fmt.Sprintf("%ds", l.seconds), "-s", filepath.Join(dir, "send.lua"), p.url+l.path, "--", l.headers)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	if m := bad.FindSubmatch(out); m != nil {
		return result{}, fmt.Errorf("%s: %s: %s", l.path, m[1], m[2])
	}
	m := requests.FindSubmatch(out)
	if m == nil {
		return result{}, errors.New("wrk said nothing that can be read:\n" + string(out))
	}
	n, _ := strconv.ParseFloat(string(m[1]), 64)
	took, err := time.ParseDuration(string(m[2]) + string(m[3]))
	if err != nil || n == 0 {
		return result{}, fmt.Errorf("no request was answered: %v", err)
	}
	r := result{requests: n, perSecond: n / took.Seconds(), cpu: float64((p.cpu() - before).Microseconds()) / n}
	if m := half.FindSubmatch(out); m != nil {
		d, _ := time.ParseDuration(string(m[1]) + string(m[2]))
		r.median = float64(d.Nanoseconds()) / 1000
	}
	return r, nil
}

// sendLua has each thread of wrk go through the headers of a file, from another place than the others. A second argument
// is how many to leave out at first, a third for how many milliseconds a connection rests before each request.
const sendLua = `
local headers, at, threads = {}, 0, 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
function init(args)
  for line in io.lines(args[1]) do
    local name, value = line:match("^([^:]+): (.*)$")
    headers[#headers + 1] = {[name] = value}
  end
  at = math.floor(id * #headers / 2) + (tonumber(args[2]) or 0)
  if args[3] then delay = function() return tonumber(args[3]) end end
end
function request()
  at = at % #headers + 1
  return wrk.format("GET", nil, headers[at])
end
`
