package cli

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/server"
	"github.com/jetbridge/jetbridge/legacy/fab/fabtest"
	"github.com/jetbridge/jetbridge/legacy/kerberos"
	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

// boundSite is an assembler whose Kerberos looks at channel bindings, and the
// folder of its certificates.
type boundSite struct {
	*assembler
	at         *bridgetest.Clock
	keys       *kerberostest.Keys
	dir, users string
}

func newBoundSite(t *testing.T) boundSite {
	t.Helper()
	keys, err := kerberostest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	s := boundSite{at: bridgetest.NewClock(time.Now()), keys: keys, dir: t.TempDir(), users: users(t, fabtest.User{ID: 1, Name: "alice@EXAMPLE.TEST"}).URL}
	s.assembler = newAssembler(t, s.at)
	s.replays = kerberos.NewMemory(0, nil)
	if err := keys.Write(filepath.Join(s.dir, "keytab")); err != nil {
		t.Fatal(err)
	}
	return s
}

// lines are a configuration with that certificate; more are options of Kerberos.
func (s boundSite) lines(cert string, more ...string) []string {
	options := append(more, "keytab: "+s.dir+"/keytab", "channel_bindings: accept")
	return []string{
		"tls: {cert: " + cert + ".crt, key: " + cert + ".key}",
		"airflow3: {url: 'http://127.0.0.1:1', auth_manager: fab, users: {dsn: '" + s.users + "'}}",
		"legacy: {auth_backends: [kerberos, basic_auth], kerberos: {" + strings.Join(options, ", ") + "}}", secretLine,
	}
}

// decide asks with a ticket of alice's that is bound to a certificate, by hand
// (RFC 5929 section 4.1, RFC 4121 section 4.1.1.2).
func (s boundSite) decide(t *testing.T, by *snapshot, bound []byte) bridge.Decision {
	t.Helper()
	hash := sha256.Sum256(bound)
	data := "tls-server-end-point:" + string(hash[:])
	binding := md5.Sum([]byte(strings.Repeat("\x00", 16) + "\x35\x00\x00\x00" + data)) // 53 bytes
	r, err := s.keys.Make(kerberostest.Want{Now: s.at.Now(), Authenticator: func(a *types.Authenticator) { a.Cksum = kerberostest.Checksum(2, binding[:]) }})
	if err != nil {
		t.Fatal(err)
	}
	return by.core.Decide(t.Context(), bridge.Request{
		Method: http.MethodGet, RawPath: "/api/v2/dags", Header: http.Header{"Authorization": {kerberostest.Header(r.Raw())}},
	})
}

// TestBoundToTheListener: tickets may be bound to what the listener shows, from
// the moment when it does: whatever tls.cert names by now, and over a change of
// the acceptor's settings.
func TestBoundToTheListener(t *testing.T) {
	s := newBoundSite(t)
	one, other := WriteCertificate(t, s.dir, "one"), WriteCertificate(t, s.dir, "other")
	cfg := loaded(t, s.lines(one)...)
	if err := s.openTLS(cfg); err != nil {
		t.Fatal(err)
	}
	first := assembled(t, s.assembler, s.lines(one)...)
	srv, err := server.New(server.Config{Public: server.Listen{Addr: "127.0.0.1:0", Pair: s.pair}, Handler: first.handler, Log: s.log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	shown := func() []byte {
		t.Helper()
		c, err := tls.Dial("tcp", srv.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Raw
	}
	good := func(what string, by *snapshot, bound []byte) {
		t.Helper()
		if d := s.decide(t, by, bound); d.Verdict != bridge.PassMinted {
			t.Errorf("%s: %v %s, %v", what, d.Verdict, d.Reason, d.Cause)
		}
	}
	before := shown()
	good("at first", first, before)

	s.at.Advance(time.Second)
	second := assembled(t, s.assembler, s.lines(other)...)
	good("another tls.cert, in force after a restart", second, shown())
	between, err := tls.LoadX509KeyPair(other+".crt", other+".key")
	if err != nil {
		t.Fatal(err)
	}
	if d := s.decide(t, second, between.Certificate[0]); d.Verdict != bridge.Refuse || d.Reason != record.ChannelBindingMismatch {
		t.Errorf("bound to what nobody shows: %v %s", d.Verdict, d.Reason)
	}

	s.at.Advance(time.Second / 2) // the acceptor looked half a second ago
	WriteCertificate(t, s.dir, "one")
	s.at.Advance(time.Second / 2)
	after := shown()
	if string(after) == string(before) {
		t.Fatal("the listener shows the certificate of before")
	}
	good("a rotation", second, after)
	good("a connection from before it", second, before)
	third := assembled(t, s.assembler, s.lines(other, "clock_skew: 4m")...)
	if third.identity.tickets == second.identity.tickets {
		t.Fatal("the acceptor is the same")
	}
	good("another acceptor", third, before)
}

// TestBindingsNeedTLS: what no listener shows, nobody can be bound to.
func TestBindingsNeedTLS(t *testing.T) {
	s := newBoundSite(t)
	cfg := loaded(t, s.lines(WriteCertificate(t, s.dir, "one"))...)
	const want = "is not in force"
	if _, err := s.snapshot(cfg); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("TLS that was not on at the start: %v", err)
	}
	if err := os.WriteFile(cfg.TLS.Key, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.openTLS(cfg); err == nil || s.pair != nil {
		t.Errorf("rubbish was taken for a key: %v", err)
	}
	if _, err := s.snapshot(cfg); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a certificate that cannot be read: %v", err)
	}
}

// TestBindingsElsewhere: a command that serves nobody takes such a configuration
// too, whether it may read the key or not.
func TestBindingsElsewhere(t *testing.T) {
	s := newBoundSite(t)
	cfg := loaded(t, s.lines(WriteCertificate(t, s.dir, "one"))...)
	if err := os.WriteFile(cfg.TLS.Key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	p := &Program{Stdout: io.Discard, Stderr: &said}
	if err := p.usersDiff(t.Context(), cfg, false); err != nil || !strings.Contains(said.String(), "nobody differs") {
		t.Errorf("%q, %v", said.String(), err)
	}
}

// WriteCertificate makes a certificate of localhost's, signed by itself, and
// gives its path without .crt, and its key's without .key.
func WriteCertificate(t *testing.T, dir, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(dir, name)
	for file, block := range map[string]*pem.Block{base + ".crt": {Type: "CERTIFICATE", Bytes: der}, base + ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return base
}
