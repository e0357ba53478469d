package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"yadokari/api"
	"yadokari/gateway"
	"yadokari/setting"
	"yadokari/shift"
)

func newShiftCommand(env *environment) *cobra.Command {
	r := &remote{env: env}
	var why string
	command := group(&cobra.Command{
		Use:   "shift",
		Short: "Move the users of a route, and see how it goes",
		Long: `Move the users of a route from the old side to the new one, stage by stage, and back. These verbs talk
to the admin port of a running gateway. Every change goes to the ledger with who made it and why.`,
		Example: `  yadokari shift start wiki
  yadokari shift status
  yadokari shift set wiki 25% --why "half of the office is testing"
  yadokari shift rollback --all`,
	},
		newShiftStatus(r),
		shiftAction(r, &why, "start", "Begin the journey at its first stage"),
		shiftAction(r, &why, "promote", "Go to the next stage now"),
		shiftAction(r, &why, "pause", "Keep the share as it is; the new side is still judged"),
		shiftAction(r, &why, "resume", "Go on after a pause"),
		newShiftSet(r, &why),
		newShiftRollback(r, &why),
		newShiftHistory(r),
	)
	r.addFlags(command)
	command.PersistentFlags().StringVar(&why, "why", "", "the reason, for the ledger (`text`)")
	return command
}

// shiftAction is a verb that moves one route.
func shiftAction(r *remote, why *string, verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ROUTE", Short: short,
		Example:           "  yadokari shift " + verb + " wiki\n  yadokari shift " + verb + " wiki --why \"ticket OPS-12\" -o json",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: r.routeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/api/v1/routes/" + url.PathEscape(args[0]) + "/" + verb
			status, err := call[shift.Status](cmd.Context(), r, "POST", path, api.Reason{Why: *why})
			if err != nil {
				return err
			}
			return printStatuses(r.env, status, []shift.Status{status})
		},
	}
}

func newShiftSet(r *remote, why *string) *cobra.Command {
	return &cobra.Command{
		Use: "set ROUTE SHARE", Short: "Set the share by hand",
		Long: `Move to any share by hand: 0% is idle, 100% is done, and anything between is paused at that share until
somebody resumes.`,
		Example:           "  yadokari shift set wiki 25%\n  yadokari shift set wiki 0% --why \"end of the test\"",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: r.routeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			var share setting.Share
			if err := share.UnmarshalText([]byte(args[1])); err != nil {
				return usagef("%v", err)
			}
			path := "/api/v1/routes/" + url.PathEscape(args[0]) + "/share"
			status, err := call[shift.Status](cmd.Context(), r, "PUT", path, api.NewShare{Share: share, Why: *why})
			if err != nil {
				return err
			}
			return printStatuses(r.env, status, []shift.Status{status})
		},
	}
}

func newShiftRollback(r *remote, why *string) *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use: "rollback ROUTE | --all", Short: "Send every user back to the old side at once",
		Example:           "  yadokari shift rollback wiki\n  yadokari shift rollback --all --why \"bad night\"",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: r.routeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return usagef("name one route, or --all")
			}
			if !all {
				path := "/api/v1/routes/" + url.PathEscape(args[0]) + "/rollback"
				status, err := call[shift.Status](cmd.Context(), r, "POST", path, api.Reason{Why: *why})
				if err != nil {
					return err
				}
				return printStatuses(r.env, status, []shift.Status{status})
			}
			moved, err := call[[]shift.Status](cmd.Context(), r, "POST", "/api/v1/rollback", api.Reason{Why: *why})
			if err != nil {
				return err
			}
			return printStatuses(r.env, moved, moved)
		},
	}
	command.Flags().BoolVar(&all, "all", false, "every route that is not on the old side already")
	return command
}

func newShiftStatus(r *remote) *cobra.Command {
	var watch bool
	command := &cobra.Command{
		Use: "status [ROUTE]", Short: "Say where users are and how both sides compare",
		Long: `Say where users are and how both sides compare. Without a route all are listed; with one, each signal
that speaks against the new side has a bar, and the route is rolled back when one is full. With -o json it
is a list of objects; docs/admin-api.md names their fields.`,
		Example:           "  yadokari shift status\n  yadokari shift status wiki -o json\n  yadokari shift status --watch",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: r.routeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			for {
				list, err := statuses(cmd, r, args)
				if err != nil {
					return err
				}
				if err := printStatus(r.env, list, len(args) > 0); err != nil {
					return err
				}
				if err := warnOfKeys(cmd, r); err != nil || !watch {
					return err
				}
				select {
				case <-cmd.Context().Done():
					return nil
				case <-time.After(time.Second):
				}
			}
		},
	}
	command.Flags().BoolVarP(&watch, "watch", "w", false, "print it again every second")
	return command
}

