package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"yadokari/agent"
	"yadokari/lifecycle"
)

func newAgentCommand(env *environment) *cobra.Command {
	verbose, grace := false, ""
	command := &cobra.Command{
		Use:   "agent [-- COMMAND ARGS...]",
		Short: "Run beside the app: its mail, its log files, and an ordered stop",
		Long: `Take the app's mail and hand it on, ship its log files, and when everything stops, stop in order: not ready
any more, serve on while balancers notice, the app, its mail, its logs to the last line, and a receipt that
says what is left and where.

With a command behind -- it starts the app itself, as first process of a container or below systemd,
hands signals and the exit code on, and reaps orphans. Without one it is a sidecar, and waits for proof
that the app has finished: its marker, or that its ports and files are quiet.

Exit codes: 0 nothing is left, 1 a phase failed or was cut short, 2 wrong configuration, such as a stop
that does not fit into the pod's grace period; 80 something accepted was lost or the sums do not add
up, 81 something is left over, safe, where the receipt says; else the app's own, or 128 and the signal
that ended it, or 126 and 127 as a shell gives them.`,
		Example: `  yadokari agent -c /etc/yadokari.yaml -- /usr/bin/app --port 8080
  yadokari agent -c /etc/yadokari.yaml --pod-grace 90     # as a sidecar`,
		RunE: func(cmd *cobra.Command, args []string) error { return runAgent(cmd, env, args, grace, verbose) },
	}
	command.Flags().StringVar(&grace, "pod-grace", env.getenv("YADOKARI_POD_GRACE"),
		"the pod's terminationGracePeriodSeconds (`seconds`); YADOKARI_POD_GRACE, or shutdown.podGraceFile, is its default")
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "log more")
	return command
}

func runAgent(cmd *cobra.Command, env *environment, args []string, grace string, verbose bool) error {
	if dash := cmd.ArgsLenAtDash(); len(args) > 0 && dash != 0 {
		return usagef("write the command behind --, as in: yadokari agent -- %s", strings.Join(args, " "))
	}
	var pod time.Duration
	if grace != "" {
		var err error
		if pod, err = lifecycle.ParseGrace(grace); err != nil {
			return usagef("--pod-grace: %w", err)
		}
	}
	file, err := env.load()
	if err != nil {
		return err
	}
	if file.Config.Agent == nil {
		return usagef("%s has no section agent (agent: {} takes it with its defaults)", file.Path)
	}
	receipt, err := agent.Run(cmd.Context(), *file.Config.Agent, agent.Options{
		Command: args, PodGrace: pod, Pod: podName(env), Cluster: file.Cluster, Version: thisBuild().Version, Logger: newLogger(env, verbose), Output: env.out,
	})
	if plan := (*lifecycle.PlanError)(nil); errors.As(err, &plan) {
		return usagef("%w", err)
	}
	if err != nil {
		return err
	}
	if receipt.Exit != 0 {
		fmt.Fprintf(env.err, "yadokari agent: exit status %d: the app %s%s\n", receipt.Exit, receipt.App.Words, shortfall(receipt))
	}
	return exit(receipt.Exit)
}

// podName is the pod's name as the downward API gives it; empty: it does not run in one, or nobody says.
func podName(env *environment) string {
	return cmp.Or(env.getenv("YADOKARI_POD"), env.getenv("POD_NAME"))
}

// shortfall is what the receipt has to complain of, for the line on stderr.
func shortfall(r *lifecycle.Receipt) string {
	var words []string
	for _, a := range r.Parts {
		if a.Lost > 0 {
			words = append(words, fmt.Sprintf("%d %s lost", a.Lost, a.Unit))
		}
		if a.LeftOver > 0 {
			words = append(words, fmt.Sprintf("%d %s left over in %s", a.LeftOver, a.Unit, a.Where))
		}
	}
	for _, s := range r.Phases {
		if s.Outcome != lifecycle.Done {
			words = append(words, fmt.Sprintf("phase %s %s", s.Phase, s.Outcome))
		}
	}
	words = append(words, r.Faults...)
	if len(words) == 0 {
		return ""
	}
	return "; " + strings.Join(words, "; ")
}
