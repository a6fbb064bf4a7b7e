package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/bridge/server"
	"github.com/jetbridge/jetbridge/legacy/airflowdb"
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
	seen      stamps // of the files, when they were last read
	failed    string // why that failed; empty when it did not
}

// stamps tell files from what they were, by name; the empty stamp is that of
// none.
type stamps map[string]string

func (s stamps) look(name string) { s[name] = stamp(name) }

// now are the stamps of the same files as they are.
func (s stamps) now() stamps {
	now := make(stamps, len(s))
	for name := range s {
		now.look(name)
	}
	return now
}

// stamp looks at what a name leads to, links followed.
func stamp(name string) string {
	info, err := os.Stat(name)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano())
}

// authorities are the files that the configuration names and the snapshot reads.
func authorities(cfg *config.Config) []string {
	files := append(issuerFiles(cfg), cfg.Airflow2.CAFile, cfg.Airflow3.CAFile)
	for _, dsn := range []config.Secret{cfg.Airflow3.Users.DSN, cfg.Legacy.Users.DSN} {
		files = append(files, airflowdb.Files(dsn.Reveal())...)
	}
	return slices.DeleteFunc(files, func(name string) bool { return name == "" })
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
// above it: a watch on the file itself would go with it. Where a folder is not
// there yet, what will hold it is watched. It says whether there are new ones.
func (r *reloader) follow() bool {
	watched, more := r.watcher.WatchList(), false
	folders := map[string]bool{}
	for file := range r.seen {
		folders[nearest(filepath.Dir(file))] = true
		if real, err := filepath.EvalSymlinks(file); err == nil {
			folders[filepath.Dir(real)] = true
		}
	}
	for folder := range folders {
		if slices.Contains(watched, folder) {
			continue
		}
		more = true
		if err := r.watcher.Add(folder); err != nil {
			r.assembler.log.Warn("cannot watch a folder for changes; send SIGHUP after one", "folder", folder, "error", err.Error())
		}
	}
	return more
}

// nearest is the folder, or the first above it that is there.
func nearest(folder string) string {
	for {
		if _, err := os.Stat(folder); err == nil || folder == filepath.Dir(folder) {
			return folder
		}
		folder = filepath.Dir(folder)
	}
}

// loop reloads when our files have changed and then been quiet. Events only say
// that it is time to look: the folders may be full of those of others, such as
// the store's, which must neither hold a change up nor cause one.
func (r *reloader) loop(ctx context.Context, hangups <-chan os.Signal) {
	quiet := time.NewTimer(settle) // what changed before its folder was watched made no event
	defer quiet.Stop()
	waiting, before := true, r.seen.now()
	look := func() {
		if !waiting {
			waiting, before = true, r.seen.now()
			quiet.Reset(settle)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			r.reload(byHand)
			look()
		case _, ok := <-r.watcher.Events:
			if ok {
				look()
			}
		case err, ok := <-r.watcher.Errors:
			if ok {
				r.assembler.log.Warn("watching the configuration", "error", err.Error())
				look() // something may have been missed
			}
		case <-quiet.C:
			waiting = false
			if now := r.seen.now(); !maps.Equal(now, before) {
				look()
			} else if r.reload(byFile) {
				look() // folders that it named are watched only now
			}
		}
	}
}

// reload reads the configuration again, and says whether folders are watched that
// were not before: what changed in them meanwhile made no event.
// What is faulty changes nothing, and is read again at each event, since what it
// lacks may be a file that comes later.
func (r *reloader) reload(why string) bool {
	a := r.assembler
	if why == byFile && maps.Equal(r.seen, r.seen.now()) && r.failed == "" {
		return false
	}
	cfg, seen, err := r.program.read(r.path)
	var s *snapshot
	if err == nil {
		s, err = a.snapshot(cfg)
	}
	if err != nil {
		maps.Copy(r.seen, seen)
		r.refuse(why, err)
		return r.follow()
	}
	a.level.Set(cfg.Log.Level)
	a.warn(s)
	for _, key := range config.NeedsRestart(r.cfg, cfg) {
		a.log.Warn("changed, but in force only after a restart", "key", key)
	}
	r.server.SetHandler(a.metrics.InFlight(s.handler), s.release)
	a.inForce.Store(&s.identity)
	r.cfg, r.seen, r.failed = cfg, seen, ""
	more := r.follow()
	a.metrics.Loaded()
	a.log.Info("a new configuration is in force", "why", why, "mode", cfg.Migration.Mode, "upstream", upstreamOf(cfg))
	return more
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
