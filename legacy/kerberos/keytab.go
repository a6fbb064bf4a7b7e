package kerberos

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

const (
	maxKeytab = 1 << 20 // bytes
	// maxTried bounds the keys that are tried on one ticket, of which everybody
	// can send any number.
	maxTried = 32
	// lookEvery is how often the file is looked at, at most.
	lookEvery = time.Second
)

// An Entry is one key of a keytab, without the key.
type Entry struct {
	Service   string // airflow/host.example.com
	Realm     string
	KVNO      uint32
	Etype     int32
	EtypeName string // as klist -e shows it; empty for one that is not spoken
	// Gone is set for a key that is no longer in the file and counts until then.
	Gone time.Time
	// Why says why the key does not count; empty when it does.
	Why string

	parts []string
	key   types.EncryptionKey
}

// Name gives service/host@REALM.
func (e Entry) Name() string { return e.Service + "@" + e.Realm }

// keys are those of one state of the file. Nobody changes them.
type keys struct{ entries []Entry }

// A keyring reads a keytab again when it changes.
type keyring struct {
	path string
	old  time.Duration
	log  *slog.Logger
	now  func() time.Time

	loaded atomic.Pointer[keys]
	looked atomic.Int64 // when, in Unix nanoseconds
	mu     sync.Mutex   // of what follows, and of looking
	seen   os.FileInfo
	faulty string // the last complaint
}

func openKeyring(cfg Config) (*keyring, error) {
	k := &keyring{path: cfg.Keytab, old: cfg.KeepOldKeys, log: cfg.Log, now: cfg.Now}
	k.looked.Store(k.now().UnixNano())
	k.seen, _ = os.Stat(k.path)
	entries, err := readKeytab(k.path)
	if err != nil {
		return nil, err
	}
	k.loaded.Store(&keys{entries})
	return k, nil
}

func (k *keyring) get() *keys { return k.loaded.Load() }

// current gives the keys in force, after a look at the file if the last one is
// a second old. Nobody waits for somebody else's look.
func (k *keyring) current() *keys {
	now := k.now()
	if last := k.looked.Load(); now.UnixNano()-last >= int64(lookEvery) || now.UnixNano() < last {
		if k.mu.TryLock() {
			k.look(now)
			k.mu.Unlock()
		}
	}
	return k.get()
}

// refreshed is for whom no key fits: it waits for a look, if one is due, and
// gives what is in force after it.
func (k *keyring) refreshed() *keys {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if now.UnixNano()-k.looked.Load() >= int64(lookEvery) {
		k.look(now)
	}
	return k.get()
}

// look reads the file if it is another one than it was. One that cannot be used
// leaves the keys as they are, and is complained of once.
func (k *keyring) look(now time.Time) {
	k.looked.Store(now.UnixNano())
	info, err := os.Stat(k.path)
	if err == nil && k.seen != nil && os.SameFile(info, k.seen) && info.ModTime().Equal(k.seen.ModTime()) && info.Size() == k.seen.Size() && info.Mode() == k.seen.Mode() {
		k.forget(now)
		return
	}
	k.seen = info
	entries, err := readKeytab(k.path)
	if err != nil {
		if err.Error() != k.faulty {
			k.faulty = err.Error()
			k.log.Error("the keytab cannot be used, the keys that were read before stay in force", "err", err)
		}
		return
	}
	k.faulty = ""
	before := k.get().entries
	kept := 0
	for _, e := range before {
		if slices.ContainsFunc(entries, e.same) {
			continue
		}
		if e.Gone.IsZero() {
			e.Gone = now.Add(k.old)
		}
		if now.Before(e.Gone) {
			entries = append(entries, e)
			kept++
		} else {
			k.log.Warn("a key is gone from the keytab: tickets under it are refused (legacy.kerberos.keep_old_keys would keep it for a time)",
				"service", e.Name(), "kvno", e.KVNO, "etype", e.EtypeName)
		}
	}
	k.loaded.Store(&keys{entries})
	k.log.Info("the keytab was read again", "keys", len(entries)-kept, "old_keys", kept)
}

// forget drops the keys whose time is over.
func (k *keyring) forget(now time.Time) {
	over := func(e Entry) bool { return !e.Gone.IsZero() && !now.Before(e.Gone) }
	if entries := k.get().entries; slices.ContainsFunc(entries, over) {
		k.loaded.Store(&keys{slices.DeleteFunc(slices.Clone(entries), over)})
	}
}

func (e Entry) same(other Entry) bool {
	return e.Service == other.Service && e.Realm == other.Realm && e.KVNO == other.KVNO && e.Etype == other.Etype &&
		string(e.key.KeyValue) == string(other.key.KeyValue)
}

