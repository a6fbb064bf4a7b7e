package cli

import (
	"encoding/json"

	"github.com/spf13/cobra"
)

// configFlag gives a command the flag that most need.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "the configuration `FILE` (see jetbridge.example.yaml)")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // fails for a flag that is not there
}

func jsonFlag(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVar(on, "json", false, "answer in JSON, for programs")
}

// json prints one value for a program to read.
func (p *Program) json(v any) error {
	enc := json.NewEncoder(p.Stdout)
	enc.SetIndent("", "  ")
	return failed(enc.Encode(v))
}
