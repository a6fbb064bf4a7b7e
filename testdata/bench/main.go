// Bench measures what jetbridge costs, against what it is to be held against, in one run: `make bench`. It prints a
// table and writes it, with the prose of notes.md behind it, to testdata/bench/latest.md.
//
// Every figure that has a budget is a ratio of two processes that did the same work in turns, a round of one and a
// round of the other, of which the median counts: what else the machine does meets both. Requests per second depend
// on the load generator and the upstream, which take their share of the same cores; the CPU time that the process
// itself spent on a request does not, and is the better figure on a small machine.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if is, err := role(os.Args[1:]); is {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(2)
		}
		return
	}
	if err := measure(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A bench is one run.
type bench struct {
	data
	ctx     context.Context
	self    string // this program
	bridge  string // jetbridge
	seconds int
	rounds  int
	report  strings.Builder
	// loadBefore is what the machine had to do when the run began: whether others used it.
	loadBefore string
}

func measure(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "jetbridge-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{data: data{dir}, ctx: ctx, self: self, bridge: filepath.Join(dir, "jetbridge")}
	if b.seconds, err = number("BENCH_SECONDS", 2); err != nil { // wrk takes whole seconds alone
		return err
	}
	if b.rounds, err = number("BENCH_ROUNDS", 3); err != nil {
		return err
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		b.loadBefore = strings.TrimSpace(string(text))
	}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", b.bridge, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	progress("making %d users and their credentials", clients)
	if err := b.write(ctx); err != nil {
		return err
	}
	for _, part := range []func() error{b.start, b.proxied, b.translated, b.verify, b.crowd, b.flood, b.memory, b.stages} {
		if err := part(); err != nil {
			return err
		}
	}
	return b.finish()
}

// number is what a variable of the environment says, or usual where it is not set.
func number(variable string, usual int) (int, error) {
	text := os.Getenv(variable)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s is %q, which is no whole number of at least 1", variable, text)
	}
	return n, nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(&b.report, format+"\n", args...)
	fmt.Printf(format+"\n", args...)
}

// serve starts jetbridge in front of an upstream; legacy is that section of its configuration, where it is not Basic alone.
func (b *bench) serve(cores int, upstream string, legacy ...string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if len(legacy) == 0 {
		legacy = []string{basicAlone}
	}
	config, err := b.config(address, upstream, legacy[0])
	if err != nil {
		return nil, err
	}
	return start(cores, address, "/api/v2/version", b.bridge, "serve", "--config", config)
}

// own starts one of this program's servers.
func (b *bench) own(cores int, args ...string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	return start(cores, address, "/", b.self, slices.Insert(args, 1, address)...)
}

// start says how long it takes until the first request is answered.
func (b *bench) start() error {
	up, err := b.own(2, "upstream")
	if err != nil {
		return err
	}
	defer up.stop()
	var serve, demo []float64
	for range 5 {
		began := time.Now()
		p, err := b.serve(2, up.url)
		if err != nil {
			return err
		}
		serve = append(serve, time.Since(began).Seconds())
		p.stop()
		address, err := freeAddress()
		if err != nil {
			return err
		}
		began = time.Now()
		if p, err = start(2, address, "/api/v2/version", b.bridge, "demo", "--listen", address); err != nil {
			return err
		}
		demo = append(demo, time.Since(began).Seconds())
		p.stop()
	}
	b.say("\n## Start\n\n| to the first answered request | median | budget |\n|---|---|---|")
	b.say("| `serve` | %.3f s | 0.3 s |", median(serve))
	b.say("| `demo` | %.3f s | 0.3 s |", median(demo))
	return nil
}

// memory says what known clients cost.
func (b *bench) memory() error {
	up, err := b.own(2, "upstream")
	if err != nil {
		return err
	}
	defer up.stop()
	p, err := b.serve(2, up.url)
	if err != nil {
		return err
	}
	defer p.stop()
	idle := p.resident()
	progress("%d clients, each with its own password", clients)
	r, err := run(b.ctx, b.dir, p, load{"/api/v2/small", b.file("basic-100000"), 16, 60})
	if err != nil {
		return err
	}
	// Each of the load generator's two threads begins in another half, and may be the slower one.
	if r.requests < 1.2*clients {
		return fmt.Errorf("memory: only %.0f requests in a minute, too few for %d clients to be known", r.requests, clients)
	}
	b.say("\n## Memory\n\n| resident | MB | budget |\n|---|---|---|")
	b.say("| idle | %.0f | 40 |", idle)
	b.say("| after %d known clients, each with a credential and a token | %.0f | 150 |", clients, p.resident())
	return nil
}

