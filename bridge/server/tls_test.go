package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge/server"
)

// A keyPair is a certificate on disk.
type keyPair struct {
	t         testing.TB
	cert, key string
	written   time.Time
}

func newKeyPair(t testing.TB) *keyPair {
	dir := t.TempDir()
	p := &keyPair{t: t, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), written: time.Unix(1e9, 0)}
	p.write(1)
	return p
}

// write puts a new certificate there, and its key.
func (p *keyPair) write(serial int64) {
	p.t.Helper()
	cert, key := p.make(serial)
	p.put(p.cert, cert)
	p.put(p.key, key)
}

// make makes a certificate of that serial number, for 127.0.0.1, and its key.
func (p *keyPair) make(serial int64) (certPEM, keyPEM []byte) {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		p.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// put writes a file with a time of its own, however coarse the file system's is.
func (p *keyPair) put(name string, data []byte) {
	p.t.Helper()
	p.written = p.written.Add(time.Second)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Chtimes(name, p.written, p.written); err != nil {
		p.t.Fatal(err)
	}
}

// load reads it; nil for the system's clock, and for no log.
func (p *keyPair) load(now func() time.Time, log *slog.Logger) *server.Pair {
	p.t.Helper()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	pair, err := server.LoadPair(p.cert, p.key, now, log)
	if err != nil {
		p.t.Fatal(err)
	}
	return pair
}

func (p *keyPair) listen(now func() time.Time, log *slog.Logger) server.Listen {
	return server.Listen{Addr: "127.0.0.1:0", Pair: p.load(now, log)}
}

// client trusts anybody and takes a new connection each time.
func client(maxVersion uint16) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MaxVersion: maxVersion},
	}
}

