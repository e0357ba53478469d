package main

import "github.com/spf13/cobra"

func newJudgeCommand(env *environment) *cobra.Command {
	return group(&cobra.Command{
		Use:   "judge",
		Short: "Try how verdicts come out on traffic like yours, before a user is moved",
		Long: `Try how verdicts come out, without servers and without users: on traffic that is made up by a scenario, or
on your own access log, split into two sides of the same program. These verbs need no configuration.`,
		Example: `  yadokari judge scenarios
  yadokari judge simulate --scenario crawler
  yadokari judge replay /var/log/nginx/access.log`,
	}, newJudgeSimulate(env), newJudgeScenarios(env), newJudgeReplay(env))
}
