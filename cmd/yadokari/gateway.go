package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"yadokari/config"
	"yadokari/service"
)

func newGatewayCommand(env *environment) *cobra.Command {
	var verbose bool
	command := &cobra.Command{
		Use:   "gateway",
		Short: "Stand in front of the app and move its URLs",
		Long: `Serve users' requests in front of both sides of the app, and run the control loop that moves each
route's users. It works until SIGTERM; then it serves on for shutdown.deregister, lets requests under
way end, and exits 0. SIGHUP reads the file again; a file that is not valid changes nothing.`,
		Example: `  yadokari gateway -c /etc/yadokari.yaml
  yadokari gateway -c /etc/yadokari.yaml --cluster cluster1
  systemctl reload yadokari-gateway        # sends SIGHUP`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if env.getenv("GOGC") == "" && env.getenv("GOMEMLIMIT") == "" {
				pace(usualMemory)
			}
			return service.RunGateway(cmd.Context(), service.Options{
				Load:    func() (*config.File, error) { return env.load() },
				Version: thisBuild().Version,
				Logger:  newLogger(env, verbose),
			})
		},
	}
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "log what clients do wrong, too")
	return command
}

// newLogger writes one JSON line an event.
func newLogger(env *environment, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewJSONHandler(env.out, &slog.HandlerOptions{Level: level}))
}