// warnOfKeys says when the key does not hold by which users are known: no figure above means much then.
func warnOfKeys(cmd *cobra.Command, r *remote) error {
	if r.env.output == jsonOut {
		return nil // it is in /api/v1/gateway
	}
	about, err := call[struct {
		Keys gateway.KeyStatus `json:"keys"`
	}](cmd.Context(), r, "GET", "/api/v1/gateway", nil)
	if err == nil && about.Keys.Warning != "" {
		_, err = fmt.Fprintf(r.env.out, "warning: %s\n", about.Keys.Warning)
	}
	return err
}

func statuses(cmd *cobra.Command, r *remote, args []string) ([]shift.Status, error) {
	if len(args) == 0 {
		return call[[]shift.Status](cmd.Context(), r, "GET", "/api/v1/routes", nil)
	}
	one, err := call[shift.Status](cmd.Context(), r, "GET", "/api/v1/routes/"+url.PathEscape(args[0]), nil)
	return []shift.Status{one}, err
}

// printStatus prints the statuses; of one that was asked for, what its verdict was made from as well.
func printStatus(env *environment, list []shift.Status, one bool) error {
	return env.print(list, func(w io.Writer) {
		writeStatuses(w, list)
		if one {
			writeEvidence(w, &list[0])
		}
	})
}

// printStatuses prints value as JSON, or the statuses as a table with a sentence below each.
func printStatuses(env *environment, value any, list []shift.Status) error {
	return env.print(value, func(w io.Writer) { writeStatuses(w, list) })
}

func writeStatuses(w io.Writer, list []shift.Status) {
	if len(list) == 0 {
		_, _ = io.WriteString(w, "no route\n")
		return
	}
	row(w, "ROUTE", "STATE", "STAGE", "SHARE", "VERDICT", "VM REQ", "FAIL", "P95", "CONTAINERS REQ", "FAIL", "P95", "FALLBACKS")
	for _, s := range list {
		row(w, s.Route, string(s.State), s.Stage, s.Share.String(), s.Verdict,
			fmt.Sprint(s.Old.Requests), fmt.Sprint(s.Old.Failures), fmt.Sprintf("%.1fms", s.Old.P95),
			fmt.Sprint(s.New.Requests), fmt.Sprint(s.New.Failures), fmt.Sprintf("%.1fms", s.New.P95), fmt.Sprint(s.Fallbacks))
	}
	for _, s := range list {
		for _, sentence := range []string{s.Reason, s.Next, s.Problem} {
			if sentence != "" {
				_, _ = fmt.Fprintf(w, "%s: %s\n", s.Route, sentence)
			}
		}
	}
}

func newShiftHistory(r *remote) *cobra.Command {
	var limit int
	var by string
	command := &cobra.Command{
		Use: "history [ROUTE]", Short: "Show the ledger: who or what moved which route, when and why",
		Example:           "  yadokari shift history\n  yadokari shift history wiki --limit 5 -o json\n  yadokari shift history --by alice",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: r.routeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := url.Values{"limit": {fmt.Sprint(limit)}, "actor": {by}, "route": {strings.Join(args, "")}}
			entries, err := call[[]shift.Entry](cmd.Context(), r, "GET", "/api/v1/ledger?"+q.Encode(), nil)
			if err != nil {
				return err
			}
			return r.env.print(entries, func(w io.Writer) {
				row(w, "TIME", "WHO", "ROUTE", "ACTION", "FROM", "TO", "WHY")
				for _, e := range entries {
					row(w, e.Time.Format(time.RFC3339), e.Actor.Name, subject(e), string(e.Action), place(e.From), place(e.To), e.Why)
				}
			})
		},
	}
	command.Flags().IntVar(&limit, "limit", 20, "the most entries, newest first")
	command.Flags().StringVar(&by, "by", "", "only what this `actor` did")
	return command
}

// subject is what an entry is about: a route, or a server of a backend.
func subject(e shift.Entry) string {
	if e.Route == "" {
		return e.Backend + " " + e.Server
	}
	return e.Route
}

func place(p shift.Place) string {
	if p.Stage == "" {
		return string(p.State)
	}
	return string(p.State) + " " + p.Stage
}
