package main

import (
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"yadokari/api"
	"yadokari/gateway"
)

func newBackendCommand(env *environment) *cobra.Command {
	r := &remote{env: env}
	command := group(&cobra.Command{
		Use:   "backend",
		Short: "Take servers out, and put them back",
		Long: `See the servers of every backend, and take one out so that a deployment can update it without touching
NGINX. A drained server stays out, over restarts of the gateway too, until it is undrained.`,
		Example: `  yadokari backend list
  yadokari backend drain vm 10.0.1.11:9000
  yadokari backend wait vm 10.0.1.11:9000 --timeout 60s && deploy && yadokari backend undrain vm 10.0.1.11:9000`,
	},
		newBackendList(r),
		backendAction(r, "drain", "Give the server no more requests; those under way end"),
		backendAction(r, "undrain", "Give the server requests again, slowly at first"),
		newBackendWait(r),
	)
	r.addFlags(command)
	return command
}

func newBackendList(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "list [BACKEND]", Short: "List the servers and how they are",
		Long: `List the servers and how they are. A name that cannot be looked up has a line of its own (unresolved); the
addresses it last led to stay.`,
		Example: "  yadokari backend list\n  yadokari backend list vm -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := call[[]api.Backend](cmd.Context(), r, "GET", "/api/v1/backends", nil)
			if err != nil {
				return err
			}
			list := []api.Backend{}
			for _, b := range all {
				if len(args) == 0 || args[0] == b.Name {
					list = append(list, b)
				}
			}
			if len(args) > 0 && len(list) == 0 {
				return fmt.Errorf("the gateway has no backend %q", args[0])
			}
			return r.env.print(list, func(w io.Writer) {
				row(w, "BACKEND", "SERVER", "HEALTH", "DRAINED", "EJECTED", "IN FLIGHT", "SINCE", "LAST ERROR")
				for _, b := range list {
					for _, s := range b.Servers {
						row(w, append([]string{b.Name}, cells(s)...)...)
					}
					for _, n := range b.Names {
						if n.Error != "" {
							row(w, b.Name, n.URL, "unresolved", "", "", "", n.Since.Format(time.RFC3339), n.Error)
						}
					}
				}
			})
		},
	}
}

func cells(s gateway.ServerStatus) []string {
	return []string{
		s.ID, s.Health, yes(s.Drained), yes(s.Ejected), fmt.Sprint(s.InFlight), s.Since.Format(time.RFC3339), s.LastError,
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func backendAction(r *remote, verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " BACKEND SERVER", Short: short,
		Example: "  yadokari backend " + verb + " vm 10.0.1.11:9000",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			status, err := call[gateway.ServerStatus](cmd.Context(), r, "POST", serverPath(args)+"/"+verb, nil)
			if err != nil {
				return err
			}
			return printServer(r.env, args[0], status)
		},
	}
}

func serverPath(args []string) string {
	return "/api/v1/backends/" + url.PathEscape(args[0]) + "/servers/" + url.PathEscape(args[1])
}

func printServer(env *environment, backend string, s gateway.ServerStatus) error {
	return env.print(s, func(w io.Writer) {
		row(w, "BACKEND", "SERVER", "HEALTH", "DRAINED", "EJECTED", "IN FLIGHT", "SINCE", "LAST ERROR")
		row(w, append([]string{backend}, cells(s)...)...)
	})
}

func newBackendWait(r *remote) *cobra.Command {
	var timeout time.Duration
	command := &cobra.Command{
		Use: "wait BACKEND SERVER", Short: "Wait until the server has no request under way",
		Long: `Wait until the server has no request under way, upgraded connections (WebSocket) included. Drain it
first: waiting does not keep new requests away. It fails when --timeout is over.`,
		Example: "  yadokari backend wait vm 10.0.1.11:9000 --timeout 60s",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			until := time.Now().Add(timeout)
			for {
				left := max(time.Until(until), 0)
				status, err := call[gateway.ServerStatus](cmd.Context(), r, "GET", serverPath(args)+"/wait?timeout="+min(left, 10*time.Second).String(), nil)
				if err != nil {
					return err
				}
				if status.InFlight == 0 {
					return printServer(r.env, args[0], status)
				}
				if left == 0 {
					return fmt.Errorf("%s still has %d requests under way after %s", args[1], status.InFlight, timeout)
				}
			}
		},
	}
	command.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "the longest time to wait")
	return command
}
