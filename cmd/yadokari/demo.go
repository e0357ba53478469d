package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"yadokari/demo"
	"yadokari/examples/tracker"
)

func newDemoCommand(env *environment) *cobra.Command {
	var o demo.Options
	command := &cobra.Command{
		Use:   "demo",
		Short: "Watch a migration in about a minute",
		Long: `Start two builds of a small project-management app, the gateway before them, and people who browse;
move three routes: one is fine, one breaks on the new side, one is slower there. It uses the real parts
with shorter holds, only loopback addresses and a temporary folder, and ends with the sums. It exits
with 1 if a promise was broken.`,
		Example: `  yadokari demo
  yadokari demo --keep        # leaves everything running, to look around
  go run ./cmd/yadokari demo  # from the source`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			binary, err := os.Executable()
			if err != nil {
				return err
			}
			o.Binary, o.Out = binary, env.out
			if env.output == jsonOut {
				o.Out = env.err // the story; the sums alone are the result
			}
			sums, err := demo.Run(cmd.Context(), o)
			if env.output == jsonOut && sums.Routes != nil {
				if err := env.print(sums, func(io.Writer) {}); err != nil {
					return err
				}
			}
			return err
		},
	}
	flags := command.Flags()
	flags.BoolVar(&o.Keep, "keep", false, "leave everything running until Ctrl-C")
	flags.Float64Var(&o.Rate, "rate", 450, "requests a second of all users together")
	flags.DurationVar(&o.Patience, "patience", 0, "the longest it may take; 0s: two minutes")
	return command
}

// newDemoTrackerCommand is what the demonstration starts as the app: nobody else needs it.
func newDemoTrackerCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: demo.TrackerVerb, Hidden: true, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return exit(tracker.Main(context.WithoutCancel(cmd.Context()), args, env.out, env.err))
		},
	}
}
