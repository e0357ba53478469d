package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"yadokari/mailrelay"
)

func (v *mailVerbs) newInject() *cobra.Command {
	var order mailrelay.Order
	patience := time.Minute
	command := &cobra.Command{
		Use: "inject WHERE...", Short: "Take back mail that an earlier agent has left over",
		Long: `Take back what an earlier agent has left over, from the places that "where" of its receipt names: a
directory on the machine the agent runs on (its leftover directory, one of those in it, or a spool that no
agent uses), or s3://BUCKET/PREFIX.

The agent that runs here reads and removes it. So it is the agent that needs leave to list, read, write and
remove what is in the bucket. Region, endpoint and credentials are those of its settings for the same bucket
(agent.mail.leftover.s3), and else what every AWS tool finds in the agent's surroundings: AWS_REGION,
AWS_ENDPOINT_URL, ~/.aws, or the role of its pod or machine.

Mail is taken in batches. It is safe in the agent's spool before it is removed where it was, so that nothing is
lost whatever ends; an end in between repeats one batch (512 mails, or 4 MiB) at most. An agent
without a spool takes none. What finds no room in the queue is waited for as long as room is made, and stays
where it is when none was made for --wait; the command can be repeated.`,
		Example: `  yadokari mail inject /var/spool/yadokari/leftover
  yadokari mail inject s3://mails/left/app-7f9c-65f1c2a9b3d00001/
  yadokari mail inject s3://mails/left/ --region ap-northeast-1 -o json
  yadokari mail inject s3://mails/left/ --endpoint https://minio.internal:9000 --path-style
  kubectl exec deploy/app -c agent -- yadokari mail inject s3://mails/left/`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			orders, err := ordersFor(args, order)
			if err != nil {
				return err
			}
			return (&injecting{mailVerbs: v, patience: patience}).all(cmd.Context(), orders)
		},
	}
	command.Flags().StringVar(&order.Region, "region", "", "the bucket's AWS `region`")
	command.Flags().StringVar(&order.Endpoint, "endpoint", "", "the `URL` of the service, when it is not the region's own")
	command.Flags().BoolVar(&order.PathStyle, "path-style", false, "write the bucket's name into the path, as services other than S3 often need it")
	command.Flags().DurationVar(&patience, "wait", patience, "how long to wait for room in a queue that is full (`duration`)")
	return command
}

// ordersFor makes an order of each place.
func ordersFor(places []string, o mailrelay.Order) (list []mailrelay.Order, err error) {
	for _, o.From = range places {
		if !strings.Contains(o.From, "://") {
			if o.From, err = filepath.Abs(o.From); err != nil {
				return nil, err
			}
		} else if bucket, ok := strings.CutPrefix(o.From, "s3://"); !ok || bucket == "" || bucket[0] == '/' {
			return nil, usagef("%q is neither a directory nor s3://BUCKET/PREFIX", o.From)
		}
		list = append(list, o)
	}
	return list, nil
}

// injecting is one command, which may take many calls.
type injecting struct {
	*mailVerbs
	patience time.Duration
	answered bool // by an agent, at least once
	sum      mailrelay.InjectAnswer
}

// all takes from one place after the other, and tells what came of it.
func (i *injecting) all(ctx context.Context, orders []mailrelay.Order) error {
	var errs []error
	for _, o := range orders {
		if err := i.from(ctx, o); err != nil {
			errs = append(errs, err)
		}
	}
	err := errors.Join(errs...)
	if !i.answered {
		return err
	}
	if err != nil {
		i.sum.Error = err.Error()
	}
	if len(i.sum.Damaged) > 0 {
		err = errors.Join(err, fmt.Errorf("damaged, and set aside: %s", strings.Join(i.sum.Damaged, ", ")))
	}
	return errors.Join(i.env.print(i.sum, func(w io.Writer) { fmt.Fprintf(w, "%d mails taken back\n", i.sum.Mails) }), err)
}

// from takes from one place until it is empty, or does not become so.
func (i *injecting) from(ctx context.Context, o mailrelay.Order) error {
	for last := time.Now(); ; {
		answer, err := call[mailrelay.InjectAnswer](ctx, &i.remote, "POST", "/api/v1/mail/inject", o)
		if err != nil {
			return err
		}
		i.add(answer)
		if answer.Mails > 0 {
			last = time.Now()
		}
		switch {
		case answer.More && answer.Mails > 0:
		case answer.Full && time.Since(last) < i.patience:
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
		case answer.Error != "":
			return errors.New(answer.Error)
		default:
			return nil
		}
		fmt.Fprintf(i.env.err, "yadokari mail inject: %d mails taken back so far\n", i.sum.Mails)
	}
}

func (i *injecting) add(a mailrelay.InjectAnswer) {
	i.answered = true
	i.sum.Mails += a.Mails
	i.sum.More, i.sum.Full = a.More, a.Full
	for _, file := range a.Damaged {
		if !slices.Contains(i.sum.Damaged, file) {
			i.sum.Damaged = append(i.sum.Damaged, file)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
