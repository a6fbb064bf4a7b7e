package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A pair is a certificate and its key, read again when their files change.
type pair struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]stamp // of the files when they were read last, well or not
	looked  time.Time
}

// A stamp tells one state of a file from another.
type stamp struct {
	changed time.Time
	size    int64
}

// lookEvery is how often handshakes look at the files at most.
const lookEvery = time.Second

func loadPair(certFile, keyFile string, now func() time.Time, log *slog.Logger) (*pair, error) {
	p := &pair{certFile: certFile, keyFile: keyFile, now: now, log: log, looked: now()}
	p.seen = p.stamps()
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	p.current = &cert
	return p, nil
}

// certificate is for [tls.Config.GetCertificate]. Files that changed into what
// does not fit leave the certificate as it was, and say so once.
func (p *pair) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); now.Sub(p.looked) >= lookEvery {
		p.looked = now
		p.reload()
	}
	return p.current, nil
}

func (p *pair) reload() {
	seen := p.stamps()
	if seen == p.seen {
		return
	}
	p.seen = seen
	cert, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		p.log.Error("the new certificate was refused, the old one stays in force", "file", p.certFile, "err", err)
		return
	}
	p.current = &cert
	p.log.Info("the certificate was changed", "file", p.certFile)
}

// stamps looks at both files; one that is gone has the zero stamp.
func (p *pair) stamps() (s [2]stamp) {
	for i, name := range []string{p.certFile, p.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
}
