package cli

import (
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

func (p *Program) demoCommand() *cobra.Command {
	var listen, secret, manager string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show it: a stand-in for Airflow 3, the bridge in front, curl lines to paste",
		Long: `Starts a small stand-in for Airflow 3, as strict about tokens as the real one, and
the bridge in front of it, with users admin, op and viewer whose passwords are
their names. It prints 'ready http://HOST:PORT' once it serves, and what to try.

Everything is in a temporary folder and gone when it ends. JETBRIDGE__… in the
environment changes its configuration as it would a real one's.`,
		Example: "  jetbridge demo\n  JETBRIDGE__MIGRATION__MODE=jwt_only jetbridge demo --listen 127.0.0.1:0",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.demo(cmd.Context(), listen, secret, manager)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "`HOST:PORT` for clients; port 0 for any that is free")
	cmd.Flags().StringVar(&secret, "jwt-secret", "", "the stand-in's [api_auth] jwt_secret; random unless given")
	cmd.Flags().StringVar(&manager, "auth-manager", "fab", "the auth manager that it stands in for: fab or simple")
	_ = cmd.RegisterFlagCompletionFunc("auth-manager", cobra.FixedCompletions([]string{"fab", "simple"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (p *Program) demo(ctx context.Context, listen, secret, manager string) (err error) {
	if manager != "fab" && manager != "simple" {
		return misused(fmt.Errorf("there is no auth manager %q; there are fab and simple", manager))
	}
	if _, _, err := net.SplitHostPort(listen); err != nil {
		return misused(errors.New("--listen must be HOST:PORT, such as 127.0.0.1:8080"))
	}
	if secret == "" {
		var random [32]byte
		rand.Read(random[:])
		secret = hex.EncodeToString(random[:])
	}
	dir, err := os.MkdirTemp("", "jetbridge-demo-")
	if err != nil {
		return failed(err)
	}
	defer func() { err = errors.Join(err, failed(os.RemoveAll(dir))) }()

	airflow, stop, err := standIn(secret, manager)
	if err != nil {
		return failed(err)
	}
	defer stop()
	path, err := demoConfig(ctx, dir, listen, secret, manager, airflow)
	if err != nil {
		return failed(err)
	}
	cfg, err := p.load(path)
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
		_ = demo.Screen(p.Stdout, url, side, path) // as the line above: nobody may be reading
	}
	return p.serve(ctx, cfg, serving{ready: ready})
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

// demoConfig writes the demo's files into dir: a configuration like any other.
func demoConfig(ctx context.Context, dir, listen, secret, manager, airflow string) (string, error) {
	if err := demo.WriteDatabase(ctx, filepath.Join(dir, "airflow.db")); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "jwt_secret"), []byte(secret), 0o600); err != nil {
		return "", err
	}
	dsn := "sqlite:///" + filepath.Join(dir, "airflow.db")
	lines := []string{
		"listen: " + listen,
		"metrics: {listen: 127.0.0.1:0}",
		"log: {format: text, level: warn}",
		"airflow3:",
		"  url: " + airflow,
		"  auth_manager: " + manager,
	}
	if manager == "simple" {
		lines = append(lines, "  simple_users: "+demoUsers())
	} else {
		lines = append(lines, "  users: {dsn: '"+dsn+"'}")
	}
	lines = append(lines,
		"legacy: {auth_backends: [basic_auth], users: {dsn: '"+dsn+"'}}",
		"modern: {secret_file: jwt_secret, insecure_weak_secret: true}", // --jwt-secret may be any text
		"migration: {deprecated_since: 2025-04-22}",
		"store: {dsn: 'sqlite:///"+filepath.Join(dir, "jetbridge.db")+"'}")
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