// flood says what wrong passwords of others, hundreds in a second, do to a known client: with as many of them hashed as
// there is room for, and as configured. Hashes wait in a queue by turns of the addresses that ask for them, and one
// address has half of its 64 places: the flood, which comes from one, keeps them taken, and what it sends beyond them is
// refused. Its connections rest between requests, or they would have the cores do nothing but refuse.
func (b *bench) flood() error {
	up, err := b.own(2, "upstream")
	if err != nil {
		return err
	}
	defer up.stop()
	b.say("\n## A flood of wrong passwords, beside a known client\n\n| lock-out | median without | median with | ratio | budget |\n|---|---|---|---|---|")
	known := load{"/api/v2/small", b.file("basic-1"), 1, b.seconds}
	for _, lockout := range []string{"off: its half of the queue is full", "on, as by default"} {
		p, err := b.serve(2, up.url, basicAlone+map[bool]string{true: ", lockout: {failures: 0, address_failures: 0}"}[strings.HasPrefix(lockout, "off")])
		if err != nil {
			return err
		}
		defer p.stop()
		var quiet, flooded []float64
		for round := range b.rounds {
			r, err := run(b.ctx, b.dir, p, known)
			if err != nil {
				return err
			}
			quiet = append(quiet, r.median)
			ctx, end := context.WithCancel(b.ctx)
			// Each round begins at its own part of the list: what was hashed in one is remembered in the next.
			storm := exec.CommandContext(ctx, "wrk", "-t1", "-c128", "-d60s", "-s", b.file("send.lua"), p.url+"/api/v2/small",
				"--", b.file("wrong"), strconv.Itoa(round*principals/b.rounds), "100")
			if err := storm.Start(); err != nil {
				end()
				return err
			}
			r, err = run(b.ctx, b.dir, p, known)
			end()
			_ = storm.Wait() // it was ended
			if err != nil {
				return err
			}
			flooded = append(flooded, r.median)
		}
		p.stop()
		b.say("| %s | %.0f µs | %.0f µs | **%.1f** | 2 |", lockout, median(quiet), median(flooded), median(flooded)/median(quiet))
	}
	return nil
}

// stages has the benchmarks of the packages say what each stage costs, and a look-up among 1,000 and 1,000,000 users or
// sessions.
func (b *bench) stages() error {
	progress("the cost of each stage, and of a look-up among a million users or sessions")
	cmd := exec.CommandContext(b.ctx, "testdata/postgres/with-postgres.sh", "testdata/mariadb/with-mariadb.sh",
		"go", "test", "-run", "^$", "-bench", ".", "-benchmem", "-benchtime", "0.5s", "./bridge/...", "./modern/...", "./legacy/...")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test -bench: %w\n%s", err, out)
	}
	b.say("\n## Each stage\n\n| benchmark | time | bytes | allocations |\n|---|---|---|---|")
	pkg := ""
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(line, "pkg: github.com/jetbridge/jetbridge/"); ok {
			pkg = strings.TrimSpace(name)
		}
		f := strings.Fields(line)
		if len(f) < 8 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		cells := map[string]string{}
		for i := 2; i+1 < len(f); i += 2 {
			cells[f[i+1]] = f[i]
		}
		b.say("| %s: %s | %s ns | %s | %s |", pkg, strings.TrimPrefix(f[0], "Benchmark"), cells["ns/op"], cells["B/op"], cells["allocs/op"])
	}
	return nil
}

// compare has both do the same in turns, and gives the cells of a row.
func (b *bench) compare(bare, ours *process, l load) (string, error) {
	var perSecond, cpu [2][]float64
	for range b.rounds {
		for i, p := range []*process{bare, ours} {
			r, err := run(b.ctx, b.dir, p, l)
			if err != nil {
				return "", err
			}
			perSecond[i] = append(perSecond[i], r.perSecond)
			cpu[i] = append(cpu[i], r.cpu)
		}
	}
	return fmt.Sprintf("%.0f | %.0f | **%.2f** | %.1f | %.1f | %.2f", median(perSecond[0]), median(perSecond[1]), median(ratios(perSecond[1], perSecond[0])),
		median(cpu[0]), median(cpu[1]), median(ratios(cpu[0], cpu[1]))), nil
}

// ratios are those of each round: what slowed both sides of one is not held against either.
func ratios(a, b []float64) []float64 {
	of := make([]float64, len(a))
	for i := range a {
		of[i] = a[i] / b[i]
	}
	return of
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// finish writes the report.
func (b *bench) finish() error {
	machine, _ := os.ReadFile("/proc/cpuinfo")
	model := "unknown processor"
	for line := range strings.Lines(string(machine)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
		}
	}
	version, _ := exec.Command("go", "version").Output()
	notes, err := os.ReadFile("testdata/bench/notes.md")
	if err != nil {
		return err
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	load, _ := os.ReadFile("/proc/loadavg")
	text := fmt.Sprintf("# What it costs\n\nMade by `make bench` on %s: %s, %d cores, Linux %s, %s, %s.\n"+
		"%d rounds of %d s in turns; rates, times and ratios are each the median of the rounds' own. Load before: %s; after: %s.\n%s\n%s",
		time.Now().UTC().Format(time.DateOnly), model, runtime.NumCPU(), strings.TrimSpace(string(kernel)), strings.TrimSpace(string(version)), wrkVersion(),
		b.rounds, b.seconds, b.loadBefore, strings.TrimSpace(string(load)), b.report.String(), notes)
	return os.WriteFile("testdata/bench/latest.md", []byte(text), 0o644)
}
