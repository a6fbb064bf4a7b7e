package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/bridge/server"
)

// settle is how long files must be quiet before they are read: editors and
// Kubernetes change several things one after the other.
const settle = 200 * time.Millisecond

// A reloader puts a changed configuration into force.
type reloader struct {
	program   *Program
	assembler *assembler
	server    *server.Server
	path      string
	cfg       *config.Config // in force
	watcher   *fsnotify.Watcher
}

// watch reloads at SIGHUP and when a file changes, until ctx ends or end is called.
func (r *reloader) watch(ctx context.Context) (end func(), err error) {
	if r.watcher, err = fsnotify.NewWatcher(); err != nil {
		return nil, fmt.Errorf("cannot watch the configuration: %w", err)
	}
	r.follow()
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
	for _, file := range append(r.cfg.Files, r.path) {
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
			r.reload("SIGHUP")
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
			r.reload("file")
		}
	}
}

// reload reads the configuration again. What is faulty changes nothing.
func (r *reloader) reload(why string) {
	a := r.assembler
	cfg, err := r.program.load(r.path)
	if err == nil && why == "file" && reflect.DeepEqual(cfg, r.cfg) {
		return // a neighbour in the folder
	}
	var s *snapshot
	if err == nil {
		s, err = a.snapshot(cfg)
	}
	if err != nil {
		a.metrics.LoadFailed()
		a.log.Error("the new configuration is refused, the old one stays in force", "why", why, "error", err.Error())
		return
	}
	a.warn(s)
	for _, key := range config.NeedsRestart(r.cfg, cfg) {
		a.log.Warn("changed, but in force only after a restart", "key", key)
	}
	r.server.SetHandler(a.metrics.InFlight(s.handler), s.release)
	r.cfg = cfg
	r.follow()
	a.metrics.Loaded()
	a.log.Info("a new configuration is in force", "why", why, "mode", cfg.Migration.Mode)
}
