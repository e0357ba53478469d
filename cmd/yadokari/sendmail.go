package main

import (
	"cmp"
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"yadokari/mailrelay/sendmail"
)

func newSendmailCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "sendmail [-t] [-i] [-f SENDER] [-bs] [-bp] [RECIPIENT...]",
		Short: "Stand in for /usr/sbin/sendmail",
		Long: `Take a mail on standard input, as PHP's mail(), cron and mailers give it, and hand it to the agent. The
same happens when the program is called by the name of sendmail, and -bp by that of mailq:
  ln -s /usr/bin/yadokari /usr/sbin/sendmail

Everything behind sendmail is for it alone. The relay is the one that YADOKARI_RELAY names, a unix
socket's path or host:port; else that of the file's agent.mail, where YADOKARI_CONFIG names the file;
else 127.0.0.1:2525. Exit codes are those of sysexits.h: 0 sent, 75 try again later.`,
		Example:            "  yadokari sendmail -t -i < mail.txt\n  yadokari sendmail -f app@example.org ann@example.org < mail.txt",
		DisableFlagParsing: true, // the options are sendmail's
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "--help" {
				return cmd.Help()
			}
			host, err := os.Hostname()
			if err != nil {
				host = "localhost"
			}
			call := sendmail.Call{
				Args: args, Stdin: env.in, Stdout: env.out, Stderr: env.err,
				Relay: relayOf(env), User: sendmail.Name(), Hostname: host, Patience: 5 * time.Second,
				Queue: func(ctx context.Context, w io.Writer) error {
					return (&mailVerbs{remote{env: env, ofAgent: true, admin: env.getenv("YADOKARI_AGENT_ADMIN"), tokenFile: env.getenv("YADOKARI_TOKEN_FILE")}}).queue(ctx, usualLimit)
				},
			}
			return exit(call.Run(cmd.Context()))
		},
	}
}

// relayOf is where sendmail finds the relay. A file that cannot be read is no reason to lose a mail.
func relayOf(env *environment) string {
	if relay := env.getenv("YADOKARI_RELAY"); relay != "" {
		return relay
	}
	if file, err := env.load(); err == nil && file.Config.Agent != nil && file.Config.Agent.Mail != nil {
		return cmp.Or(file.Config.Agent.Mail.Socket, file.Config.Agent.Mail.Listen)
	}
	return "127.0.0.1:2525"
}
