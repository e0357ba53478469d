package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"yadokari/config"
)

// A verb is added in two steps:
//
//  1. A file of its own, named like the verb, with one function
//     func newXCommand(env *environment) *cobra.Command
//     whose RunE reads the flags and makes one call. It writes to env.out alone, gets the file from
//     env.load, prints through env.print so that -o json works, and has an Example. Whatever RunE
//     returns ends up on stderr: an error exits 1, a usageError or config.Faults exits 2. What cobra
//     itself finds wrong (flags, number of arguments) exits 2 as well. cmd.Context() ends on SIGINT
//     and SIGTERM.
//  2. A line in verbs below. A verb with verbs of its own (shift start) is made by group.
func verbs(env *environment) []*cobra.Command {
	return []*cobra.Command{
		newDemoCommand(env),
		newDemoTrackerCommand(env),
		newGatewayCommand(env),
		newShiftCommand(env),
		newBackendCommand(env),
		newAgentCommand(env),
		newMailCommand(env),
		newSendmailCommand(env),
		newLogsCommand(env),
		newJudgeCommand(env),
		newCheckCommand(env),
		newSchemaCommand(env),
		newVersionCommand(env),
		newCompletionCommand(env),
	}
}

// usualFile is read when no other is named.
const usualFile = "yadokari.yaml"

// environment is what the process around a verb gives it: in tests, memory.
type environment struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string

	config  string // --config
	cluster string // --cluster
	output  format // --output
}

// load reads the configuration for the chosen service cluster. Its error is config.Faults.
func (e *environment) load() (*config.File, error) { return config.Load(e.config, e.cluster) }

func newRoot(env *environment) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "yadokari VERB",
		Short: "Move a web application into containers, one URL at a time",
		Long: `Yadokari moves a web application out of its virtual machines and into containers, one URL at a time,
with the old version still running beside the new one, and with nothing lost on the way.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.`,
		Example: `  yadokari check                          # is the file valid, and what does it mean?
  yadokari check --cluster cluster1 -o json
  yadokari schema > yadokari.schema.json   # for editors`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}, verbs(env)...)
	root.CompletionOptions.DisableDefaultCmd = true // newCompletionCommand has examples
	root.SetIn(env.in)
	root.SetOut(env.out)
	root.SetErr(env.err)

	file := env.getenv("YADOKARI_CONFIG")
	if file == "" {
		file = usualFile
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&env.config, "config", "c", file, "the `file` to read; YADOKARI_CONFIG is its default")
	flags.StringVar(&env.cluster, "cluster", "", "the service cluster whose differences are merged in (`name`)")
	flags.VarP(&env.output, "output", "o", "how results are printed: table or json")
	must(root.MarkPersistentFlagFilename("config", "yaml", "yml"))
	must(root.RegisterFlagCompletionFunc("cluster", env.completeClusters))
	must(root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	return root
}

// must is for what only a mistake in this file can make fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// run executes one command line and returns the exit code. Errors are lines on env.err.
func run(ctx context.Context, env *environment, args []string) int {
	root := newRoot(env)
	root.SetArgs(args)
	return execute(ctx, env, root)
}

func execute(ctx context.Context, env *environment, root *cobra.Command) int {
	started := false
	noteStart(root, &started)
	verb, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if !started {
		err = &usageError{err: err, help: verb.CommandPath() + " --help"}
	}
	var status exitStatus
	if !errors.As(err, &status) {
		fmt.Fprintln(env.err, lines(verb, err))
	}
	return exitCode(err)
}

// noteStart lets every verb note that it has begun: an error before that is about the command line.
func noteStart(command *cobra.Command, started *bool) {
	if begin := command.RunE; begin != nil && command.HasParent() {
		command.RunE = func(cmd *cobra.Command, args []string) error {
			*started = true
			return begin(cmd, args)
		}
	}
	for _, sub := range command.Commands() {
		noteStart(sub, started)
	}
}
