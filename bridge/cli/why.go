package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/store"
)

func (p *Program) whyCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "why REQUEST_ID --config FILE",
		Short: "Say why a request was refused",
		Long: `Finds a refused request by the id that its answer carried, in the body and in
X-Request-Id, and says what the client was not told: why, and what to do.

The last 10,000 refusals are kept (store.dsn). Exit code 1: no such refusal.`,
		Example: "  jetbridge why 5f2b1c0a9d8e7f6a5b4c3d2e --config jetbridge.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("which request? jetbridge why REQUEST_ID --config FILE")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := p.load(path)
			if err != nil {
				return misused(err)
			}
			s, err := store.Open(cmd.Context(), store.Config{DSN: cfg.Store.DSN.Reveal(), Dir: filepath.Dir(path), ReadOnly: true})
			if errors.Is(err, fs.ErrNotExist) {
				return failed(errors.New("there is no store yet: no 'jetbridge serve' has run with this configuration"))
			} else if err != nil {
				return failed(err)
			}
			defer s.Close()
			r, err := s.Find(cmd.Context(), args[0])
			if errors.Is(err, store.ErrNotFound) {
				return failed(fmt.Errorf("no refusal of the id %q is kept: it was passed, it is too old, it was refused elsewhere, or it is not written yet (that takes a moment)", args[0]))
			} else if err != nil {
				return failed(err)
			}
			return p.explain(r, asJSON)
		},
	}
	configFlag(cmd, &path)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// cause is what the error says beyond the reason.
func cause(r store.Refusal) string {
	if strings.HasSuffix(r.Err, ": "+string(r.Reason)) {
		return ""
	}
	return r.Err
}

// printable keeps what a client wrote from steering the terminal (C-45).
func printable(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return strconv.Quote(s)
	}
	return s
}

func (p *Program) explain(r store.Refusal, asJSON bool) error {
	if asJSON {
		return p.json(map[string]any{
			"id": r.ID, "time": r.Time.Format(time.RFC3339Nano), "method": r.Method, "path": r.Path, "class": r.Class, "scheme": r.Scheme,
			"claimed": r.Claimed, "name": r.Name, "client": r.Client.String(), "status": r.Status, "reason": string(r.Reason),
			"error": r.Err, "explanation": record.Explain(r.Reason),
		})
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"request", fmt.Sprintf("%s  %s %s", r.ID, r.Method, r.Path)},
		{"when", r.Time.Format(time.RFC3339Nano)},
		{"from", r.Client.String()},
		{"scheme", r.Scheme},
		{"claimed to be", r.Claimed},
		{"proved to be", r.Name},
		{"answer", fmt.Sprint(r.Status)},
		{"reason", string(r.Reason)},
		{"cause", cause(r)},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", line[0], printable(line[1]))
		}
	}
	if err := w.Flush(); err != nil {
		return failed(err)
	}
	_, err := fmt.Fprintf(p.Stdout, "\n%s\n", record.Explain(r.Reason))
	return failed(err)
}
