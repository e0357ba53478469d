package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"yadokari/config"
	"yadokari/logshipper"
)

func newLogsCommand(env *environment) *cobra.Command {
	return group(&cobra.Command{
		Use:   "logs",
		Short: "See how far log files are shipped, and ship what a stop has left over",
		Long: `See how far every file of agent.logs is shipped, from the checkpoints on disk, whether or not an agent
runs; or ship what an agent had to leave over at its stop.`,
		Example: "  yadokari logs status\n  yadokari logs ship /var/spool/yadokari/logs",
	}, newLogsStatusCommand(env), newLogsShipCommand(env))
}

// logFile is one file of logs status.
type logFile struct {
	logshipper.File
	Age     float64     `json:"ageSeconds"` // of the oldest line that is not acknowledged; 0: there is none, or it is not known
	Outputs []logOutput `json:"outputs"`
}

// logOutput is one of its outputs.
type logOutput struct {
	logshipper.FileStatus
	Age float64 `json:"ageSeconds"`
}

func newLogsStatusCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "List files with size, acknowledged offset, backlog and age",
		Long: `List every file with its size, the offset up to which all outputs have acknowledged it, the backlog
between the two, and the age of the oldest line in it. A dash for the age of a backlog means that no
agent has looked since it was written. A file with several outputs has a line that says how far the
slowest has come, which is what counts, and below it a line for each of them.`,
		Example: "  yadokari logs status\n  yadokari logs status -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			items, _, err := loadLogs(env)
			if err != nil {
				return err
			}
			status, err := logshipper.ReadStatus(items)
			if err != nil {
				return err
			}
			files := logFiles(logshipper.ByFile(status), time.Now())
			return env.print(files, func(w io.Writer) { tellFiles(w, files) })
		},
	}
}

func logFiles(all []logshipper.File, now time.Time) []logFile {
	age := func(oldest time.Time) float64 {
		if oldest.IsZero() {
			return 0
		}
		return max(0, now.Sub(oldest).Seconds())
	}
	files := []logFile{}
	for _, f := range all {
		one := logFile{File: f, Age: age(f.Oldest)}
		for _, o := range f.Outputs {
			one.Outputs = append(one.Outputs, logOutput{o, age(o.Oldest)})
		}
		files = append(files, one)
	}
	return files
}

func tellFiles(w io.Writer, files []logFile) {
	fmt.Fprint(w, "FILE\tOUTPUT\tSIZE\tACKNOWLEDGED\tBACKLOG\tAGE\n")
	for _, f := range files {
		name := f.Path
		if n := len(f.Outputs); n > 1 {
			fmt.Fprintf(w, "%s\tslowest of %d\t%d\t%d\t%d\t%s\n", name, n, f.Size, f.Acknowledged, f.Backlog, ageText(f.Age))
			name = ""
		}
		for _, o := range f.Outputs {
			what := name
			if note := o.note(); note != "" {
				what = strings.TrimSpace(name + " (" + note + ")")
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\n", what, o.Output, o.Size, o.Acknowledged, o.Backlog, ageText(o.Age))
		}
	}
}

// note is what is wrong with the file.
func (o *logOutput) note() string {
	if o.Problem == "" && o.Missing {
		return "not there"
	}
	return o.Problem
}

func ageText(seconds float64) string {
	if seconds == 0 {
		return "-"
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}

func newLogsShipCommand(env *environment) *cobra.Command {
	timeout, verbose := 10*time.Minute, false
	command := &cobra.Command{
		Use:   "ship DIRECTORY",
		Short: "Ship what stops have left over, and remove it",
		Long: `Ship what is in a leftover directory, or in one of the directories in it, to the outputs it was meant
for, with the host, pod and offsets it came from. What is delivered is removed; what is not stays, and
the command can be repeated.`,
		Example: "  yadokari logs ship /var/spool/yadokari/logs",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			items, file, err := loadLogs(env)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			options := logshipper.Options{Cluster: file.Cluster, Stdout: env.out}
			if verbose {
				toStderr := *env
				toStderr.out = env.err
				options.Logger = newLogger(&toStderr, true)
			}
			counts, err := logshipper.Ship(ctx, args[0], items, options)
			if err != nil {
				return err
			}
			return env.print(counts, func(w io.Writer) {
				fmt.Fprintf(w, "shipped %d lines, %d bytes\n", counts.Delivered.Lines, counts.Delivered.Bytes)
			})
		},
	}
	command.Flags().DurationVar(&timeout, "timeout", timeout, "how long to try (`duration`)")
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "log to stderr what happens")
	return command
}

func loadLogs(env *environment) ([]logshipper.Config, *config.File, error) {
	file, err := env.load()
	if err != nil {
		return nil, nil, err
	}
	if file.Config.Agent == nil || len(file.Config.Agent.Logs) == 0 {
		return nil, nil, usagef("%s has no section agent.logs", file.Path)
	}
	return file.Config.Agent.Logs, file, nil
}
