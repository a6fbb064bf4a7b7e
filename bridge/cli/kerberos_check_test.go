package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestKerberosCheck: check asks the real KDC, and tells a keytab that is not its
// own from one that is.
func TestKerberosCheck(t *testing.T) {
	s := newKerberosSite(t)
	check := func(wantExit int, wants ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "jetbridge", "check", "--config", filepath.Join(s.dir, "jetbridge.yaml"))
		cmd.Env = append(os.Environ(), s.kdc.Env("check")...)
		out, _ := cmd.CombinedOutput() // its exit is looked at below
		if got := cmd.ProcessState.ExitCode(); got != wantExit {
			t.Errorf("exit %d, want %d:\n%s", got, wantExit, out)
		}
		for _, want := range wants {
			if !regexp.MustCompile(`(?m)` + want).Match(out) {
				t.Errorf("%q is not in\n%s", want, out)
			}
		}
	}
	check(0,
		`^ok    kerberos +HTTP/localhost@EXAMPLE\.TEST, kvno 1, aes256-cts-hmac-sha1-96$`,
		`^ok    kdc +HTTP/localhost@EXAMPLE\.TEST: the KDC makes tickets under kvno 1, as the keytab has it$`)
	if err := s.kdc.Kadmin("cpw -randkey HTTP/localhost"); err != nil {
		t.Fatal(err)
	}
	check(1, `^FAIL  kdc +HTTP/localhost@EXAMPLE\.TEST: the KDC has another key`, `-> the keytab is older than the KDC's key: write a new one`,
		`^ok    kdc +airflow/localhost@EXAMPLE\.TEST: the KDC makes`)
	if err := s.kdc.Kadmin("delprinc -force HTTP/localhost"); err != nil {
		t.Fatal(err)
	}
	check(1, `^FAIL  kdc +HTTP/localhost@EXAMPLE\.TEST: the KDC does not know that principal`)
	s.kdc.Stop()
	check(0, `^warn  kdc +HTTP/localhost@EXAMPLE\.TEST: the KDC cannot be asked`)
}
