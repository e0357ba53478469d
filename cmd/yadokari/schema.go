package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"yadokari/config"
)

func newSchemaCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Write the JSON Schema of the file, for editors",
		Long: `schema writes the JSON Schema (draft 2020-12) of yadokari.yaml. Editors with a YAML language server use it
to complete keys, show what they mean and mark mistakes while you type.`,
		Example: `  yadokari schema > yadokari.schema.json
  # then, as the first line of yadokari.yaml:
  # yaml-language-server: $schema=yadokari.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			schema, err := config.Schema()
			if err != nil {
				return err
			}
			text, err := json.MarshalIndent(schema, "", "  ")
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.out, "%s\n", text)
			return err
		},
	}
}
