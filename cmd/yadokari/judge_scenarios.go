package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"yadokari/config"
	"yadokari/judge/simulate"
	"yadokari/setting"
)

// scenarioLine is one line of judge scenarios.
type scenarioLine struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

func newJudgeScenarios(env *environment) *cobra.Command {
	var show string
	command := &cobra.Command{
		Use:   "scenarios",
		Short: "List the scenarios that come with the program",
		Long: `List the scenarios that come with the program. In all of them both sides are the same program. With --print
one is written as YAML: change the numbers to yours, add what is worse on the new side, and simulate it.`,
		Example: "  yadokari judge scenarios\n  yadokari judge scenarios --print crawler > ours.yaml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if show != "" {
				text, err := scenarioText(show)
				if err == nil {
					_, err = env.out.Write(text)
				}
				return err
			}
			list := []scenarioLine{}
			for _, name := range simulate.Builtins() {
				s, err := loadScenario(name)
				if err != nil {
					return err
				}
				list = append(list, scenarioLine{name, s.About})
			}
			return env.print(list, func(w io.Writer) {
				row(w, "SCENARIO", "ABOUT")
				for _, s := range list {
					row(w, s.Name, s.About)
				}
			})
		},
	}
	command.Flags().StringVar(&show, "print", "", "write this scenario (`name`) as YAML")
	must(command.RegisterFlagCompletionFunc("print", completeScenarios))
	return command
}

// completeScenarios offers the scenarios that come with the program.
func completeScenarios(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return simulate.Builtins(), cobra.ShellCompDirectiveNoFileComp
}

// scenarioText is a scenario that comes with the program.
func scenarioText(name string) ([]byte, error) {
	if text, ok := simulate.Builtin(name); ok {
		return text, nil
	}
	if near := setting.Nearest(name, simulate.Builtins()); near != "" {
		return nil, usagef("no scenario is named %q, did you mean %s?", name, near)
	}
	return nil, usagef("no scenario is named %q: yadokari judge scenarios lists them", name)
}

// loadScenario reads a file, if the name looks like one or there is one, or else a scenario that comes with the program.
func loadScenario(name string) (*simulate.Scenario, error) {
	text, err := os.ReadFile(name)
	switch {
	case err == nil:
	case strings.ContainsAny(name, "/.") || !os.IsNotExist(err):
		return nil, usagef("scenario: %w", err)
	default:
		if text, err = scenarioText(name); err != nil {
			return nil, err
		}
	}
	var s simulate.Scenario
	if err := config.Decode(name, text, &s); err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	return &s, nil
}
