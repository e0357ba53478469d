package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"yadokari/judge/simulate"
	"yadokari/setting"
)

// simulation is what the flags of judge simulate say.
type simulation struct {
	scenarios []string
	stages    int
	seed      uint64
	alphas    []string
	table     bool
}

func newJudgeSimulate(env *environment) *cobra.Command {
	var s simulation
	command := &cobra.Command{
		Use:   "simulate --scenario NAME|FILE",
		Short: "Judge made-up traffic many times over",
		Long: `Make up the traffic of a scenario, judge it as the gateway would, and do so many times. While both sides are
the same program, it says how many of the stages were condemned, by what, and how many of them chance
allows: the part alpha, and three standard deviations. The exit code is 1 when it were more. If the scenario says
what is worse on the new side, it says how many users and requests the new side served until it was seen.

A scenario is a file, or one of those that come with the program: yadokari judge scenarios. One
seed gives one result. --scenario may be given several times, or as all.`,
		Example: `  yadokari judge simulate --scenario crawler
  yadokari judge simulate --scenario all --runs 2000 --alpha 0.1% --alpha 5%
  yadokari judge simulate --scenario ours.yaml --runs 20000 -o json
  yadokari judge simulate --table --runs 100`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), env) },
	}
	flags := command.Flags()
	flags.StringArrayVar(&s.scenarios, "scenario", nil, "the scenario: a `name` or a file")
	flags.IntVar(&s.stages, "runs", 1000, "how many stages of each")
	flags.Uint64Var(&s.seed, "seed", 1, "what all that looks like chance follows from")
	flags.StringArrayVar(&s.alphas, "alpha", nil, "judge at this level (`share`) instead of the scenario's; may be given several times")
	flags.BoolVar(&s.table, "table", false, "print instead how many users and requests it takes to see what is worse, in Markdown")
	must(command.RegisterFlagCompletionFunc("scenario", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return append(simulate.Builtins(), "all"), cobra.ShellCompDirectiveDefault
	}))
	return command
}

func (s *simulation) run(ctx context.Context, env *environment) error {
	alphas, err := s.levels()
	if err != nil {
		return err
	}
	if s.stages < 1 {
		return usagef("--runs %d: write 1 or more", s.stages)
	}
	if s.table {
		return s.tables(ctx, env)
	}
	if len(s.scenarios) == 0 {
		return usagef("name a scenario with --scenario: one of %s, or a file", strings.Join(simulate.Builtins(), ", "))
	}
	if slices.Equal(s.scenarios, []string{"all"}) {
		s.scenarios = simulate.Builtins()
	}
	var reports []*simulate.Report
	for _, name := range s.scenarios {
		scenario, err := loadScenario(name)
		if err != nil {
			return err
		}
		progress := newProgress(env.err, name, "stages", s.stages)
		options := simulate.Options{Stages: s.stages, Seed: s.seed, Alphas: alphas, Progress: progress.tell}
		report, err := simulate.Run(ctx, name, simulate.NewPlan(scenario), options)
		if err != nil {
			return err
		}
		reports = append(reports, report)
	}
	if err := env.print(reports, func(w io.Writer) { tellReports(w, reports) }); err != nil {
		return err
	}
	return excess(reports)
}

// levels are the values of --alpha.
func (s *simulation) levels() ([]float64, error) {
	var list []float64
	for _, text := range s.alphas {
		var alpha setting.Share
		if err := alpha.UnmarshalText([]byte(text)); err != nil {
			return nil, usagef("--alpha: %w", err)
		}
		if alpha <= 0 || alpha >= 1 {
			return nil, usagef("--alpha %s: write more than 0%% and less than 100%%", text)
		}
		list = append(list, float64(alpha))
	}
	return list, nil
}

func tellReports(w io.Writer, reports []*simulate.Report) {
	row(w, "SCENARIO", "STAGES", "ALPHA", "CONDEMNED", "CHANCE ALLOWS", "BY", "USERS UNTIL THEN", "REQUESTS", "SECONDS")
	for _, r := range reports {
		for _, l := range r.Levels {
			allowed := "-"
			if r.Same {
				allowed = fmt.Sprint(l.Allowed)
			}
			row(w, r.Scenario, fmt.Sprint(r.Stages), setting.Share(l.Alpha).String(), fmt.Sprint(l.Condemned), allowed,
				signalsText(l.Signals), rangeText(l.Users), rangeText(l.Requests), rangeText(l.Seconds))
		}
	}
	for _, r := range reports {
		for _, l := range r.Levels {
			for _, c := range l.Signals {
				fmt.Fprintf(w, "%s, alpha %s, --seed %d --runs 1: %s\n", r.Scenario, setting.Share(l.Alpha), c.Seed, c.Example)
			}
		}
	}
}

func signalsText(counts []simulate.Count) string {
	texts := make([]string, len(counts))
	for i, c := range counts {
		texts[i] = fmt.Sprintf("%s %d", c.Signal, c.Stages)
	}
	return orDash(strings.Join(texts, ", "))
}

// rangeText is a median and what 95 of 100 do not exceed.
func rangeText(r simulate.Range) string {
	if r == (simulate.Range{}) {
		return "-"
	}
	return fmt.Sprintf("%.0f (p95 %.0f)", r.Median, r.P95)
}

// excess is an error when the same program was condemned more often than chance allows.
func excess(reports []*simulate.Report) error {
	var names []string
	for _, r := range reports {
		for _, l := range r.Levels {
			if r.Same && l.Condemned > l.Allowed && !slices.Contains(names, r.Scenario) {
				names = append(names, r.Scenario)
			}
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("the same program was condemned more often than chance allows: %s", strings.Join(names, ", "))
	}
	return nil
}
