package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"yadokari/config"
)

// checked is the result of check in JSON.
type checked struct {
	File     string            `json:"file"`
	Valid    bool              `json:"valid"`
	Faults   config.Faults     `json:"faults"`
	Meanings []*config.Meaning `json:"meanings"`
}

func newCheckCommand(env *environment) *cobra.Command {
	deep := false
	command := &cobra.Command{
		Use:   "check",
		Short: "Validate the file and say what it means",
		Long: `check reads the file as every other verb does, for every service cluster or for the one named with
--cluster, and says what it means: what listens where, which URLs move, how and how fast, and which
requests stay. Everything that is wrong is a line on stderr with its place and its remedy, and the exit
code is 2. Warnings are about what is valid but rarely meant.`,
		Example: `  yadokari check
  yadokari check -c /etc/yadokari/yadokari.yaml --cluster cluster1
  yadokari check --deep       # read certificates and secrets too, on the machine that has them
  yadokari check -o json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return check(env, deep) },
	}
	command.Flags().BoolVar(&deep, "deep", false, "also read the files that the settings name: certificates, authorities, secrets")
	return command
}

func check(env *environment, deep bool) error {
	files, err := checkedFiles(env, deep)
	result := checked{File: env.config, Valid: err == nil, Faults: config.Faults{}, Meanings: []*config.Meaning{}}
	if err != nil {
		if errors.As(err, &result.Faults); env.output == jsonOut {
			return errors.Join(env.print(result, nil), err)
		}
		return err
	}
	for _, file := range files {
		result.Meanings = append(result.Meanings, file.Explain())
	}
	return env.print(result, func(w io.Writer) { explain(w, &result) })
}

// checkedFiles returns the file without a cluster and with each; with --cluster, for that one alone.
func checkedFiles(env *environment, deep bool) ([]*config.File, error) {
	if env.cluster == "" {
		return config.Check(env.config, deep)
	}
	file, err := env.load()
	if err == nil && deep {
		err = file.CheckFiles()
	}
	return []*config.File{file}, err
}

// explain writes the first meaning in full, and of the others what is different.
func explain(w io.Writer, result *checked) {
	first := result.Meanings[0]
	whose := first.App
	if first.Cluster != "" {
		whose += " in service cluster " + first.Cluster
	}
	fmt.Fprintf(w, "%s is valid: %s.\n\n", result.File, whose)
	for _, sentence := range first.Words {
		fmt.Fprintln(w, sentence)
	}
	explainBackends(w, first)
	explainRoutes(w, first)
	for i, m := range result.Meanings[1:] {
		if i == 0 {
			fmt.Fprint(w, "\nSERVICE CLUSTER\tDIFFERS IN\n")
		}
		fmt.Fprintf(w, "%s\t%s\n", m.Cluster, orDash(strings.Join(m.Differs, ", ")))
	}
	explainSkipped(w, first)
	explainWarnings(w, result.Meanings)
}

// lineLength is where a list goes on in the next line, in bytes.
const lineLength = 110

// explainSkipped writes what is never copied, once for all routes of which the same is true.
func explainSkipped(w io.Writer, m *config.Meaning) {
	seen := map[string]bool{}
	for i := range m.Routes {
		list := strings.Join(m.Routes[i].Skipped, " ")
		if list == "" || seen[list] {
			continue
		}
		seen[list] = true
		var alike []string
		for j := range m.Routes {
			if strings.Join(m.Routes[j].Skipped, " ") == list {
				alike = append(alike, m.Routes[j].Name)
			}
		}
		fmt.Fprintf(w, "\nNever copied, because it is not harmless though it is GET (mirror.skip adds to it, or takes away with !): %s\n", strings.Join(alike, ", "))
		line := " "
		for _, pattern := range m.Routes[i].Skipped {
			if len(line)+len(pattern) > lineLength {
				fmt.Fprintln(w, line)
				line = " "
			}
			line += " " + pattern
		}
		fmt.Fprintln(w, line)
	}
}

func explainBackends(w io.Writer, m *config.Meaning) {
	if len(m.Backends) > 0 {
		fmt.Fprint(w, "\nBACKEND\tSERVERS\n")
	}
	for _, b := range m.Backends {
		fmt.Fprintf(w, "%s\t%s\n", b.Name, strings.Join(b.Servers, ", "))
	}
}

func explainRoutes(w io.Writer, m *config.Meaning) {
	if len(m.Routes) > 0 {
		fmt.Fprint(w, "\nROUTE\tFROM\tTO\tSTAGES\tPROMOTION\tTAKES AT LEAST\tPATTERNS\n")
	}
	for i := range m.Routes {
		r := &m.Routes[i]
		least := "-"
		if r.To != "" {
			least = r.Least().String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.From, orDash(r.To), orDash(strings.Join(r.Stages, " ")),
			orDash(r.Promote), least, strings.Join(r.Match, ", "))
	}
}

// explainWarnings writes every warning once, however many clusters share it.
func explainWarnings(w io.Writer, meanings []*config.Meaning) {
	seen := map[config.Warning]bool{}
	for _, m := range meanings {
		for _, warning := range m.Warnings {
			if len(seen) == 0 {
				fmt.Fprint(w, "\nWARNINGS\n")
			}
			if !seen[warning] {
				seen[warning] = true
				fmt.Fprintln(w, warning)
			}
		}
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