// candidates gives the keys that may open t, the likely ones first: the name
// that the wire says, then its version, then any. A key that stands there under
// several names, as an account's in Active Directory, is tried once.
func (k *keys) candidates(t *messages.Ticket) iter.Seq[Entry] {
	named := func(e Entry) bool { return e.Realm == t.Realm && slices.Equal(e.parts, t.SName.NameString) }
	version := func(e Entry) bool { return t.EncPart.KVNO == 0 || int(e.KVNO) == t.EncPart.KVNO }
	return func(yield func(Entry) bool) {
		var tried [maxTried]string
		n := 0
		for rank := range 4 {
			for _, e := range k.entries {
				if e.Etype != t.EncPart.EType || rankOf(named(e), version(e)) != rank || slices.Contains(tried[:n], string(e.key.KeyValue)) {
					continue
				}
				if n == maxTried {
					return
				}
				tried[n] = string(e.key.KeyValue)
				n++
				if !yield(e) {
					return
				}
			}
		}
	}
}

func rankOf(named, version bool) int {
	switch {
	case named && version:
		return 0
	case named:
		return 1
	case version:
		return 2
	}
	return 3
}

// missing says in plain words why no key fits.
func (k *keys) missing(t *messages.Ticket) string {
	var versions, etypes []string
	for _, e := range k.entries {
		if e.Realm != t.Realm || !slices.Equal(e.parts, t.SName.NameString) {
			continue
		}
		if e.Etype == t.EncPart.EType {
			versions = append(versions, fmt.Sprint(e.KVNO))
			if int(e.KVNO) == t.EncPart.KVNO {
				return "the keytab's key of that name and version does not open it: the password was changed without a new version, or the keytab is of another KDC"
			}
		}
		etypes = append(etypes, e.EtypeName)
	}
	slices.Sort(etypes)
	switch {
	case len(versions) > 0:
		return "the keytab holds kvno " + strings.Join(versions, ", ") + " of it: write a new keytab, or let the client get a new ticket (kdestroy, kinit)"
	case len(etypes) > 0:
		return "the keytab holds that name with " + strings.Join(slices.Compact(etypes), ", ") + " alone: add a key of the ticket's type"
	}
	return "the keytab does not hold that name, and none of its keys opens it: was the client sent to another host name than the keytab's?"
}

// realms gives the realms of the entries, each once, in order.
func (k *keys) realms() []string {
	var all []string
	for _, e := range k.entries {
		if !slices.Contains(all, e.Realm) {
			all = append(all, e.Realm)
		}
	}
	return all
}

// readKeytab reads a keytab whole. Its errors hold nothing of the file.
func readKeytab(path string) ([]Entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("kerberos: the keytab cannot be opened: %w; name the one that Airflow 2 had ([kerberos] keytab), or write one (kadmin: ktadd -k FILE airflow/HOST), readable by the user that jetbridge runs as", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("kerberos: the keytab: %w", err)
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return nil, fmt.Errorf("kerberos: the keytab %s is not a file", path)
	case mode.Perm()&0o007 != 0:
		return nil, fmt.Errorf("kerberos: the keytab %s may be read or written by everybody (mode %04o), and whoever has it can become any user: chmod 0640 or tighter; in Kubernetes set the volume's defaultMode: 0440 and the pod's securityContext.fsGroup", path, mode.Perm())
	case info.Size() > maxKeytab:
		return nil, fmt.Errorf("kerberos: the keytab %s is larger than %d bytes", path, maxKeytab)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeytab))
	if err != nil {
		return nil, fmt.Errorf("kerberos: the keytab: %w", err)
	}
	entries, err := parseKeytab(data)
	if err != nil {
		return nil, fmt.Errorf("kerberos: the keytab %s: %w", path, err)
	}
	return entries, nil
}

var errNotKeytab = errors.New("it is not a keytab, or only a part of one")

// parseKeytab never gives gokrb5's own error on: it holds the whole file, keys
// included.
func parseKeytab(data []byte) (entries []Entry, err error) {
	defer func() {
		if recover() != nil {
			entries, err = nil, errNotKeytab
		}
	}()
	kt := keytab.New()
	if len(data) < 2 || kt.Unmarshal(data) != nil {
		return nil, errNotKeytab
	}
	for _, e := range kt.Entries {
		p, bad := newPrincipal(e.Principal.Components, e.Principal.Realm)
		if bad != nil || int(e.Principal.NumComponents) != len(p.parts) {
			return nil, errNotKeytab // gokrb5 goes on where it could not read a name
		}
		if size := keySize(e.Key.KeyType); size != 0 && size != len(e.Key.KeyValue) {
			return nil, fmt.Errorf("a key of %s has the wrong length", p)
		}
		entries = append(entries, Entry{
			Service: strings.Join(p.parts, "/"), Realm: p.realm, KVNO: e.KVNO, Etype: e.Key.KeyType,
			EtypeName: etypeName(e.Key.KeyType), parts: p.parts, key: e.Key,
		})
	}
	if len(entries) == 0 {
		return nil, errors.New("it holds no key")
	}
	return entries, nil
}
