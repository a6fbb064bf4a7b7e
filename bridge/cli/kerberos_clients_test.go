package cli_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/spnego"

	"github.com/jetbridge/jetbridge/bridge/cli"
	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

// run runs a client whose tickets are somebody's.
func (s *kerberosSite) run(t *testing.T, who, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), s.kdc.Env(who)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &errs)
	}
	return string(out)
}

// gokrb5 is the client of Go's own library.
func (s *kerberosSite) gokrb5(t *testing.T) {
	login, err := s.kdc.Client("alice", kerberostest.Realm, "alicepw")
	if err != nil {
		t.Fatal(err)
	}
	defer login.Destroy()
	for _, service := range services {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			path, body := "/api/v2/dags", ""
			if method == http.MethodPost {
				path, body = "/api/v2/dags/greetings/dagRuns", `{"logical_date": null}`
			}
			req, err := http.NewRequestWithContext(t.Context(), method, s.bridge+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			res, err := spnego.NewClient(login, nil, service).Do(req)
			if err != nil {
				t.Fatalf("%s %s: %v", method, service, err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s %s: %s", method, service, res.Status)
			}
		}
	}
}

// A pythonCase is one line of clients.py.
type pythonCase struct {
	Case string
	OK   bool
	Saw  string
}

// pythons are the interpreters with the clients of Debian and of PyPI.
func pythons(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "../../testdata/kerberos/install.sh").Output()
	if err != nil {
		t.Fatalf("install.sh: %v", err)
	}
	return map[string]string{"Debian's": "/usr/bin/python3", "PyPI's": filepath.Join(strings.TrimSpace(string(out)), "bin", "python")}
}

// A pythonKind is a client of clients.py, and whose interpreter runs it.
type pythonKind struct{ python, kind string }

func pythonKinds() []pythonKind {
	return []pythonKind{
		{"Debian's", "requests-kerberos"}, {"Debian's", "python-gssapi"},
		{"PyPI's", "requests-kerberos"}, {"PyPI's", "requests-gssapi"}, {"PyPI's", "python-gssapi"},
	}
}

func (s *kerberosSite) python(t *testing.T, python, kind, base, host string, args ...string) []pythonCase {
	t.Helper()
	out := s.run(t, "alice", python, append([]string{"../../testdata/kerberos/clients.py", kind, base, host}, args...)...)
	var cases []pythonCase
	if err := json.Unmarshal([]byte(out), &cases); err != nil || len(cases) == 0 {
		t.Fatalf("%v: %s", err, out)
	}
	return cases
}

// TestKerberosClients: unmodified clients in all their modes, of both service
// names, in both framings, with each encryption type, and behind nginx (C-41).
func TestKerberosClients(t *testing.T) {
	s := newKerberosSite(t)
	behind := s.nginx(t)
	found := pythons(t)
	for _, k := range pythonKinds() {
		t.Run(k.python+" "+k.kind, func(t *testing.T) {
			content(t, s.python(t, found[k.python], k.kind, s.bridge, "localhost"))
			content(t, s.python(t, found[k.python], k.kind, behind, "localhost"))
		})
	}
	for host := range etypes {
		t.Run("etype "+etypes[host], func(t *testing.T) {
			content(t, s.python(t, found["PyPI's"], "python-gssapi", s.bridge, host))
			content(t, s.python(t, found["Debian's"], "requests-kerberos", s.bridge, host))
		})
	}
	for where, base := range map[string]string{"": s.bridge, " behind nginx": behind} {
		t.Run("curl"+where, func(t *testing.T) { s.curl(t, base) })
	}
	t.Run("gokrb5", s.gokrb5)
	t.Run("Chromium", s.chromium)
}

// TestKerberosGateway: behind an nginx that asks /auth/verify, each client is as
// content as behind the proxy (C-41).
func TestKerberosGateway(t *testing.T) {
	s := newKerberosSite(t, "JETBRIDGE__TRUSTED_PROXIES=127.0.0.1,::1")
	gateway := s.gateway(t)
	for name, python := range pythons(t) {
		t.Run(name, func(t *testing.T) {
			content(t, s.python(t, python, "requests-kerberos", gateway, "localhost"))
			content(t, s.python(t, python, "python-gssapi", gateway, "localhost"))
		})
	}
}

func content(t *testing.T, cases []pythonCase) {
	t.Helper()
	for _, c := range cases {
		if !c.OK {
			t.Errorf("%s: %s", c.Case, c.Saw)
		}
	}
}

