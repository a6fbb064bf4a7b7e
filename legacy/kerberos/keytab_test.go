package kerberos

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"

	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

func writeKeytab(t *testing.T, path string, list ...kerberostest.Key) *kerberostest.Keys {
	t.Helper()
	keys, err := kerberostest.NewKeys(list...)
	if err == nil {
		err = keys.Write(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestRotation: a keytab that changes counts at once, a broken one changes
// nothing, a key that is gone stays as long as asked (C-42).
func TestRotation(t *testing.T) {
	for _, c := range []struct {
		name string
		keep time.Duration
	}{{"the file is the whole truth", 0}, {"old keys are kept", time.Hour}} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Now()
			var log bytes.Buffer
			old := kerberostest.Key{KVNO: 2, Password: "old"}
			fresh := kerberostest.Key{KVNO: 3, Password: "new"}
			w := newWorld(t, func(cfg *Config) {
				cfg.KeepOldKeys, cfg.Now, cfg.Log = c.keep, func() time.Time { return now }, slog.New(slog.NewTextHandler(&log, nil))
			}, old)
			both, err := kerberostest.NewKeys(old, fresh)
			if err != nil {
				t.Fatal(err)
			}
			send := func(key kerberostest.Key) legacy.Reason {
				t.Helper()
				r, err := both.Make(kerberostest.Want{Key: key, Now: now})
				if err != nil {
					t.Fatal(err)
				}
				_, err = w.send(t, kerberostest.Header(r.Raw()))
				return reasonOf(t, err)
			}
			want := func(what string, got, want legacy.Reason) {
				t.Helper()
				if got != want {
					t.Errorf("%s: %q, want %q\n%s", what, got, want, log.String())
				}
			}
			later := func(d time.Duration) { now = now.Add(d) }

			want("old key", send(old), "")
			want("a key that is not there", send(fresh), legacy.UnknownServiceKey)
			writeKeytab(t, w.path, old, fresh)
			later(lookEvery)
			want("new key", send(fresh), "")
			want("old key, beside it", send(old), "")

			if err := os.WriteFile(w.path, []byte("\x05\x02\x00\x00\x00\x40half a keytab"), 0o600); err != nil {
				t.Fatal(err)
			}
			later(lookEvery)
			want("new key, the file broken", send(fresh), "")
			if n := strings.Count(log.String(), "cannot be used"); n != 1 || strings.Contains(log.String(), "half a keytab") {
				t.Errorf("the log has %d complaints:\n%s", n, log.String())
			}
			if err := os.Remove(w.path); err != nil {
				t.Fatal(err)
			}
			later(lookEvery)
			want("new key, the file gone", send(fresh), "")

			writeKeytab(t, w.path, fresh)
			later(lookEvery)
			if c.keep == 0 {
				want("old key, gone", send(old), legacy.UnknownServiceKey)
				if !strings.Contains(log.String(), "a key is gone") {
					t.Errorf("nobody was told:\n%s", log.String())
				}
				return
			}
			want("old key, gone and kept", send(old), "")
			if e := w.Entries(); len(e) != 2 || e[1].Gone.IsZero() || e[1].KVNO != 2 {
				t.Errorf("the entries are %+v", e)
			}
			later(c.keep)
			want("old key, its time over", send(old), legacy.UnknownServiceKey)
			want("new key", send(fresh), "")
		})
	}
}

// TestRefusedKeytabs: each with what to do, none with what it holds.
func TestRefusedKeytabs(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	writeKeytab(t, good)
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		data []byte
		mode fs.FileMode
		want string
	}{
		{"read by all", data, 0o644, "defaultMode: 0440"},
		{"written by all", data, 0o602, "chmod 0640"},
		{"read by the group", data, 0o640, ""},
		{"empty", nil, 0o600, "not a keytab"},
		{"text", []byte("not a keytab at all"), 0o600, "not a keytab"},
		{"cut", data[:len(data)-30], 0o600, "not a keytab"},
		{"no entry", []byte("\x05\x02\x00\x00\x00\x00"), 0o600, "no key"},
		{"huge", make([]byte, maxKeytab+1), 0o600, "larger than"},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(c.name, " ", "-"))
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := New(Config{Keytab: path, Replays: NewMemory(0, nil)})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && len(c.data) > 0 && strings.Contains(err.Error(), "localhost") {
			t.Errorf("%s: the error tells of the file: %v", c.name, err)
		}
	}
	if _, err := New(Config{Keytab: filepath.Join(dir, "absent"), Replays: NewMemory(0, nil)}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := New(Config{Keytab: dir, Replays: NewMemory(0, nil)}); err == nil {
		t.Error("a folder was a keytab")
	}
}

// TestManyKeys: the wire's name leads to its key however many there are, and
// nobody makes us try them all.
func TestManyKeys(t *testing.T) {
	var list []kerberostest.Key
	for i := range 40 {
		list = append(list, kerberostest.Key{Service: fmt.Sprintf("HTTP/host%d", i), Password: fmt.Sprint(i)})
	}
	w := newWorld(t, nil, list...)
	last := list[39]
	if _, err := w.send(t, kerberostest.Header(w.request(t, kerberostest.Want{Key: last}).Raw())); err != nil {
		t.Error(err)
	}
	var ticket messages.Ticket
	ticket.EncPart.EType = 18
	tried := 0
	for range w.keys.get().candidates(&ticket) {
		tried++
	}
	if tried != maxTried {
		t.Errorf("%d keys are tried", tried)
	}
	same := newWorld(t, nil, kerberostest.Key{Service: "HTTP/a", Password: "p"}, kerberostest.Key{Service: "HTTP/a"})
	tried = 0
	for range same.keys.get().candidates(&ticket) {
		tried++
	}
	if tried != 2 {
		t.Errorf("of two keys %d are tried", tried)
	}
}

func TestNewRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keytab")
	writeKeytab(t, path)
	for name, edit := range map[string]func(*Config){
		"no replay cache": func(c *Config) { c.Replays = nil },
		"skew":            func(c *Config) { c.Skew = time.Hour },
		"realm":           func(c *Config) { c.Realms = []string{"A@B"} },
		"service":         func(c *Config) { c.Services = []string{"HTTP/a/b"} },
		"empty service":   func(c *Config) { c.Services = []string{""} },
		"rule":            func(c *Config) { c.AuthToLocal = []string{"RULE:[1:$2]"} },
	} {
		cfg := Config{Keytab: path, Replays: NewMemory(0, nil)}
		edit(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: it was made", name)
		}
	}
}

func TestWarnings(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Services = []string{"airflow"} }, kerberostest.Key{})
	if got := w.Warnings(); len(got) != 1 || !strings.Contains(got[0], "none of the keytab's keys counts") {
		t.Errorf("%q", got)
	}
	if e := w.Entries(); len(e) != 1 || e[0].Why != "not among the services" || e[0].Name() != "HTTP/localhost@EXAMPLE.TEST" || e[0].EtypeName != "aes256-cts-hmac-sha1-96" {
		t.Errorf("%+v", e)
	}
	w = newWorld(t, nil, kerberostest.Key{Etype: 23}, kerberostest.Key{})
	if e := w.Entries(); len(w.Warnings()) != 0 || !strings.Contains(e[0].Why, "rc4-hmac") || e[1].Why != "" {
		t.Errorf("%q, %+v", w.Warnings(), e)
	}
}
