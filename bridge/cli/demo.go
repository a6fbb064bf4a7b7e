package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jetbridge/jetbridge/bridge/demo"
	"github.com/jetbridge/jetbridge/bridge/server"
)

// demoFlags are the demo's.
type demoFlags struct {
	listen, manager string
	jwtSecret       string // Airflow 3's
	sessionKey      string // Airflow 2's
}

func (p *Program) demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show it: a stand-in for Airflow 3, the bridge in front, curl lines to paste",
		Long: `Starts a small stand-in for Airflow 3, as strict about tokens as the real one, and
the bridge in front of it, with users admin, op and viewer whose passwords are
their names. It prints 'ready http://HOST:PORT' once it serves, and what to try.
Airflow 2's login page is at /login/; its sessions are signed cookies.

Everything is in a temporary folder and gone when it ends. JETBRIDGE__… in the
environment changes its configuration as it would a real one's.`,
		Example: "  jetbridge demo\n  JETBRIDGE__MIGRATION__MODE=jwt_only jetbridge demo --listen 127.0.0.1:0",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.demo(cmd.Context(), f)
		},
	}
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8080", "`HOST:PORT` for clients; port 0 for any that is free")
	cmd.Flags().StringVar(&f.jwtSecret, "jwt-secret", "", "the stand-in's [api_auth] jwt_secret; random unless given")
	cmd.Flags().StringVar(&f.sessionKey, "session-secret-key", "", "Airflow 2's [webserver] secret_key, which signs sessions; random unless given")
	cmd.Flags().StringVar(&f.manager, "auth-manager", "fab", "the auth manager that it stands in for: fab or simple")
	_ = cmd.RegisterFlagCompletionFunc("auth-manager", cobra.FixedCompletions([]string{"fab", "simple"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (p *Program) demo(ctx context.Context, f demoFlags) (err error) {
	if f.manager != "fab" && f.manager != "simple" {
		return misused(fmt.Errorf("there is no auth manager %q; there are fab and simple", f.manager))
	}
	if _, _, err := net.SplitHostPort(f.listen); err != nil {
		return misused(errors.New("--listen must be HOST:PORT, such as 127.0.0.1:8080"))
	}
	for _, secret := range []*string{&f.jwtSecret, &f.sessionKey} {
		if *secret == "" {
			*secret = randomSecret()
		}
	}
	dir, err := os.MkdirTemp("", "jetbridge-demo-")
	if err != nil {
		return failed(err)
	}
	defer func() { err = errors.Join(err, failed(os.RemoveAll(dir))) }()

	airflow, stop, err := standIn(f.jwtSecret, f.manager)
	if err != nil {
		return failed(err)
	}
	defer stop()
	path, err := demoConfig(ctx, dir, f, airflow)
	if err != nil {
		return failed(err)
	}
	cfg, seen, err := p.read(path)
	if err != nil {
		return misused(err)
	}
	ready := func(s *server.Server) {
		url := "http://" + s.Addr().String()
		if cfg.TLS.Cert != "" {
			url = "https://" + s.Addr().String()
		}
		side := ""
		if a := s.SideAddr(); a != nil {
			side = "http://" + a.String()
		}
		fmt.Fprintln(p.Stdout, "ready "+url)
		_ = demo.Screen(p.Stdout, demo.Places{Program: quoted(cmp.Or(p.Name, "jetbridge")), URL: url, Metrics: side, Config: quoted(path)}) // as the line above: nobody may be reading
	}
	return p.serve(ctx, cfg, serving{path: path, seen: seen, ready: ready})
}

// quoted makes one word of text for a shell that it is pasted into.
func quoted(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func randomSecret() string {
	var random [32]byte
	rand.Read(random[:])
	return hex.EncodeToString(random[:])
}

// standIn serves the stand-in on a free port, until stop.
func standIn(secret, manager string) (url string, stop func(), err error) {
	handler, err := demo.NewAirflow(demo.Config{Secret: secret, Manager: manager})
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(l) // ends with Close
	return "http://" + l.Addr().String(), func() { _ = srv.Close() }, nil
}

// demoConfig writes the demo's files into dir: a configuration like any other, and
// the users of both Airflows.
func demoConfig(ctx context.Context, dir string, f demoFlags, airflow string) (string, error) {
	for _, name := range []string{"airflow.db", "airflow2.db"} {
		if err := demo.WriteDatabase(ctx, filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	for name, secret := range map[string]string{"jwt_secret": f.jwtSecret, "session_key": f.sessionKey, "airflow3_key": randomSecret()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(secret), 0o600); err != nil {
			return "", err
		}
	}
	dsn := func(name string) string { return "dsn: 'sqlite:///" + filepath.Join(dir, name) + "'" }
	lines := []string{
		"listen: " + f.listen,
		"metrics: {listen: 127.0.0.1:0}",
		"log: {format: text, level: warn}",
		"airflow3:",
		"  url: " + airflow,
		"  auth_manager: " + f.manager,
		"  secret_key_file: airflow3_key",
	}
	if f.manager == "simple" {
		lines = append(lines, "  simple_users: "+demoUsers())
	} else {
		lines = append(lines, "  users: {"+dsn("airflow.db")+"}")
	}
	lines = append(lines,
		"legacy:",
		"  auth_backends: [basic_auth, session]",
		"  users: {"+dsn("airflow2.db")+"}",
		"  session: {backend: securecookie, secret_key_file: session_key, insecure_weak_secret_key: true, login: true}", // --session-secret-key may be any text
		"modern: {secret_file: jwt_secret, insecure_weak_secret: true}",                                                 // so may --jwt-secret
		"migration: {mode: dual, deprecated_since: 2025-04-22}",
		"store: {"+dsn("jetbridge.db")+"}")
	path := filepath.Join(dir, "jetbridge.yaml")
	return path, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// demoUsers is the stand-in's users as airflow3.simple_users.
func demoUsers() string {
	var entries []string
	for _, u := range demo.Users() {
		entries = append(entries, "'"+u.Name+":"+strings.ToLower(u.Role)+"'")
	}
	return "[" + strings.Join(entries, ", ") + "]"
}
