package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"yadokari/mailrelay"
)

// usualLimit is how many mails of the queue are listed unless more are asked for.
const usualLimit = 100

// mailVerbs look at a running agent's queue.
type mailVerbs struct{ remote }

func newMailCommand(env *environment) *cobra.Command {
	v := &mailVerbs{remote{env: env, ofAgent: true}}
	command := group(&cobra.Command{
		Use:   "mail",
		Short: "Look at the mail queue, and take left over mail back",
		Long: `Look at the queue of the agent that runs here, or at --admin, try mail again at once, take a mail out,
or take back what an earlier agent has left over.`,
		Example: "  yadokari mail queue\n  yadokari mail flush\n  yadokari mail inject /var/spool/yadokari/leftover\n  yadokari mail inject s3://mails/left/",
	}, v.newQueue(), v.newShow(), v.newFlush(), v.newRemove(), v.newInject())
	v.addFlags(command)
	return command
}

func (v *mailVerbs) newQueue() *cobra.Command {
	limit := usualLimit
	command := &cobra.Command{
		Use: "queue", Short: "List the mails that wait, the oldest first",
		Example: "  yadokari mail queue --limit 1000\n  yadokari mail queue -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 10000 {
				return usagef("--limit %d is not within 1 and 10000", limit)
			}
			return v.queue(cmd.Context(), limit)
		},
	}
	command.Flags().IntVar(&limit, "limit", usualLimit, "how many are listed at most")
	return command
}

func (v *mailVerbs) queue(ctx context.Context, limit int) error {
	list, err := call[mailrelay.Listing](ctx, &v.remote, "GET", fmt.Sprintf("/api/v1/mail/queue?limit=%d", limit), nil)
	if err != nil {
		return err
	}
	return v.env.print(list, func(w io.Writer) {
		row(w, "MAIL", "STATE", "ACCEPTED", "BYTES", "FROM", "TO", "TRIES", "NEXT", "LAST ERROR")
		for _, m := range list.Mails {
			next := ""
			if !m.Next.IsZero() {
				next = m.Next.Format(time.RFC3339)
			}
			row(w, m.ID, m.State, m.Accepted.Format(time.RFC3339), fmt.Sprint(m.Bytes), "<"+m.From+">",
				fmt.Sprintf("%d at %s", m.Recipients, m.Domain), fmt.Sprint(m.Tries), next, m.LastError)
		}
		fmt.Fprintf(w, "%d of %d mails\n", len(list.Mails), list.Total)
	})
}

func (v *mailVerbs) newShow() *cobra.Command {
	return &cobra.Command{
		Use: "show MAIL", Short: "Show one mail's recipients and header, never its body",
		Example: "  yadokari mail show 65f1c2a9b3d00001",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := call[mailrelay.Mail](cmd.Context(), &v.remote, "GET", mailPath(args[0]), nil)
			if err != nil {
				return err
			}
			return v.env.print(m, func(w io.Writer) {
				fmt.Fprintf(w, "mail\t%s\naccepted\t%s\nbytes\t%d\nfrom\t<%s>\n", m.ID, m.Accepted.Format(time.RFC3339), m.Bytes, m.From)
				for _, to := range m.To {
					fmt.Fprintf(w, "to\t<%s>\n", to)
				}
				fmt.Fprintf(w, "tries\t%d\nlast error\t%s\n\n%s", m.Tries, orDash(m.LastError), m.Header)
			})
		},
	}
}

func mailPath(id string) string { return "/api/v1/mail/queue/" + url.PathEscape(id) }

func (v *mailVerbs) newFlush() *cobra.Command {
	return &cobra.Command{
		Use: "flush [MAIL]", Short: "Try one mail, or all, at once",
		Example: "  yadokari mail flush",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/api/v1/mail/queue/flush"
			if len(args) > 0 {
				path = mailPath(args[0]) + "/flush"
			}
			return v.change(cmd.Context(), "POST", path, "flushed", "tried at once")
		},
	}
}

func (v *mailVerbs) newRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove MAIL", Short: "Take one mail out of the queue; nobody is told",
		Example: "  yadokari mail remove 65f1c2a9b3d00001",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return v.change(cmd.Context(), "DELETE", mailPath(args[0]), "removed", "removed")
		},
	}
}

// change does something to the queue and prints how many mails it was done to.
func (v *mailVerbs) change(ctx context.Context, method, path, key, words string) error {
	answer, err := call[map[string]int](ctx, &v.remote, method, path, nil)
	if err != nil {
		return err
	}
	return v.env.print(answer, func(w io.Writer) { fmt.Fprintf(w, "%d mails %s\n", answer[key], words) })
}
