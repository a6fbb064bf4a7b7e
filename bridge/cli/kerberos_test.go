package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestEndPoints: a connection that began under the certificate before counts on,
// and a certificate whose key is not there yet does not count.
func TestEndPoints(t *testing.T) {
	dir := t.TempDir()
	now := time.Unix(1_800_000_000, 0)
	e := &endPoints{cert: filepath.Join(dir, "crt"), key: filepath.Join(dir, "key"), now: func() time.Time { return now }}
	write := func(serial int64, withKey bool) string {
		t.Helper()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: now.Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(e.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		if withKey {
			if err := os.WriteFile(e.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		changed := time.Unix(1_700_000_000+serial, 0)
		if err := os.Chtimes(e.cert, changed, changed); err != nil {
			t.Fatal(err)
		}
		return string(der)
	}
	want := func(what string, ders ...string) {
		t.Helper()
		now = now.Add(time.Second)
		var got []string
		for _, der := range e.certificates() {
			got = append(got, string(der))
		}
		if fmt.Sprintf("%x", got) != fmt.Sprintf("%x", ders) {
			t.Errorf("%s: %d certificates, want %d", what, len(got), len(ders))
		}
	}
	want("nothing there")
	one := write(1, true)
	want("one", one)
	write(2, false)
	want("a certificate without its key", one)
	three := write(3, true)
	want("and then another", three, one)
	four, five := write(4, true), ""
	want("a third", four, three, one)
	five = write(5, true)
	want("the oldest goes", five, four, three)
}