func TestTLS(t *testing.T) {
	pair := newKeyPair(t)
	r := run(t, server.Config{Public: pair.listen(nil, nil), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Proto, " ", r.TLS != nil, " ", string(body), err)
	})})
	address := "https://" + r.Addr().String()
	for version, want := range map[uint16]string{0: "HTTP/2.0 true body<nil>", tls.VersionTLS12: "HTTP/2.0 true body<nil>"} {
		req, _ := http.NewRequest("POST", address, strings.NewReader("body"))
		res, err := client(version).RoundTrip(req)
		if err != nil {
			t.Fatalf("version %x: %v", version, err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if string(body) != want {
			t.Errorf("version %x: %q, want %q", version, body, want)
		}
	}
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if _, err := tls.Dial("tcp", r.Addr().String(), old); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
	if status, _ := get(t, r.url); status != http.StatusBadRequest {
		t.Errorf("HTTP without TLS: %d", status)
	}
}

func TestCertificateChanges(t *testing.T) {
	pair := newKeyPair(t)
	var now atomic.Int64
	var log syncBuffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	r := run(t, server.Config{
		Public: pair.listen(func() time.Time { return time.Unix(now.Load(), 0) }, logger), Handler: says("ok"), Log: logger,
	})
	serial := func() int64 {
		t.Helper()
		res, err := client(0).RoundTrip(mustRequest("https://" + r.Addr().String()))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	steps := []struct {
		name    string
		change  func()
		seconds int64
		want    int64
		logged  string
	}{
		{"at first", func() {}, 0, 1, ""},
		{"not looked at yet", func() { pair.write(2) }, 0, 1, ""},
		{"a second later", func() {}, 1, 2, "the certificate was changed"},
		{"no change", func() {}, 1, 2, ""},
		{"not a certificate", func() { pair.put(pair.cert, []byte("rubbish")) }, 1, 2, "the old one stays in force"},
		{"still not", func() {}, 1, 2, ""},
		{"gone", func() { os.Remove(pair.key) }, 1, 2, "the old one stays in force"},
		{"a good one again", func() { pair.write(3) }, 1, 3, "the certificate was changed"},
	}
	for _, step := range steps {
		log.take()
		step.change()
		now.Add(step.seconds)
		if got := serial(); got != step.want {
			t.Errorf("%s: certificate %d, want %d", step.name, got, step.want)
		}
		if got := log.take(); (step.logged == "") != (got == "") || !strings.Contains(got, step.logged) {
			t.Errorf("%s: logged %q", step.name, got)
		}
	}
}

// TestFormerCertificates: a connection that began under the certificate before
// counts on, and a certificate whose key is not there yet does not count.
func TestFormerCertificates(t *testing.T) {
	files := newKeyPair(t)
	now := time.Unix(1_800_000_000, 0)
	pair := files.load(func() time.Time { return now }, nil)
	for _, step := range []struct {
		name   string
		change func()
		want   string
	}{
		{"one", func() {}, "[1]"},
		{"a certificate without its key", func() {
			cert, _ := files.make(2)
			files.put(files.cert, cert)
		}, "[1]"},
		{"and then another", func() { files.write(3) }, "[3 1]"},
		{"a third", func() { files.write(4) }, "[4 3 1]"},
		{"the same, written again", func() {
			key, err := os.ReadFile(files.key)
			if err != nil {
				t.Fatal(err)
			}
			files.put(files.key, key)
		}, "[4 3 1]"},
		{"the oldest goes", func() { files.write(5) }, "[5 4 3]"},
	} {
		step.change()
		now = now.Add(time.Second)
		var got []string
		for _, c := range pair.Certificates() {
			got = append(got, c.SerialNumber.String())
		}
		if fmt.Sprint(got) != step.want {
			t.Errorf("%s: %v, want %s", step.name, got, step.want)
		}
	}
}

// TestPairWhenNobodyReadsTheLog: what is said of a change may take as long as it
// likes; no handshake but the one that saw it waits for that.
func TestPairWhenNobodyReadsTheLog(t *testing.T) {
	files := newKeyPair(t)
	var now atomic.Int64
	log := slowLog{begun: make(chan struct{}), read: make(chan struct{})}
	pair := files.load(func() time.Time { return time.Unix(now.Load(), 0) }, slog.New(slog.NewTextHandler(log, nil)))
	files.write(2)
	now.Add(1)
	var all sync.WaitGroup
	all.Go(func() { pair.Certificates() })
	<-log.begun
	next := make(chan []*x509.Certificate, 1)
	all.Go(func() { next <- pair.Certificates() })
	select {
	case shown := <-next:
		if len(shown) != 2 {
			t.Errorf("%d certificates", len(shown))
		}
	case <-time.After(10 * time.Second):
		t.Error("the next one waits for the log")
	}
	close(log.read)
	all.Wait()
}

// A slowLog is written when it is read.
type slowLog struct{ begun, read chan struct{} }

func (l slowLog) Write(p []byte) (int, error) {
	close(l.begun)
	<-l.read
	return len(p), nil
}

func TestLoadPairRefuses(t *testing.T) {
	pair, other := newKeyPair(t), newKeyPair(t)
	for name, files := range map[string][2]string{
		"half a pair": {pair.cert, ""}, "no such pair": {"x", "y"}, "another's key": {pair.cert, other.key},
	} {
		if _, err := server.LoadPair(files[0], files[1], nil, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// A syncBuffer takes log lines from any goroutine.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// take gives what was written since it was called last.
func (b *syncBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.buf.Reset()
	return b.buf.String()
}

// TestStalledStream: a stream of HTTP/2 is limited while it is read, and only then.
func TestStalledStream(t *testing.T) {
	const limit = 7 * time.Second
	pair := newKeyPair(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first := make([]byte, 1)
		io.ReadFull(r.Body, first)
		if r.URL.Path == "/late" {
			<-time.After(3 * limit) // as a proxy whose upstream is slow to take more
		}
		start := time.Now()
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s%s %v %v", first, body, err != nil, time.Since(start))
	})
	cfg := server.Config{Public: server.Listen{Pair: pair.load(nil, nil)}, Handler: h, StallTimeout: limit, MinBodyRate: 2}
	inBubble(t, cfg, func(b *bubble) {
		tr := client(0)
		tr.DisableKeepAlives = false
		tr.DialContext = func(context.Context, string, string) (net.Conn, error) { return b.public.dial(), nil }
		defer tr.CloseIdleConnections()
		for path, want := range map[string]string{
			"/late": "body false 0s", "/stalls": "body true 7s", "/drips": "body" + strings.Repeat("x", 14) + " true 16s",
		} {
			body, send := io.Pipe()
			var sending sync.WaitGroup
			sending.Go(func() {
				_, err := io.WriteString(send, "body")
				switch path {
				case "/late":
					<-time.After(2 * limit)
					send.Close()
				case "/drips":
					for n := 0; err == nil && n < 100; n++ {
						<-time.After(1100 * time.Millisecond)
						_, err = io.WriteString(send, "x")
					}
				}
			})
			req, _ := http.NewRequest("POST", "https://h"+path, body)
			res, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(res.Body); string(got) != want || err != nil {
				t.Errorf("%s: %q, %v, want %q", path, got, err, want)
			}
			send.Close()
			sending.Wait()
		}
	})
}
