package mail

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"yadokari/test/process"
)

// client is a program that sends mail, and what must arrive of it.
type client struct {
	name    string
	command func(t *testing.T, a *agent) *exec.Cmd
	input   string
	mails   int      // that arrive with its name in the text
	has     []string // what is in each of them
}

// body is a text that shows what must not be changed on the way: dots, long lines, empty lines.
func body(name string) string {
	return strings.Join([]string{"sent by " + name, ".", "..two dots", "", strings.Repeat("long ", 150), lastLine, ""}, "\n")
}

var clients = []client{
	{
		name: "swaks", mails: 1,
		command: func(t *testing.T, a *agent) *exec.Cmd {
			return swaks(t, "swaks", "--server", a.listen, "--pipeline", "--to", "ann@example.test,bob@example.test")
		},
		has: []string{"X-Rcpt-Args: <ann@example.test>", "X-Rcpt-Args: <bob@example.test>"},
	}, {
		name: "swaks by unix socket", mails: 1,
		command: func(t *testing.T, a *agent) *exec.Cmd {
			return swaks(t, "swaks by unix socket", "--socket", a.socket, "--to", "ann@example.test")
		},
		has: []string{"X-Rcpt-Args: <ann@example.test>"},
	}, {
		name: "sendmail -bs", mails: 1,
		command: func(t *testing.T, a *agent) *exec.Cmd {
			c := swaks(t, "sendmail -bs", "--pipe", program("yadokari")+" sendmail -bs", "--to", "ann@example.test")
			c.Env = append(c.Environ(), "YADOKARI_RELAY="+a.listen)
			return c
		},
		has: []string{"X-Mail-Args: <app@client.test>"},
	}, {
		name: "smtplib", mails: 1,
		command: func(t *testing.T, a *agent) *exec.Cmd {
			host, port, _ := strings.Cut(a.listen, ":")
			return exec.Command("python3", process.WriteFile(t, t.TempDir(), "send.py", pythonMail), host, port)
		},
		input: body("smtplib"),
		has:   []string{"X-Rcpt-Args: <carl@example.test>", "Subject: =?utf-8?", "Content-Transfer-Encoding: 8bit", "Grüße"},
	}, {
		name: "PHP mail()", mails: 1, input: phpMail, command: inPlace("php"),
		has: []string{"X-Rcpt-Args: <ann@example.test>", "X-Rcpt-Args: <cc@example.test>", "Subject: from PHP", "X-Mail-Args: <app@client.test>"},
	}, {
		name: "mailutils", mails: 1, input: body("mailutils"),
		command: inPlace("mail.mailutils", "-s", "from mail", "-r", "app@client.test", "ann@example.test", "bob@example.test"),
		has:     []string{"X-Rcpt-Args: <ann@example.test>", "X-Rcpt-Args: <bob@example.test>", "Subject: from mail"},
	}, {
		name: "smtp-source", mails: sourceMails,
		command: func(t *testing.T, a *agent) *exec.Cmd {
			text := process.WriteFile(t, t.TempDir(), "mail", "Subject: load\n\n"+body("smtp-source"))
			return exec.Command("/usr/sbin/smtp-source", "-s", "10", "-m", strconv.Itoa(sourceMails), "-F", text,
				"-f", "app@client.test", "-t", "ann@example.test", "inet:"+a.listen)
		},
		has: []string{"Subject: load"},
	},
}

const sourceMails = 500

func swaks(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	text := process.WriteFile(t, t.TempDir(), "mail", "Subject: swaks\nMessage-ID: <swaks@client.test>\n\n"+body(name))
	return exec.Command("swaks", append([]string{"--silent", "2", "--from", "app@client.test", "--data", "@" + text}, args...)...)
}

const pythonMail = `
import email.message, email.policy, smtplib, sys
m = email.message.EmailMessage(policy=email.policy.SMTP)
m["From"], m["To"], m["Subject"] = "app@client.test", "ann@example.test", "Grüße"
m.set_content(sys.stdin.read() + "Grüße\n", cte="8bit")
with smtplib.SMTP(sys.argv[1], int(sys.argv[2])) as s:
    refused = s.send_message(m, to_addrs=["ann@example.test", "carl@example.test"], mail_options=["BODY=8BITMIME"])
    sys.exit(1 if refused else 0)
`

const phpMail = `<?php
$ok = mail("ann@example.test", "from PHP", "sent by PHP mail()\n.\n..two dots\n\n` + lastLine + `\n",
    "From: app@client.test\r\nCc: cc@example.test", "-fapp@client.test");
exit($ok ? 0 : 1);
`

