package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A Pair is a certificate and its key, read again within a second of a change of
// their files. It is safe for concurrent use.
type Pair struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	shown   []*x509.Certificate // never changed, only replaced: callers hold it
	seen    [2]stamp            // of the files when they were read last, well or not
	looked  time.Time
}

// A stamp tells one state of a file from another.
type stamp struct {
	changed time.Time
	size    int64
}

const (
	// lookEvery is how often the files are looked at at most.
	lookEvery = time.Second
	// formerCertificates is how many are remembered beside the one in force.
	formerCertificates = 2
)

// LoadPair reads a certificate and its key. The clock is the one by which their
// files are looked after, nil for time.Now; log is told of each change.
func LoadPair(certFile, keyFile string, now func() time.Time, log *slog.Logger) (*Pair, error) {
	if now == nil {
		now = time.Now
	}
	p := &Pair{certFile: certFile, keyFile: keyFile, now: now, log: log, looked: now()}
	p.seen = p.stamps()
	if err := p.read(); err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	return p, nil
}

// Certificates are those that clients may have seen: the one in force, and the
// two before it, for connections outlive a change. It looks at the files as a
// handshake does, so that the newest is what the next handshake shows.
func (p *Pair) Certificates() []*x509.Certificate {
	_, shown := p.latest()
	return shown
}

// certificate is for [tls.Config.GetCertificate].
func (p *Pair) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	current, _ := p.latest()
	return current, nil
}

// latest gives what is in force once the files have been looked at. The log is told
// after the lock: however slow it is, it holds up the one handshake that saw the
// change, and no other.
func (p *Pair) latest() (current *tls.Certificate, shown []*x509.Certificate) {
	p.mu.Lock()
	changed, err := p.look()
	current, shown = p.current, p.shown
	p.mu.Unlock()
	switch {
	case err != nil:
		p.log.Error("the new certificate was refused, the old one stays in force", "file", p.certFile, "err", err)
	case changed:
		p.log.Info("the certificate was changed", "file", p.certFile)
	}
	return current, shown
}

// look reads the files again if they changed, and says whether they did. Of what
// does not fit it says so once; the certificate stays as it was.
func (p *Pair) look() (changed bool, err error) {
	now := p.now()
	if now.Sub(p.looked) < lookEvery {
		return false, nil
	}
	p.looked = now
	seen := p.stamps()
	if seen == p.seen {
		return false, nil
	}
	p.seen = seen
	return true, p.read()
}

// read puts into force what the files hold.
func (p *Pair) read() error {
	cert, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return err
	}
	p.current = &cert
	if len(p.shown) > 0 && cert.Leaf.Equal(p.shown[0]) {
		return nil // written again as it was: none goes for it
	}
	all := append([]*x509.Certificate{cert.Leaf}, p.shown...)
	p.shown = all[:min(len(all), 1+formerCertificates)]
	return nil
}

// stamps looks at both files; one that is gone has the zero stamp.
func (p *Pair) stamps() (s [2]stamp) {
	for i, name := range []string{p.certFile, p.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
}
