package kerberostest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
)

// A KDC is MIT's krb5kdc on a free port of 127.0.0.1, with everything that it
// keeps in one folder. It needs no privileges, and is up in a tenth of a second.
type KDC struct {
	Dir    string
	Realms []string
	addr   string
	cmd    *exec.Cmd
	done   chan struct{}
}

// KDCConfig says what a KDC begins with.
type KDCConfig struct {
	// Dir is where it keeps its files: an empty folder of nobody else's.
	Dir string
	// Realms; [Realm] alone if empty. Each trusts each other one.
	Realms []string
	// Commands are lines for kadmin.local in the first realm, run before it
	// starts: addprinc -pw secret alice.
	Commands []string
}

// StartKDC makes the realms and starts the KDC. It must be stopped.
func StartKDC(cfg KDCConfig) (*KDC, error) {
	k := &KDC{Dir: cfg.Dir, Realms: cfg.Realms, done: make(chan struct{})}
	if len(k.Realms) == 0 {
		k.Realms = []string{Realm}
	}
	var err error
	if k.addr, err = freeAddress(); err != nil {
		return nil, err
	}
	if err := k.configure(); err != nil {
		return nil, err
	}
	for _, realm := range k.Realms {
		if _, err := k.run("", "kdb5_util", "create", "-s", "-r", realm, "-P", "master"); err != nil {
			return nil, err
		}
	}
	for _, from := range k.Realms {
		for _, to := range k.Realms {
			if from == to {
				continue
			}
			trust := "addprinc -pw trust-" + from + "-" + to + " krbtgt/" + to + "@" + from
			for _, holder := range []string{from, to} {
				if err := k.KadminIn(holder, trust); err != nil {
					return nil, err
				}
			}
		}
	}
	if err := k.Kadmin(cfg.Commands...); err != nil {
		return nil, err
	}
	return k, k.start()
}

// freeAddress finds a port that is free for both TCP and UDP.
func freeAddress() (string, error) {
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		addr := l.Addr().String()
		p, err := net.ListenPacket("udp", addr)
		_ = l.Close() // it has done its work
		if err == nil {
			return addr, p.Close()
		}
	}
	return "", errors.New("no port is free for TCP and UDP")
}

func (k *KDC) path(name string) string { return filepath.Join(k.Dir, name) }

func (k *KDC) configure() error {
	var conf, kdc strings.Builder
	fmt.Fprintf(&conf, "[libdefaults]\n default_realm = %s\n dns_lookup_kdc = false\n dns_lookup_realm = false\n", k.Realms[0])
	conf.WriteString(" dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n")
	const etypes = "aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal aes256-cts-hmac-sha384-192:normal aes128-cts-hmac-sha256-128:normal"
	fmt.Fprintf(&kdc, "[kdcdefaults]\n kdc_listen = %s\n kdc_tcp_listen = %s\n[realms]\n", k.addr, k.addr)
	conf.WriteString("[realms]\n")
	for _, realm := range k.Realms {
		fmt.Fprintf(&conf, " %s = {\n  kdc = %s\n }\n", realm, k.addr)
		fmt.Fprintf(&kdc, " %s = {\n  database_name = %s\n  key_stash_file = %s\n  supported_enctypes = %s\n }\n",
			realm, k.path("principal-"+realm), k.path("stash-"+realm), etypes)
	}
	fmt.Fprintf(&conf, "[domain_realm]\n localhost = %s\n", k.Realms[0])
	fmt.Fprintf(&kdc, "[logging]\n kdc = FILE:%s\n", k.path("kdc.log"))
	return errors.Join(os.WriteFile(k.path("krb5.conf"), []byte(conf.String()), 0o600), os.WriteFile(k.path("kdc.conf"), []byte(kdc.String()), 0o600))
}

// Conf is the krb5.conf of its clients.
func (k *KDC) Conf() string { return k.path("krb5.conf") }

// Env is the environment of a client whose tickets are in the cache of that
// name, or of an acceptor.
func (k *KDC) Env(cache string) []string {
	return []string{"KRB5_CONFIG=" + k.Conf(), "KRB5_KDC_PROFILE=" + k.path("kdc.conf"), "KRB5CCNAME=FILE:" + k.path("cc-"+cache), "KRB5RCACHEDIR=" + k.Dir}
}

// run runs one of MIT's programs, which Debian has in folders that are not in
// everybody's PATH.
func (k *KDC) run(stdin, name string, args ...string) (string, error) {
	cmd := k.command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), nil
}

func (k *KDC) command(name string, args ...string) *exec.Cmd {
	path, err := exec.LookPath(name)
	if err != nil {
		path = filepath.Join("/usr/sbin", name)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "KRB5") }), k.Env("kdc")...)
	return cmd
}

// Kadmin runs lines of kadmin.local in the first realm; the first that fails is
// the error.
func (k *KDC) Kadmin(lines ...string) error { return k.KadminIn(k.Realms[0], lines...) }

// KadminIn does the same in another realm.
func (k *KDC) KadminIn(realm string, lines ...string) error {
	if len(lines) == 0 {
		return nil
	}
	out, err := k.run(strings.Join(lines, "\n")+"\n", "kadmin.local", "-r", realm)
	if err != nil {
		return err
	}
	// It ends well whatever happened to a line.
	for line := range strings.Lines(out) {
		if strings.Contains(line, " while ") || strings.Contains(line, "not found") || strings.Contains(line, "usage:") {
			return fmt.Errorf("kadmin.local: %s", strings.TrimSpace(line))
		}
	}
	return nil
}

// Login puts tickets of a principal into the cache of that name.
func (k *KDC) Login(cache, principal, password string, args ...string) error {
	cmd := k.command("kinit", append(args, principal)...)
	cmd.Env = append(cmd.Env, k.Env(cache)...)
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kinit %s: %w: %s", principal, err, bytes.TrimSpace(out))
	}
	return nil
}

// Client logs a principal in with gokrb5's client. It must be destroyed.
func (k *KDC) Client(name, realm, password string) (*client.Client, error) {
	cfg, err := config.Load(k.Conf())
	if err != nil {
		return nil, err
	}
	c := client.NewWithPassword(name, realm, password, cfg, client.DisablePAFXFAST(true))
	if err := c.Login(); err != nil {
		c.Destroy()
		return nil, fmt.Errorf("%w: %s", err, k.Log())
	}
	return c, nil
}

// start starts the KDC and waits until it answers.
func (k *KDC) start() error {
	args := []string{"-n"}
	for _, realm := range k.Realms {
		args = append(args, "-r", realm)
	}
	k.cmd = k.command("krb5kdc", args...)
	var said bytes.Buffer
	k.cmd.Stdout, k.cmd.Stderr = &said, &said
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // none is left behind
	if err := k.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = k.cmd.Wait() // ended by us, or told below
		close(k.done)
	}()
	poll := time.NewTicker(4 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(20 * time.Second)
	for {
		if conn, err := net.Dial("tcp", k.addr); err == nil {
			return conn.Close()
		}
		select {
		case <-poll.C:
		case <-k.done:
			log, _ := os.ReadFile(k.path("kdc.log"))
			return fmt.Errorf("krb5kdc ended: %s %s", &said, log)
		case <-deadline:
			k.Stop()
			return errors.New("krb5kdc does not answer")
		}
	}
}

// Stop ends it and waits.
func (k *KDC) Stop() {
	_ = k.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	<-k.done
}

// Log is what it wrote.
func (k *KDC) Log() string {
	f, err := os.Open(k.path("kdc.log"))
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return err.Error()
	}
	return string(b)
}