// inPlace runs a program where /usr/sbin/sendmail is yadokari, as on a machine that has replaced its mail
// server: in a mount namespace of its own.
func inPlace(name string, args ...string) func(*testing.T, *agent) *exec.Cmd {
	return func(_ *testing.T, a *agent) *exec.Cmd {
		script := `mount --bind "$YADOKARI" /usr/sbin/sendmail && exec "$@"`
		c := exec.Command("unshare", append([]string{"--mount", "sh", "-c", script, "sh", name}, args...)...)
		c.Env = append(c.Environ(), "YADOKARI="+program("yadokari"), "YADOKARI_RELAY="+a.socket)
		return c
	}
}

// TestClients: what programs send that know nothing of the relay arrives as they sent it.
func TestClients(t *testing.T) {
	a := newAgent(t, "1s")
	a.run(t)
	a.Says(t, "agent is ready")
	want := int64(0)
	for _, c := range clients {
		want += int64(c.mails)
		t.Run(c.name, func(t *testing.T) {
			command := c.command(t, a)
			command.Stdin = strings.NewReader(c.input)
			if out, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", command.Args, err, out)
			}
			c.check(t, a)
		})
	}
	if n := a.end(t); n != want {
		t.Errorf("the receipt says %d delivered, want %d", n, want)
	}
}

// check waits until the client's mails have arrived, and looks at each.
func (c *client) check(t *testing.T, a *agent) {
	t.Helper()
	mine := "sent by " + c.name + "\n"
	process.Eventually(t, fmt.Sprintf("%d mails arrive", c.mails), func() bool {
		n := 0
		readInbox(t, a.inbox, func(text string) { n += strings.Count(text, mine) })
		return n >= c.mails
	})
	seen := 0
	readInbox(t, a.inbox, func(text string) {
		if !strings.Contains(text, mine) {
			return
		}
		seen++
		for _, want := range append([]string{mine + ".\n..two dots\n\n", lastLine}, c.has...) {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	})
	if seen != c.mails {
		t.Errorf("%d mails arrived, want %d", seen, c.mails)
	}
}

// TestCron: Debian's cron mails what a job writes through yadokari in the place of sendmail.
func TestCron(t *testing.T) {
	a := newAgent(t, "1s")
	a.run(t)
	a.Says(t, "agent is ready")
	dir := t.TempDir()
	process.WriteFile(t, dir, "job", fmt.Sprintf("MAILTO=ops@example.test\n@reboot root echo 'sent by cron'; echo '%s'\n", lastLine))
	// A machine of its own, as far as cron looks: no other jobs, just started.
	script := `set -e
mount --bind "$YADOKARI" /usr/sbin/sendmail
mount -t tmpfs none /run
mount -t tmpfs none /var/spool/cron
mkdir /var/spool/cron/crontabs
mount -t tmpfs none /etc/cron.d
mount --bind /dev/null /etc/crontab
cp "$JOB" /etc/cron.d/job
chmod 644 /etc/cron.d/job
exec cron -f`
	command := exec.Command("unshare", "--mount", "sh", "-c", script)
	command.Env = append(command.Environ(), "YADOKARI="+program("yadokari"), "JOB="+filepath.Join(dir, "job"),
		"YADOKARI_RELAY="+a.listen) // as /etc/default/cron would say it: a crontab's variables do not reach sendmail
	cron := process.Start(t, "cron", command)
	var got string
	process.Eventually(t, "cron's mail arrives", func() bool {
		cron.MustRun(t)
		readInbox(t, a.inbox, func(text string) { got = text })
		return got != ""
	})
	for _, want := range []string{"X-Rcpt-Args: <ops@example.test>", "Subject: Cron <root@", "sent by cron\n" + lastLine} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	cron.Kill()
	if n := a.end(t); n != 1 {
		t.Errorf("the receipt says %d delivered, want 1", n)
	}
}

// TestSendmailWithoutRelay: while no agent runs, the mail stays with whoever sends it, who is told to try
// again (75, sysexits.h).
func TestSendmailWithoutRelay(t *testing.T) {
	c := exec.Command(program("yadokari"), "sendmail", "-t")
	c.Env = append(c.Environ(), "YADOKARI_RELAY="+process.FreeAddress(t))
	c.Stdin = bytes.NewReader([]byte(mailText("<none@client.test>", "\n")))
	out, _ := c.CombinedOutput()
	if code := c.ProcessState.ExitCode(); code != 75 {
		t.Errorf("exit code %d: %s", code, out)
	}
}
