package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"yadokari/config"
	"yadokari/setting"
)

// usageError is a command line that cannot be done as it is written: exit code 2. Verbs return it for
// what flags and arguments cannot check by themselves.
type usageError struct {
	err  error
	help string // the command that says how it is done; may be empty
}

// usagef makes a usageError as fmt.Errorf does.
func usagef(text string, args ...any) error { return &usageError{err: fmt.Errorf(text, args...)} }

// Error says what is wrong and where help is.
func (e *usageError) Error() string {
	if e.help == "" {
		return e.err.Error()
	}
	return fmt.Sprintf("%v (see %s)", e.err, e.help)
}

func (e *usageError) Unwrap() error { return e.err }

// exitStatus is the exit code of a process that the verb stood for, and that has said itself what there
// was to say. Zero is no error.
type exitStatus int

// Error is not printed.
func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// exit hands a code on as the verb's own.
func exit(code int) error {
	if code == 0 {
		return nil
	}
	return exitStatus(code)
}

// exitCode is 2 for wrong usage or configuration, else 1.
func exitCode(err error) int {
	var status exitStatus
	if errors.As(err, &status) {
		return int(status)
	}
	var usage *usageError
	var faults config.Faults
	if errors.As(err, &usage) || errors.As(err, &faults) {
		return 2
	}
	return 1
}

// lines is the error as it is printed. Faults of the configuration stand as they are, one a line,
// where editors find FILE:LINE:COLUMN; everything else is one line that names the verb.
func lines(verb *cobra.Command, err error) string {
	var faults config.Faults
	if errors.As(err, &faults) {
		return faults.Error()
	}
	return verb.CommandPath() + ": " + strings.Join(strings.Fields(err.Error()), " ")
}

// group makes a command that only holds verbs: it demands one of them, and names the nearest.
func group(command *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	command.AddCommand(verbs...)
	names := make([]string, len(verbs))
	for i, verb := range verbs {
		names[i] = verb.Name()
	}
	command.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("a verb is missing: one of %s", strings.Join(names, ", "))
		}
		if near := setting.Nearest(args[0], names); near != "" {
			return fmt.Errorf("unknown verb %q, did you mean %s?", args[0], near)
		}
		return fmt.Errorf("unknown verb %q, known are %s", args[0], strings.Join(names, ", "))
	}
	command.RunE = func(*cobra.Command, []string) error { return nil } // not reached: Args refuses
	return command
}
