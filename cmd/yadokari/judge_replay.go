package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"yadokari/judge"
	"yadokari/judge/replay"
	"yadokari/judge/simulate"
	"yadokari/setting"
)

// replaying is what the flags of judge replay say.
type replaying struct {
	share, alpha setting.Share
	times        int
	seed         uint64
	key          string
	breaker      uint64
}

// replayed is the result of judge replay in JSON.
type replayed struct {
	Lines    int     `json:"lines"`
	Bad      int     `json:"badLines"`
	Keyless  int     `json:"linesWithoutKey"`
	FirstBad string  `json:"firstBad,omitempty"`
	Users    int     `json:"users"`
	Requests int     `json:"requests"`
	Failures int     `json:"failures"`
	Seconds  float64 `json:"seconds"`
	Allowed  int     `json:"allowed"`
	*replay.Report
}

func newJudgeReplay(env *environment) *cobra.Command {
	r := replaying{share: 0.05, alpha: 0.001, times: 1000, seed: 1, key: string(replay.ClientAgent), breaker: 5}
	command := &cobra.Command{
		Use:   "replay ACCESS-LOG...",
		Short: "Split an access log into two sides many times, and judge each split",
		Long: `Split the users of an access log into two sides, as the gateway would, judge them, and do so many times with
other users on the new side each time. One program has answered all of them, so nothing should be condemned
more often than chance allows: the part alpha, and three standard deviations. The exit code is 1 when more were.

Logs are of the common or combined format of Apache and NGINX, with a virtual host before it and the time that
the answer took behind it or not, or of Yadokari's own; with the suffix .gz they are uncompressed, and - is the
standard input. Lines that cannot be understood are counted and left out.`,
		Example: `  yadokari judge replay /var/log/nginx/access.log
  yadokari judge replay /var/log/apache2/access.log* --share 25% --times 200
  yadokari judge replay access.json --key client -o json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), env, args) },
	}
	flags := command.Flags()
	flags.Var(&shareFlag{&r.share}, "share", "the part of the users on the new side (`share`)")
	flags.Var(&shareFlag{&r.alpha}, "alpha", "the chance that the statistics condemn a side that is as good (`share`)")
	flags.IntVar(&r.times, "times", r.times, "how many splits")
	flags.Uint64Var(&r.seed, "seed", r.seed, "what the splits follow from")
	flags.Uint64Var(&r.breaker, "breaker", r.breaker, "the run of failures that ends a stage; 0: none does")
	flags.StringVar(&r.key, "key", r.key, "what tells users apart: "+keyNames())
	must(command.RegisterFlagCompletionFunc("key", cobra.FixedCompletions(strings.Split(keyNames(), ", "), cobra.ShellCompDirectiveNoFileComp)))
	return command
}

// shareFlag is a share as a flag.
type shareFlag struct{ *setting.Share }

func (f *shareFlag) Set(text string) error { return f.UnmarshalText([]byte(text)) }

// Type names the flag's value in the help.
func (f *shareFlag) Type() string { return "share" }

func keyNames() string {
	var names []string
	for _, k := range replay.Keys() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

func (r *replaying) run(ctx context.Context, env *environment, files []string) error {
	switch {
	case r.share <= 0 || r.share >= 1:
		return usagef("--share %v: write more than 0%% and less than 100%%", r.share)
	case r.alpha <= 0 || r.alpha >= 1:
		return usagef("--alpha %v: write more than 0%% and less than 100%%", r.alpha)
	case r.times < 1:
		return usagef("--times %d: write 1 or more", r.times)
	case !slices.Contains(replay.Keys(), replay.Key(r.key)):
		return usagef("--key %q: known are %s", r.key, keyNames())
	}
	log := &replay.Log{Key: replay.Key(r.key)}
	for _, name := range files {
		if err := readLog(log, name, env.in); err != nil {
			return err
		}
	}
	if log.Requests() == 0 {
		return fmt.Errorf("no line can be replayed: %d lines, %d of them bad, %d without a key %s", log.Lines, log.Bad, log.Keyless, log.FirstBad)
	}
	return r.judge(ctx, env, log)
}

func (r *replaying) judge(ctx context.Context, env *environment, log *replay.Log) error {
	criteria := judge.Criteria{Alpha: float64(r.alpha), Share: r.share, Breaker: r.breaker, Old: "one half", New: "the other"}
	setting.Defaults(&criteria.Tolerance)
	progress := newProgress(env.err, "replay", "splits", r.times)
	report, err := log.Split(ctx, criteria, r.times, r.seed, progress.tell)
	if err != nil {
		return err
	}
	result := &replayed{
		Lines: log.Lines, Bad: log.Bad, Keyless: log.Keyless, FirstBad: log.FirstBad, Users: log.Users(), Requests: log.Requests(),
		Failures: log.Failures(), Seconds: log.Span().Seconds(), Allowed: simulate.Allowed(r.times, float64(r.alpha)), Report: report,
	}
	if err := env.print(result, func(w io.Writer) { tellReplay(w, result) }); err != nil {
		return err
	}
	if result.Condemned > result.Allowed {
		return fmt.Errorf("one program was condemned %d times; chance allows %d", result.Condemned, result.Allowed)
	}
	return nil
}

func tellReplay(w io.Writer, r *replayed) {
	fmt.Fprintf(w, "%d requests of %d users within %v, %d of them failed\n", r.Requests, r.Users,
		(time.Duration(r.Seconds) * time.Second).String(), r.Failures)
	if r.Bad > 0 {
		fmt.Fprintf(w, "%d of %d lines could not be understood; the first: %s\n", r.Bad, r.Lines, r.FirstBad)
	}
	if r.Keyless > 0 {
		fmt.Fprintf(w, "%d lines have no key\n", r.Keyless)
	}
	fmt.Fprintf(w, "condemned in %d of %d splits; chance allows %d\n", r.Condemned, r.Times, r.Allowed)
	for _, signal := range slices.Sorted(maps.Keys(r.Signals)) {
		fmt.Fprintf(w, "  by %s: %d\n", signal, r.Signals[signal])
	}
	if r.Example != "" {
		fmt.Fprintf(w, "for example: %s\n", r.Example)
	}
}

func readLog(log *replay.Log, name string, in io.Reader) error {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return usagef("%w", err)
		}
		defer f.Close()
		in = f
	}
	if strings.HasSuffix(name, ".gz") {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		in = unzipped
	}
	return log.Read(name, in)
}
