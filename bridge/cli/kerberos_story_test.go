package cli_test

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge/demo"
	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

// A kerberosSite is a KDC, a stand-in for Airflow 3 that knows alice by her
// whole principal, and the bridge in front of it. The clients are real ones, as
// testdata/kerberos/install.sh installs them.
type kerberosSite struct {
	kdc     *kerberostest.KDC
	dir     string
	keytab  string
	bridge  string       // http://localhost:port
	airflow string       // what stands behind it
	chrome  atomic.Int64 // requests of a browser that came through with a token
}

// services are those of the keytab, beside one host for each etype.
var services = []string{"HTTP/localhost", "airflow/localhost"}

var etypes = map[string]string{
	"e17": "aes128-cts-hmac-sha1-96", "e18": "aes256-cts-hmac-sha1-96", "e19": "aes128-cts-hmac-sha256-128", "e20": "aes256-cts-hmac-sha384-192",
}

func newKerberosSite(t *testing.T, options ...string) *kerberosSite {
	t.Helper()
	s := &kerberosSite{dir: t.TempDir()}
	s.keytab = filepath.Join(s.dir, "airflow.keytab")
	commands := []string{"addprinc -pw alicepw alice", "addprinc -pw nobodypw nobody"}
	add := func(name, options string) {
		commands = append(commands, "addprinc "+options+"-randkey "+name, "ktadd -norandkey -k "+s.keytab+" "+name)
	}
	for _, name := range services {
		add(name, "")
	}
	for host, etype := range etypes {
		for _, service := range []string{"HTTP/", "airflow/"} {
			add(service+host, "-e "+etype+":normal ")
			commands = append(commands, "setstr "+service+host+" session_enctypes "+etype)
		}
	}
	var err error
	kdcDir := filepath.Join(s.dir, "kdc")
	if err := os.Mkdir(kdcDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if s.kdc, err = kerberostest.StartKDC(kerberostest.KDCConfig{Dir: kdcDir, Commands: commands}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kdc.Stop)
	for _, name := range []string{"alice", "nobody"} {
		if err := s.kdc.Login(name, name, name+"pw", "-f"); err != nil {
			t.Fatal(err)
		}
	}
	s.airflow = s.upstream(t)
	s.serve(t, s.airflow, options)
	return s
}

func (s *kerberosSite) upstream(t *testing.T) string {
	t.Helper()
	airflow, err := demo.NewAirflow(demo.Config{Secret: sharedSecret, Manager: "fab"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") && strings.Contains(r.UserAgent(), "Chrome/") {
			s.chrome.Add(1)
		}
		if r.URL.Path == "/browser" { // asks again and again, as a person would
			fmt.Fprint(w, `<iframe id=f src=/api/v2/dags></iframe><script>setInterval(() => { f.src = '/api/v2/dags?' + Math.random() }, 300)</script>`)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "of Airflow 3", Path: "/"}) // which no Kerberos client may get
		airflow.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// serve starts the bridge on a database whose admin is alice. Options are
// further variables of its environment.
func (s *kerberosSite) serve(t *testing.T, upstream string, options []string) {
	t.Helper()
	users := filepath.Join(s.dir, "airflow.db")
	if err := demo.WriteDatabase(t.Context(), users); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", users)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "UPDATE ab_user SET username = 'alice@EXAMPLE.TEST' WHERE username = 'admin'")
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.dir, "jetbridge.yaml")
	text := fmt.Sprintf(`listen: localhost:0
metrics: {listen: ""}
airflow3: {url: %q, auth_manager: fab, users: {dsn: "sqlite:///airflow.db"}}
legacy: {auth_backends: [kerberos_auth, basic_auth], kerberos: {keytab: airflow.keytab}}
modern: {secret: %q}
`, upstream, sharedSecret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("jetbridge", "serve", "--config", file)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), options...)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scheme := "http://"
	if strings.Contains(strings.Join(options, " "), "TLS__CERT=") {
		scheme = "https://"
	}
	address := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		serving := regexp.MustCompile(`"msg":"serving","address":"[^"]*:(\d+)"`)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if m := serving.FindStringSubmatch(lines.Text()); m != nil {
				address <- scheme + "localhost:" + m[1]
			}
		}
		_ = cmd.Wait() // the test's end, or told below
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-done
	})
	select {
	case s.bridge = <-address:
	case <-done:
		t.Fatal("the bridge did not serve")
	case <-time.After(30 * time.Second):
		t.Fatal("the bridge does not serve")
	}
}

