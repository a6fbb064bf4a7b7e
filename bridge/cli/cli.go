// Package cli is the command line: the only reader of the configuration, which
// fills each package's own Config, and the only place where everything meets.
//
// A command exits with 0 when all is well, with 1 when it ran and says no, and
// with 2 when it was called wrongly or its configuration cannot be read.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/jetbridge/jetbridge/bridge/record"
)

// A Program is one run of the command line, with all that it may touch.
type Program struct {
	// Args are the arguments without the program's name.
	Args []string
	// Name is how the program was called, for commands that are shown to be pasted;
	// default "jetbridge".
	Name string
	// Environ is the environment as "NAME=value".
	Environ []string
	Stdout  io.Writer
	Stderr  io.Writer
	// Version is what `jetbridge version` says.
	Version string

	dropped func() uint64 // lines that Stderr lost; set by Run
}

// The exit codes.
const (
	exitGood  = 0
	exitNo    = 1
	exitUsage = 2
)

// errNo ends a command that has said no and why already.
var errNo = errors.New("no")

// Run runs the command and gives its exit code. It returns when ctx ends or a
// SIGINT or SIGTERM arrives and what is under way has been drained; a second
// signal ends the process at once. A Stderr that takes no more, such as a pipe that
// nobody reads, holds nothing up, and its end for five seconds at most.
func (p *Program) Run(ctx context.Context) int {
	stderr := record.NewWriter(p.Stderr)
	defer stderr.Close() // what it says could be said to nobody
	bounded := *p
	bounded.Stderr, bounded.dropped = stderr, stderr.Dropped
	return bounded.run(ctx)
}

func (p *Program) run(ctx context.Context) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root := p.root()
	root.SetArgs(p.Args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	var failed *failure
	switch {
	case err == nil:
		return exitGood
	case errors.Is(err, errNo):
		return exitNo
	case errors.As(err, &failed):
		fmt.Fprintln(p.Stderr, "jetbridge: "+err.Error())
		return failed.code
	default: // cobra's own: flags and arguments
		fmt.Fprintln(p.Stderr, "jetbridge: "+err.Error())
		return exitUsage
	}
}

// A failure is an error with the exit code that it means.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// failed says that a command ran and could not do it.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return &failure{exitNo, err}
}

// misused says that a command was called wrongly, a bad configuration included.
func misused(err error) error { return &failure{exitUsage, err} }

func (p *Program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "jetbridge",
		Short: "Carries Airflow 2 clients onto Airflow 3",
		Long: `jetbridge stands in front of Airflow 3. Clients go on with the credentials that
Airflow 2 took (passwords, session cookies, Kerberos tickets, ID tokens); Airflow 3
sees nothing but JWTs. The migration is run, watched and ended by configuration.

Start with 'jetbridge demo': it needs nothing else.`,
		Example: `  jetbridge demo
  jetbridge check --config jetbridge.yaml
  jetbridge serve --config jetbridge.yaml`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          subcommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		SuggestionsMinimumDistance: 2,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		// A flag of a command that was mistyped is not what is wrong.
		if unknown := subcommand(cmd, cmd.Flags().Args()); cmd.HasSubCommands() && unknown != nil {
			return unknown
		}
		return fmt.Errorf("%w; see '%s --help'", err, cmd.CommandPath())
	})
	root.AddCommand(p.serveCommand(), p.demoCommand(), p.checkCommand(), p.usersCommand(), p.whyCommand(), p.versionCommand())
	return root
}

// subcommand takes no arguments for a command that only holds others: what comes
// here is none of them.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see '" + cmd.CommandPath() + " --help'"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "is it '" + cmd.CommandPath() + " " + near[0] + "'?"
	}
	return fmt.Errorf("unknown command %q for %q; %s", args[0], cmd.CommandPath(), hint)
}

// incomplete shows what a command holds that does nothing by itself.
func incomplete(cmd *cobra.Command, _ []string) error {
	cmd.SetOut(cmd.ErrOrStderr())
	if err := cmd.Help(); err != nil {
		return err
	}
	return misused(fmt.Errorf("%s needs one of its commands", cmd.CommandPath()))
}

func (p *Program) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return p.json(map[string]string{"version": p.Version})
			}
			_, err := fmt.Fprintln(p.Stdout, "jetbridge "+p.Version)
			return failed(err)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// logger writes the program's own lines, start and stop and what happens
// between requests; requests have a log of their own (package record).
func (p *Program) logger(format string, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(p.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(p.Stderr, options))
}
