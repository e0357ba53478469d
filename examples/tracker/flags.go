package tracker

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// ParseArgs reads the command line of a copy: the inverse of Args.
func ParseArgs(args []string, usage io.Writer) (Config, error) {
	var c Config
	set := flag.NewFlagSet("tracker", flag.ContinueOnError)
	set.SetOutput(usage)
	set.StringVar(&c.Listen, "listen", "127.0.0.1:9000", "`address` for users; port 0 takes a free one")
	set.StringVar(&c.Control, "control", "", "loopback `address` for faults and counts; empty: none")
	set.StringVar(&c.Data, "data", "", "`directory` that all copies share")
	set.StringVar(&c.Version, "version", "vm", "the `name` of this build")
	set.Float64Var(&c.Slower, "slower", 0, "every answer takes this `part` longer: 0.6 is 60 %")
	set.StringVar(&c.Audit, "audit", "", "`path` of the audit log; empty: none")
	set.StringVar(&c.Marker, "marker", "", "`path` of the empty file written at the very end; empty: none")
	set.DurationVar(&c.Linger, "linger", 0, "how long requests are accepted after the signal to stop")
	set.DurationVar(&c.Grace, "grace", defaultGrace, "how long requests, and then mails, have to finish at a stop")
	set.Int64Var(&c.MaxUpload, "max-upload", defaultMaxUpload, "largest file, in `bytes`")
	set.Func("think", "time each page thinks, `MEDIAN/P99`, for example 4ms/60ms", func(text string) (err error) {
		c.Think, err = ParseThink(text)
		return err
	})
	set.Func("fault", "misbehave, `PREFIX:KIND:OPTIONS`, for example /wiki/:error:p=0.5; can be repeated", func(text string) error {
		f, err := ParseFault(text)
		c.Faults = append(c.Faults, f)
		return err
	})
	mailFlags(set, &c.Mail)
	if err := set.Parse(args); err != nil {
		return c, err
	}
	if set.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	return c, nil
}

func mailFlags(set *flag.FlagSet, m *Mail) {
	set.StringVar(&m.Via, "mail", "", "how mail leaves: `smtp` or sendmail; empty: no mail")
	set.StringVar(&m.Address, "mail-address", "localhost:2525", "SMTP `server`, host:port or unix:PATH")
	set.Func("mail-command", "sendmail `program` and arguments, separated by spaces", func(text string) error {
		m.Command = strings.Fields(text)
		return nil
	})
	set.StringVar(&m.From, "mail-from", "", "sender's `address`")
	set.Func("mail-to", "a recipient's `address` of every mail; can be repeated", func(text string) error {
		m.To = append(m.To, text)
		return nil
	})
	set.StringVar(&m.Log, "mail-log", "", "`path` of the log of what became of each mail; empty: none")
	set.IntVar(&m.Workers, "mail-workers", 2, "mails sent at a time")
	set.IntVar(&m.Queue, "mail-queue", 10_000, "mails waiting at most")
	set.DurationVar(&m.Retry, "mail-retry", 0, "first pause before another try (default 500ms)")
	set.DurationVar(&m.Timeout, "mail-timeout", 0, "how long one try may take (default 30s)")
}

// Args is the command line that ParseArgs makes c from.
func (c Config) Args() []string {
	var args []string
	add := func(name, value string) {
		if value != "" {
			args = append(args, "-"+name+"="+value)
		}
	}
	number := func(name string, value any, zero bool) {
		if !zero {
			add(name, fmt.Sprint(value))
		}
	}
	add("listen", c.Listen)
	add("control", c.Control)
	add("data", c.Data)
	add("version", c.Version)
	number("slower", c.Slower, c.Slower == 0)
	add("audit", c.Audit)
	add("marker", c.Marker)
	number("linger", c.Linger, c.Linger == 0)
	number("grace", c.Grace, c.Grace == 0)
	number("max-upload", c.MaxUpload, c.MaxUpload == 0)
	add("think", c.Think.String())
	for _, f := range c.Faults {
		add("fault", f.String())
	}
	add("mail", c.Mail.Via)
	add("mail-address", c.Mail.Address)
	add("mail-command", strings.Join(c.Mail.Command, " "))
	add("mail-from", c.Mail.From)
	for _, to := range c.Mail.To {
		add("mail-to", to)
	}
	add("mail-log", c.Mail.Log)
	number("mail-workers", c.Mail.Workers, c.Mail.Workers == 0)
	number("mail-queue", c.Mail.Queue, c.Mail.Queue == 0)
	number("mail-retry", c.Mail.Retry, c.Mail.Retry == 0)
	number("mail-timeout", c.Mail.Timeout, c.Mail.Timeout == 0)
	return args
}
