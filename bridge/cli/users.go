package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/legacy"
)

func (p *Program) usersCommand() *cobra.Command {
	users := &cobra.Command{Use: "users", Short: "Hold the users of both Airflows against each other", Args: subcommand, RunE: incomplete, SuggestionsMinimumDistance: 2}
	var path string
	var asJSON bool
	diff := &cobra.Command{
		Use:   "diff --config FILE",
		Short: "List who is missing, inactive, differently numbered or roled in Airflow 3",
		Long: `Reads every active user of the database where old passwords are proven
(legacy.users.dsn) and looks for the same name in Airflow 3's own directory.

  missing     Airflow 3 has no user of that name, or two: refused there
  inactive    the user is inactive there: refused there
  numbered    the row id differs, which is no harm (names are compared, never ids)
              and counts for the exit code all the same
  roled       the roles differ, so that the user may do other things there

Exit code 0: nobody is listed. 1: somebody is.`,
		Example: "  jetbridge users diff --config jetbridge.yaml\n  jetbridge users diff --config jetbridge.yaml --json | jq '.[] | select(.kinds != [\"numbered\"])'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load(path)
			if err != nil {
				return misused(err)
			}
			return p.usersDiff(cmd.Context(), cfg, asJSON)
		},
	}
	configFlag(diff, &path)
	jsonFlag(diff, &asJSON)
	users.AddCommand(diff)
	return users
}

// A difference is one user who is not the same in both.
type difference struct {
	Name   string   `json:"name"`
	Kinds  []string `json:"kinds"` // missing, inactive, numbered, roled
	ID     string   `json:"id"`
	ID3    string   `json:"airflow3_id,omitempty"`
	Roles  []string `json:"roles"`
	Roles3 []string `json:"airflow3_roles,omitempty"`
}

func (p *Program) usersDiff(ctx context.Context, cfg *config.Config, asJSON bool) error {
	a, err := p.assembler(p.logger(cfg.Log.Format, cfg.Log.Level))
	if err != nil {
		return failed(err)
	}
	// Whoever compares users shows no certificate, and may not be let at its key.
	unbound := *cfg
	unbound.Legacy.Kerberos.ChannelBindings = config.BindingsOff
	s, err := a.snapshot(&unbound)
	if err != nil {
		return misused(err)
	}
	defer s.release()
	id := s.identity
	switch {
	case s.notDual != nil:
		return misused(s.notDual)
	case id.old == nil || id.directory == nil:
		return misused(errors.New("nothing to compare: it takes a database of old users (legacy.users.dsn), and with airflow3.users.via: upstream Airflow 3 alone knows its own"))
	case id.old == id.new:
		fmt.Fprintln(p.Stderr, "jetbridge: both lists are the same database (legacy.users.dsn is airflow3.users.dsn): nobody differs")
		if asJSON {
			return p.json([]difference{})
		}
		return nil
	}
	found := []difference{}
	for old, err := range id.old.All(ctx) {
		if err != nil {
			return failed(fmt.Errorf("legacy.users.dsn: %w", err))
		}
		if !old.Active {
			continue
		}
		d, err := differs(ctx, cfg, old, id.directory)
		if err != nil {
			return failed(fmt.Errorf("airflow3 users: %w", err))
		}
		if len(d.Kinds) > 0 {
			found = append(found, d)
		}
	}
	return p.differences(found, asJSON)
}

// differs holds one user against Airflow 3's of that name.
func differs(ctx context.Context, cfg *config.Config, old legacy.User, in legacy.Directory) (difference, error) {
	d := difference{Name: old.Name, ID: old.ID, Roles: old.Roles}
	user, err := in.Lookup(ctx, old.Name)
	if errors.Is(err, legacy.ErrRejected) {
		d.Kinds = []string{"missing"}
		return d, nil
	} else if err != nil {
		return d, err
	}
	d.ID3, d.Roles3 = user.ID, user.Roles
	if !user.Active {
		d.Kinds = append(d.Kinds, "inactive")
	}
	if cfg.Airflow3.AuthManager == config.FAB && user.ID != old.ID {
		d.Kinds = append(d.Kinds, "numbered")
	}
	if !slices.EqualFunc(old.Roles, user.Roles, strings.EqualFold) {
		d.Kinds = append(d.Kinds, "roled")
	}
	return d, nil
}

func (p *Program) differences(found []difference, asJSON bool) error {
	if asJSON {
		if err := p.json(found); err != nil {
			return err
		}
	} else if len(found) > 0 {
		w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tDIFFERS\tID\tID IN 3\tROLES\tROLES IN 3")
		for _, d := range found {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(d.Name), strings.Join(d.Kinds, ","), d.ID, d.ID3, strings.Join(d.Roles, ","), strings.Join(d.Roles3, ","))
		}
		if err := w.Flush(); err != nil {
			return failed(err)
		}
	}
	if len(found) > 0 {
		fmt.Fprintf(p.Stderr, "jetbridge: users who differ: %d\n", len(found))
		return errNo
	}
	if !asJSON {
		fmt.Fprintln(p.Stdout, "every active user is the same in both")
	}
	return nil
}
