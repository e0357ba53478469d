package main

import (
	"github.com/spf13/cobra"

	"yadokari/config"
)

func newCompletionCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Write a script that completes yadokari's command lines in your shell",
		Long: `completion writes a script for a shell. It completes verbs and flags, and the names of service clusters
and routes from the file.`,
		Example: `  source <(yadokari completion bash)
  yadokari completion bash > /etc/bash_completion.d/yadokari
  yadokari completion zsh > "${fpath[1]}/_yadokari"
  yadokari completion fish > ~/.config/fish/completions/yadokari.fish`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(command *cobra.Command, args []string) error {
			root := command.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(env.out, true)
			case "zsh":
				return root.GenZshCompletion(env.out)
			case "fish":
				return root.GenFishCompletion(env.out, true)
			default:
				return root.GenPowerShellCompletionWithDesc(env.out)
			}
		},
	}
}

// completeClusters offers the service clusters that the file names.
func (e *environment) completeClusters(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	clusters, _ := config.Names(e.config)
	return clusters, cobra.ShellCompDirectiveNoFileComp
}

// completeRoutes offers the routes that the file names, for the first argument: a ValidArgsFunction.
func (e *environment) completeRoutes(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	_, routes := config.Names(e.config)
	return routes, cobra.ShellCompDirectiveNoFileComp
}
