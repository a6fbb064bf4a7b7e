package kerberos

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/spnego"

	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

// startKDC starts a real one; the keytab of its services is svc.keytab.
func startKDC(t *testing.T, cfg kerberostest.KDCConfig) (*kerberostest.KDC, string) {
	t.Helper()
	cfg.Dir = t.TempDir()
	keytab := filepath.Join(cfg.Dir, "svc.keytab")
	cfg.Commands = append([]string{
		"addprinc -pw alicepw alice", "addprinc -randkey HTTP/localhost", "addprinc -randkey airflow/localhost",
		"ktadd -k " + keytab + " HTTP/localhost airflow/localhost",
	}, cfg.Commands...)
	kdc, err := kerberostest.StartKDC(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kdc.Stop)
	return kdc, keytab
}

// clientOf logs a principal in with gokrb5's client.
func clientOf(t *testing.T, kdc *kerberostest.KDC, name, realm, password string) *client.Client {
	t.Helper()
	c, err := kdc.Client(name, realm, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Destroy)
	return c
}

// token makes a token as gokrb5's own HTTP client does.
func token(t *testing.T, c *client.Client, service string) []byte {
	t.Helper()
	s := spnego.SPNEGOClient(c, service)
	if err := s.AcquireCred(); err != nil {
		t.Fatal(err)
	}
	st, err := s.InitSecContext()
	if err != nil {
		t.Fatal(err)
	}
	b, err := st.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRealKDC: tickets of a real KDC of MIT's, PACs included (C-43), of two
// realms that trust each other, and over a change of the service's keys (C-42).
func TestRealKDC(t *testing.T) {
	kdc, keytab := startKDC(t, kerberostest.KDCConfig{Realms: []string{"EXAMPLE.TEST", "PARTNER.TEST"}})
	if err := kdc.KadminIn("PARTNER.TEST", "addprinc -pw bobpw bob"); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	a, err := New(Config{Keytab: keytab, Realms: []string{"EXAMPLE.TEST", "PARTNER.TEST"}, Replays: NewMemory(0, nil), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	w := world{Authenticator: a}
	alice := clientOf(t, kdc, "alice", "EXAMPLE.TEST", "alicepw")
	bob := clientOf(t, kdc, "bob", "PARTNER.TEST", "bobpw")
	for _, c := range []struct {
		client  *client.Client
		service string
		want    string
	}{
		{alice, "HTTP/localhost", "alice@EXAMPLE.TEST"},
		{alice, "airflow/localhost", "alice@EXAMPLE.TEST"},
		{bob, "HTTP/localhost", "bob@PARTNER.TEST"},
	} {
		proof, err := w.send(t, kerberostest.Header(token(t, c.client, c.service)))
		if err != nil || proof.Principal.Name != c.want {
			t.Errorf("%s for %s: %+v, %v\n%s", c.want, c.service, proof.Principal, err, kdc.Log())
		}
	}

	old := token(t, alice, "HTTP/localhost")
	if err := kdc.Kadmin("ktadd -k " + keytab + " HTTP/localhost"); err != nil { // makes new keys
		t.Fatal(err)
	}
	fresh := clientOf(t, kdc, "alice", "EXAMPLE.TEST", "alicepw")
	now = now.Add(2 * lookEvery)
	if _, err := w.send(t, kerberostest.Header(old)); err != nil {
		t.Errorf("a ticket from before the change: %v", err)
	}
	if _, err := w.send(t, kerberostest.Header(token(t, fresh, "HTTP/localhost"))); err != nil {
		t.Errorf("a ticket from after it: %v", err)
	}
}

// TestAskKDC: what check tells of a keytab that is not the KDC's.
func TestAskKDC(t *testing.T) {
	kdc, keytab := startKDC(t, kerberostest.KDCConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	entries, err := readKeytab(keytab)
	if err != nil {
		t.Fatal(err)
	}
	http := entries[0]
	if kvno, err := AskKDC(ctx, kdc.Conf(), keytab, http); err != nil || kvno != int(http.KVNO) {
		t.Errorf("kvno %d, %v; the keytab has %d", kvno, err, http.KVNO)
	}
	if err := kdc.Kadmin("cpw -randkey HTTP/localhost"); err != nil {
		t.Fatal(err)
	}
	if _, err := AskKDC(ctx, kdc.Conf(), keytab, http); !errors.Is(err, ErrKDCWrongKey) {
		t.Errorf("after the key was changed: %v", err)
	}
	if err := kdc.Kadmin("delprinc -force HTTP/localhost"); err != nil {
		t.Fatal(err)
	}
	if _, err := AskKDC(ctx, kdc.Conf(), keytab, http); !errors.Is(err, ErrKDCUnknown) {
		t.Errorf("after the principal is gone: %v", err)
	}
	if _, err := AskKDC(ctx, filepath.Join(kdc.Dir, "absent"), keytab, http); !errors.Is(err, ErrKDCUnreachable) {
		t.Errorf("without a krb5.conf: %v", err)
	}
	kdc.Stop()
	if _, err := AskKDC(ctx, kdc.Conf(), keytab, http); !errors.Is(err, ErrKDCUnreachable) {
		t.Errorf("without a KDC: %v", err)
	}
}

// TestKDCErrors reads the KDC's codes as gokrb5 writes them.
func TestKDCErrors(t *testing.T) {
	for code, want := range map[int32]error{
		errorcode.KRB_AP_ERR_SKEW: ErrKDCSkew, errorcode.KDC_ERR_PREAUTH_FAILED: ErrKDCWrongKey,
		errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN: ErrKDCUnknown, errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN: ErrKDCUnknown,
	} {
		if err := kdcError(messages.NewKRBError(principalName("HTTP", "localhost"), "EXAMPLE.TEST", code, "")); !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", code, err, want)
		}
	}
	if err := kdcError(messages.NewKRBError(principalName("HTTP", "localhost"), "EXAMPLE.TEST", errorcode.KDC_ERR_POLICY, "")); errors.Is(err, ErrKDCUnknown) || errors.Is(err, ErrKDCSkew) {
		t.Errorf("a refusal of another kind: %v", err)
	}
}