func (s *kerberosSite) curl(t *testing.T, base string) {
	for _, c := range []struct {
		name, who, want string
		args            []string
	}{
		{"GET", "alice", "200 ", []string{base + "/api/v2/dags"}},
		{"GET of airflow", "alice", "200 ", []string{"--service-name", "airflow", base + "/api/v2/dags"}},
		{"POST", "alice", "200 ", []string{"-H", "Content-Type: application/json", "-d", `{"logical_date": null}`, base + "/api/v2/dags/greetings/dagRuns"}},
		{"404", "alice", "404 ", []string{base + "/api/v2/dags/absent"}},
		{"a token", "alice", "201 ", []string{"-X", "POST", base + "/auth/token"}},
		{"who am I", "alice", "200 ", []string{base + "/auth/verify"}},
		{"nobody of Airflow 3's", "nobody", "403 ", []string{base + "/api/v2/dags"}},
	} {
		head := s.run(t, c.who, "curl", append([]string{"-sS", "-D", "-", "-o", "/dev/null", "--negotiate", "-u", ":"}, c.args...)...)
		// The last answer, after what it was challenged with.
		parts := strings.Split(strings.TrimSpace(strings.ReplaceAll(head, "\r", "")), "\n\n")
		last := parts[len(parts)-1]
		if !strings.Contains(strings.SplitN(last, "\n", 2)[0]+" ", " "+c.want) || !regexp.MustCompile(`(?mi)^www-authenticate: negotiate \S+$`).MatchString(last) {
			t.Errorf("%s:\n%s", c.name, head)
		}
		if regexp.MustCompile(`(?mi)^set-cookie:`).MatchString(last) {
			t.Errorf("%s: a cookie was set:\n%s", c.name, head)
		}
	}
}

// chromium opens a page that asks again and again, for a fresh one fails its
// first challenges until it has loaded its library (-339).
func (s *kerberosSite) chromium(t *testing.T) {
	name := "chromium"
	for _, candidate := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(candidate); err == nil {
			name = path
			break
		}
	}
	cmd := exec.Command(name, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--user-data-dir="+t.TempDir(),
		"--auth-server-allowlist=localhost", "--remote-debugging-port=0", s.bridge+"/browser")
	cmd.Env = append(os.Environ(), s.kdc.Env("alice")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(90 * time.Second)
	for s.chrome.Load() == 0 {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatal("no request of its came through")
		}
	}
}

// TestKerberosOverTLS: clients that bind their token to the channel are let in
// where that ends at the bridge, and refused where somebody stands in between.
func TestKerberosOverTLS(t *testing.T) {
	certs := t.TempDir()
	cert := cli.WriteCertificate(t, certs, "bridge")
	s := newKerberosSite(t, "JETBRIDGE__TLS__CERT="+cert+".crt", "JETBRIDGE__TLS__KEY="+cert+".key", "JETBRIDGE__LEGACY__KERBEROS__CHANNEL_BINDINGS=accept")
	found := pythons(t)
	t.Setenv("REQUESTS_CA_BUNDLE", cert+".crt")
	for name, python := range found {
		t.Run(name, func(t *testing.T) { content(t, s.python(t, python, "requests-kerberos", s.bridge, "localhost")) })
	}

	other := cli.WriteCertificate(t, certs, "between")
	target, err := url.Parse(s.bridge)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	text, err := os.ReadFile(cert + ".crt")
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	between := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
	})
	pair, err := tls.LoadX509KeyPair(other+".crt", other+".key")
	if err != nil {
		t.Fatal(err)
	}
	between.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	between.StartTLS()
	defer between.Close()
	t.Setenv("REQUESTS_CA_BUNDLE", other+".crt")
	base := strings.Replace(between.URL, "127.0.0.1", "localhost", 1)
	for _, c := range s.python(t, found["PyPI's"], "requests-kerberos", base, "localhost", "get-only") {
		if strings.Contains(c.Case, "preemptive") {
			continue // it makes its token before it has seen a certificate
		}
		if c.OK || !strings.Contains(c.Saw, "401") {
			t.Errorf("%s: somebody in between was not seen: %s", c.Case, c.Saw)
		}
	}
	// Debian's client is older and binds to nothing.
	content(t, s.python(t, found["Debian's"], "requests-kerberos", base, "localhost", "get-only"))
}
