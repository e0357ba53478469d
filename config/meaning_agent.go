package config

import (
	"cmp"
	"fmt"
	"strings"

	"yadokari/agent"
	"yadokari/logshipper"
	"yadokari/mailrelay"
)

// wordsOnAgent says what runs beside the app, and what its stop takes.
func wordsOnAgent(a *agent.Config) []string {
	s := &a.Shutdown
	words := []string{fmt.Sprintf(
		"Beside the app, a stop takes at most %s: give it %s in systemd (TimeoutStopSec) or Kubernetes (terminationGracePeriodSeconds). Its state is at %s.",
		s.Grace, s.Grace+agent.PodMargin, a.Admin.Listen)}
	if m := a.Mail; m != nil {
		words = append(words, wordsOnMail(m))
	}
	for i := range a.Logs {
		words = append(words, wordsOnLogs(&a.Logs[i]))
	}
	return words
}

func wordsOnMail(m *mailrelay.Config) string {
	queue := "waits in memory, which a crash loses"
	if m.Spool != "" {
		queue = "waits in " + m.Spool
	}
	leftover := "stays there"
	moves := m.Spool == "" || m.Leftover.Spool
	switch {
	case moves && m.Leftover.S3 != nil:
		leftover = fmt.Sprintf("goes to s3://%s/%s", m.Leftover.S3.Bucket, m.Leftover.S3.Prefix)
	case moves && m.Leftover.Dir != "":
		leftover = "goes to " + m.Leftover.Dir
	case m.Spool == "":
		leftover = "is lost"
	}
	return fmt.Sprintf("Mail arrives at %s and goes to %s; what is not taken there within %s %s, at most %d mails and %s. What is left at a stop %s.",
		cmp.Or(m.Listen, m.Socket), m.Upstream.Address, m.Wait, queue, m.Queue.Messages, m.Queue.Bytes, leftover)
}

func wordsOnLogs(l *logshipper.Config) string {
	leftover := "stays in the files, which must outlive the agent"
	if l.Leftover.Dir != "" {
		leftover = "goes to " + l.Leftover.Dir
	}
	return fmt.Sprintf("Lines of %s go to %s within %s, or when %s are together. What is left at a stop %s; how far they are is noted in %s.",
		l.Path, strings.Join(l.To.Names(), ", "), l.Every, l.Size, leftover, l.Checkpoints)
}