// gateway is an nginx that asks /auth/verify and forwards itself.
func (s *kerberosSite) gateway(t *testing.T) string {
	t.Helper()
	return s.startNginx(t, fmt.Sprintf(`
    location = /_jetbridge {
      internal;
      proxy_pass %s/auth/verify;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_set_header X-Original-Method $request_method;
      proxy_set_header X-Original-URI $request_uri;
      proxy_buffer_size 32k; proxy_buffers 8 32k; proxy_busy_buffers_size 64k;
    }
    location / {
      auth_request /_jetbridge;
      auth_request_set $jb_authorization $upstream_http_authorization;
      auth_request_set $jb_cookie $upstream_http_cookie;
      auth_request_set $jb_negotiate $upstream_http_www_authenticate;
      proxy_set_header Authorization $jb_authorization;
      proxy_set_header Cookie $jb_cookie;
      add_header WWW-Authenticate $jb_negotiate always;
      proxy_hide_header Set-Cookie;
      proxy_pass %s;
    }`, s.bridgeIPv4(), s.airflow))
}

// nginx stands in front as a plain proxy, with the room for headers that
// MIGRATION.md asks for.
func (s *kerberosSite) nginx(t *testing.T) string {
	t.Helper()
	return s.startNginx(t, fmt.Sprintf(`
    location / {
      proxy_pass %s;
      proxy_set_header Host $http_host;
      proxy_buffer_size 32k; proxy_buffers 8 32k; proxy_busy_buffers_size 64k;
      proxy_next_upstream off;
    }`, s.bridgeIPv4()))
}

// bridgeIPv4 is the bridge's URL for nginx, which would try localhost's ::1 too.
func (s *kerberosSite) bridgeIPv4() string {
	return strings.Replace(s.bridge, "localhost", "127.0.0.1", 1)
}

// startNginx starts an nginx whose server has these locations.
func (s *kerberosSite) startNginx(t *testing.T, locations string) string {
	t.Helper()
	return s.daemon(t, "nginx", func(dir, addr string) (string, []string) {
		return fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server {
    listen %[2]s;
    large_client_header_buffers 4 64k;%[3]s
  }
}
`, dir, addr, locations), []string{"-p", dir, "-e", dir + "/error.log", "-c", dir + "/conf"}
	})
}

// apache serves files behind mod_auth_gssapi on the same keytab.
func (s *kerberosSite) apache(t *testing.T) string {
	t.Helper()
	return s.daemon(t, "apache2", func(dir, addr string) (string, []string) {
		root := filepath.Join(dir, "root", "api", "v2")
		err := os.MkdirAll(root, 0o755)
		if err == nil {
			err = os.WriteFile(filepath.Join(root, "dags"), []byte("{}"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		var modules strings.Builder
		for _, m := range []string{"mpm_event", "authn_core", "authz_core", "authz_user", "auth_gssapi"} {
			fmt.Fprintf(&modules, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
		}
		return fmt.Sprintf(`ServerName localhost
%[3]sListen %[2]s
PidFile %[1]s/pid
ErrorLog %[1]s/error.log
Mutex file:%[1]s
DocumentRoot %[1]s/root
<Directory %[1]s/root>
  AuthType GSSAPI
  AuthName x
  GssapiCredStore keytab:%[4]s
  Require valid-user
</Directory>
`, dir, addr, &modules, s.keytab), []string{"-X", "-f", dir + "/conf"}
	})
}

// daemon starts a server in the foreground on a free port, and waits for it.
func (s *kerberosSite) daemon(t *testing.T, name string, configure func(dir, addr string) (string, []string)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text, args := configure(dir, addr)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		path = filepath.Join("/usr/sbin", name)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), s.kdc.Env("server")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-done
	})
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(20 * time.Second)
	for {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return "http://localhost" + addr[strings.LastIndexByte(addr, ':'):]
		}
		select {
		case <-poll.C:
		case <-done:
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("%s ended: %s%s", name, out, log)
		case <-deadline:
			t.Fatalf("%s does not answer", name)
		}
	}
}
