package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/bridge/server"
)

// settle is how long files must be quiet before they are read: editors and
// Kubernetes change several things one after the other.
const settle = 200 * time.Millisecond

// Why a configuration is read again.
const (
	byHand = "SIGHUP"
	byFile = "file"
)

// A reloader puts a changed configuration into force.
type reloader struct {
	program   *Program
	assembler *assembler
	server    *server.Server
	path      string
	cfg       *config.Config // in force
	watcher   *fsnotify.Watcher
	seen      string // the files' state when they were last read
	failed    string // why that failed; empty when it did not
}

// watch reloads at SIGHUP and when a file changes, until ctx ends or end is called.
func (r *reloader) watch(ctx context.Context) (end func(), err error) {
	if r.watcher, err = fsnotify.NewWatcher(); err != nil {
		return nil, fmt.Errorf("cannot watch the configuration: %w", err)
	}
	r.follow()
	r.seen = r.state()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.loop(ctx, hangups)
	}()
	return func() {
		cancel()
		<-done
		signal.Stop(hangups)
		_ = r.watcher.Close() // nothing is lost with it
	}, nil
}

// follow watches the folders of the files that matter. Folders, since an editor
// renames a new file over the old one and Kubernetes swaps a link two levels
// above it: a watch on the file itself would go with it.
func (r *reloader) follow() {
	folders := map[string]bool{}
	for _, file := range r.files() {
		folders[filepath.Dir(file)] = true
		if real, err := filepath.EvalSymlinks(file); err == nil {
			folders[filepath.Dir(real)] = true
		}
	}
	for folder := range folders {
		if err := r.watcher.Add(folder); err != nil {
			r.assembler.log.Warn("cannot watch a folder for changes; send SIGHUP after one", "folder", folder, "error", err.Error())
		}
	}
}

func (r *reloader) loop(ctx context.Context, hangups <-chan os.Signal) {
	quiet := time.NewTimer(0)
	if !quiet.Stop() {
		<-quiet.C
	}
	for {
		select {
		case <-ctx.Done():
			quiet.Stop()
			return
		case <-hangups:
			r.reload(byHand)
		case _, ok := <-r.watcher.Events:
			if ok {
				quiet.Reset(settle)
			}
		case err, ok := <-r.watcher.Errors:
			if ok {
				r.assembler.log.Warn("watching the configuration", "error", err.Error())
				quiet.Reset(settle) // something may have been missed
			}
		case <-quiet.C:
			r.reload(byFile)
		}
	}
}

// files are those by which the configuration in force came about.
func (r *reloader) files() []string {
	files := append(slices.Clone(r.cfg.Files), r.path)
	for _, ca := range []string{r.cfg.Airflow2.CAFile, r.cfg.Airflow3.CAFile} {
		if ca != "" {
			files = append(files, ca)
		}
	}
	return files
}

// state tells the files that matter from what they were: an event in their
// folders may be about a neighbour, the store not least.
func (r *reloader) state() string {
	var b strings.Builder
	for _, file := range r.files() {
		info, err := os.Stat(file) // of what a link leads to
		if err != nil {
			fmt.Fprintln(&b, file)
			continue
		}
		fmt.Fprintln(&b, file, info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}

// reload reads the configuration again. What is faulty changes nothing, and is
// read again at each event, since what it lacks may be a file that comes later.
func (r *reloader) reload(why string) {
	a, state := r.assembler, r.state()
	if why == byFile && state == r.seen && r.failed == "" {
		return
	}
	r.seen = state
	cfg, err := r.program.load(r.path)
	var s *snapshot
	if err == nil {
		s, err = a.snapshot(cfg)
	}
	if err != nil {
		r.refuse(why, err)
		return
	}
	a.level.Set(cfg.Log.Level)
	a.warn(s)
	for _, key := range config.NeedsRestart(r.cfg, cfg) {
		a.log.Warn("changed, but in force only after a restart", "key", key)
	}
	r.server.SetHandler(a.metrics.InFlight(s.handler), s.release)
	r.cfg, r.failed = cfg, ""
	r.follow()
	r.seen = r.state()
	a.metrics.Loaded()
	a.log.Info("a new configuration is in force", "why", why, "mode", cfg.Migration.Mode, "upstream", upstreamOf(cfg))
}

// refuse says, once for each fault, that a new configuration is not taken.
func (r *reloader) refuse(why string, err error) {
	if why == byFile && err.Error() == r.failed {
		return
	}
	r.failed = err.Error()
	r.assembler.metrics.LoadFailed()
	r.assembler.log.Error("the new configuration is refused, the old one stays in force", "why", why, "error", err.Error())
}
