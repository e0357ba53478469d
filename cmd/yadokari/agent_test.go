package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"yadokari/lifecycle"
	"yadokari/mailrelay"
	"yadokari/mailrelay/sink"
	"yadokari/setting"
)

const agentFile = `agent:
  admin: "127.0.0.1:0"
  shutdown: {grace: 20s, quiet: 500ms}
`

func TestAgentUsage(t *testing.T) {
	with, without := file(t, agentFile), file(t, valid)
	for _, c := range []struct {
		variables map[string]string
		args      []string
		want      string
	}{
		{nil, []string{"agent", "-c", with, "app"}, "write the command behind --, as in: yadokari agent -- app"},
		{nil, []string{"agent", "-c", with, "app", "--", "more"}, "write the command behind --"},
		{nil, []string{"agent", "-c", without}, "has no section agent"},
		{nil, []string{"agent", "-c", with, "--pod-grace", "soon"}, `"soon" is not a grace period`},
		{nil, []string{"agent", "-c", with, "--pod-grace", "20"}, "grace 20s + 2s before the kubelet kills = 22s, but terminationGracePeriodSeconds is 20: make it 22, or the grace period 18s"},
		{map[string]string{"YADOKARI_POD_GRACE": "21"}, []string{"agent", "-c", with, "--", "app"}, "terminationGracePeriodSeconds is 21"},
		{nil, []string{"agent", "-c", file(t, "agent: {shutdown: {grace: 8s}}\n")}, "1:27: agent.shutdown.grace: the stop does not fit: deregister 5s + app 2.8s (35%) + reserve 800ms (10%) = 8.6s"},
		{nil, []string{"mail", "queue", "--limit", "0"}, "--limit 0"},
	} {
		code, out, err := yadokari(t, c.variables, c.args...)
		if code != 2 || out != "" || !strings.Contains(err, c.want) || strings.Count(err, "\n") != 1 {
			t.Errorf("%q: exit %d, out %q, err %q", c.args, code, out, err)
		}
	}
}

func TestPodName(t *testing.T) {
	for _, c := range []struct{ own, usual, want string }{{"a", "b", "a"}, {"", "b", "b"}, {"", "", ""}} {
		variables := map[string]string{"YADOKARI_POD": c.own, "POD_NAME": c.usual}
		if got := podName(&environment{getenv: func(name string) string { return variables[name] }}); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestAgentAsASidecar runs the verb with a context that ends at once: it starts, stops and leaves a receipt.
func TestAgentAsASidecar(t *testing.T) {
	var stdout, stderr bytes.Buffer
	env := &environment{in: strings.NewReader(""), out: &stdout, err: &stderr, getenv: func(string) string { return "" }}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := run(ctx, env, []string{"agent", "-c", file(t, agentFile), "--pod-grace", "22"}); code != 0 {
		t.Fatalf("exit %d, %s", code, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	var r lifecycle.Receipt
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil || r.Message != "receipt" || !r.Complete || r.Version == "" {
		t.Errorf("%v, %s", err, stdout.String())
	}
}

func TestShortfall(t *testing.T) {
	r := &lifecycle.Receipt{
		Parts:  []lifecycle.Account{{Unit: "mails", Lost: 1, LeftOver: 2, Where: "/spool"}},
		Phases: []lifecycle.Step{{Phase: "app", Outcome: lifecycle.Done}, {Phase: "mail", Outcome: lifecycle.CutShort}},
		Faults: []string{"x"},
	}
	if got := shortfall(r); got != "; 1 mails lost; 2 mails left over in /spool; phase mail cut short; x" {
		t.Error(got)
	}
	if got := shortfall(&lifecycle.Receipt{}); got != "" {
		t.Error(got)
	}
}

func TestArguments(t *testing.T) {
	for line, want := range map[string]string{
		"/usr/bin/yadokari check": "check", "/usr/sbin/sendmail -t -i": "sendmail -t -i", "sendmail": "sendmail", "mailq -v": "sendmail -bp -v", "": "",
	} {
		if got := arguments(strings.Fields(line)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q: %q", line, got)
		}
	}
}

// relay is a relay without a mail server, its queue behind an admin port.
func relay(t *testing.T, change func(c *mailrelay.Config)) (r *mailrelay.Relay, url string) {
	t.Helper()
	c := mailrelay.Config{}
	setting.Defaults(&c)
	c.Listen, c.Wait, c.Upstream.TLS = "127.0.0.1:0", 0, "off"
	c.Leftover.Dir = filepath.Join(t.TempDir(), "leftover")
	gone, err := net.Listen("tcp", "127.0.0.1:0") // a port where nobody answers
	if err != nil {
		t.Fatal(err)
	}
	c.Upstream.Address = gone.Addr().String()
	_ = gone.Close()
	if change != nil {
		change(&c)
	}
	if r, err = mailrelay.New(c, mailrelay.Options{}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(ended)
		_ = r.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	server := httptest.NewServer(r.Handler())
	t.Cleanup(server.Close)
	return r, server.URL
}

func sendOne(t *testing.T, relay, text string, args ...string) (int, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := &environment{in: strings.NewReader(text), out: &stdout, err: &stderr, getenv: func(name string) string {
		return map[string]string{"YADOKARI_RELAY": relay}[name]
	}}
	code := run(t.Context(), env, append([]string{"sendmail"}, args...))
	return code, stderr.String()
}

func TestSendmailAndTheQueue(t *testing.T) {
	r, url := relay(t, nil)
	for i := range 2 {
		text := fmt.Sprintf("To: ann%d@example.org\nSubject: waits\n\nx\n", i)
		if code, err := sendOne(t, r.Addr().String(), text, "-t", "-i", "-fapp@example.org"); code != 0 {
			t.Fatalf("exit %d, %s", code, err)
		}
	}
	mail := func(args ...string) (int, string, string) {
		return yadokari(t, map[string]string{"YADOKARI_AGENT_ADMIN": url}, append([]string{"mail"}, args...)...)
	}
	var list mailrelay.Listing
	code, out, err := mail("queue", "-o", "json")
	if json.Unmarshal([]byte(out), &list) != nil || code != 0 || list.Total != 2 || len(list.Mails) != 2 || list.Mails[0].From != "app@example.org" {
		t.Fatalf("exit %d, %s, %s", code, out, err)
	}
	if _, out, _ := mail("queue", "--limit", "1"); !strings.Contains(out, "1 of 2 mails") || !strings.Contains(out, list.Mails[0].ID) {
		t.Error(out)
	}
	waitFor(t, func() bool { // the mail may be with a worker that finds nobody
		code, out, err = mail("show", list.Mails[0].ID)
		return code == 0
	})
	if !strings.Contains(out, "<ann0@example.org>") || !strings.Contains(out, "Subject: waits") || strings.Contains(out, "\nx") {
		t.Errorf("exit %d, %s, %s", code, out, err)
	}
	if code, out, err := mail("flush"); code != 0 || !strings.Contains(out, "mails tried at once") {
		t.Errorf("exit %d, %s, %s", code, out, err)
	}
	if code, out, err := mail("flush", list.Mails[1].ID, "-o", "json"); code != 0 || !strings.Contains(out, `"flushed": 1`) {
		t.Errorf("exit %d, %s, %s", code, out, err)
	}
	waitFor(t, func() bool {
		code, out, err = mail("remove", list.Mails[0].ID)
		return code == 0
	})
	if out != "1 mails removed\n" {
		t.Error(out)
	}
	if code, _, err := mail("remove", list.Mails[0].ID); code != 1 || !strings.Contains(err, "there is no such mail in the queue") {
		t.Errorf("exit %d, %s", code, err)
	}
	if code, out, err := yadokari(t, map[string]string{"YADOKARI_AGENT_ADMIN": url}, "sendmail", "-bp"); code != 0 || !strings.Contains(out, "1 of 1 mails") {
		t.Errorf("-bp: exit %d, %s, %s", code, out, err)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(end) {
			t.Fatal("it does not come about")
		}
	}
}

// TestInjectTakesBackWhatWasLeft stops a relay without a mail server, and gives what it left to one that has one.
func TestInjectTakesBackWhatWasLeft(t *testing.T) {
	first, _ := relay(t, nil)
	if code, err := sendOne(t, first.Addr().String(), "Subject: waits\n\nx\n", "-f", "app@example.org", "ann@example.org"); code != 0 {
		t.Fatal(code, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	left := first.Drain(ctx)
	if left.Counts.Mails.LeftOver != 1 {
		t.Fatalf("%+v", left)
	}
	server, err := sink.Listen("127.0.0.1:0", sink.Script{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	_, memory := relay(t, nil)
	if code, out, err := yadokari(t, map[string]string{"YADOKARI_AGENT_ADMIN": memory}, "mail", "inject", left.Where); code != 1 || out != "0 mails taken back\n" || !strings.Contains(err, "set mail.spool") {
		t.Errorf("without a spool: exit %d, %s, %s", code, out, err)
	}
	_, url := relay(t, func(c *mailrelay.Config) { c.Upstream.Address, c.Spool = server.Addr(), t.TempDir() })
	variables := map[string]string{"YADOKARI_AGENT_ADMIN": url}
	if code, out, err := yadokari(t, variables, "mail", "inject", filepath.Dir(left.Where)); code != 0 || out != "1 mails taken back\n" {
		t.Errorf("exit %d, %s, %s", code, out, err)
	}
	waitFor(t, func() bool { return len(server.Mails()) == 1 })
	if code, out, err := yadokari(t, variables, "mail", "inject", filepath.Join(t.TempDir(), "none")); code != 1 || out != "0 mails taken back\n" || !strings.Contains(err, "no such file") {
		t.Errorf("exit %d, %s, %s", code, out, err)
	}
}

// TestInjectWaitsForRoom takes more mails back than the queue holds, and gives up when none of them leaves it.
func TestInjectWaitsForRoom(t *testing.T) {
	const mails = 5
	first, _ := relay(t, nil)
	for n := range mails {
		if code, err := sendOne(t, first.Addr().String(), "Subject: waits\n\nx\n", "-f", fmt.Sprintf("app%d@example.org", n), "ann@example.org"); code != 0 {
			t.Fatal(code, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	where := first.Drain(ctx).Where
	small := func(c *mailrelay.Config) { c.Spool, c.Queue.Messages = t.TempDir(), 2 }
	_, stuck := relay(t, small)
	code, out, err := yadokari(t, map[string]string{"YADOKARI_AGENT_ADMIN": stuck}, "mail", "inject", where, "-o", "json", "--wait", "1s")
	if code != 1 || !strings.Contains(out, `"taken": 2`) || !strings.Contains(err, "2 mails taken back so far") || !strings.Contains(out, `"full": true`) || !strings.Contains(err, "the queue is full") {
		t.Errorf("exit %d, %s, %s", code, out, err)
	}
	server, failed := sink.Listen("127.0.0.1:0", sink.Script{})
	if failed != nil {
		t.Fatal(failed)
	}
	t.Cleanup(server.Close)
	_, url := relay(t, func(c *mailrelay.Config) { small(c); c.Upstream.Address = server.Addr() })
	code, out, err = yadokari(t, map[string]string{"YADOKARI_AGENT_ADMIN": url}, "mail", "inject", where)
	if code != 0 || out != "3 mails taken back\n" {
		t.Errorf("exit %d, %s, %s", code, out, err)
	}
	waitFor(t, func() bool { return len(server.Mails()) == 3 })
}

// TestInjectRefusesOtherPlaces takes what is no place for wrong usage.
func TestInjectRefusesOtherPlaces(t *testing.T) {
	for _, where := range []string{"gs://mails/left", "s3://", "s3:///left", "https://mails.s3.amazonaws.com/left"} {
		if code, _, err := yadokari(t, nil, "mail", "inject", where); code != 2 || !strings.Contains(err, "s3://BUCKET/PREFIX") {
			t.Errorf("%s: exit %d, %s", where, code, err)
		}
	}
}

func TestMailWithoutAnAgent(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	for _, args := range [][]string{{"queue"}, {"show", "1"}, {"flush"}, {"remove", "1"}, {"inject", "/x"}} {
		code, out, err := yadokari(t, map[string]string{"YADOKARI_AGENT_ADMIN": server.URL}, append([]string{"mail"}, args...)...)
		if code != 1 || out != "" || !strings.Contains(err, "no answer from the admin port") {
			t.Errorf("%q: exit %d, %s, %s", args, code, out, err)
		}
	}
}

func TestRelayOf(t *testing.T) {
	for text, want := range map[string]string{
		"agent: {mail: {listen: \"127.0.0.1:26\", upstream: {address: \"mail:25\"}}}\n":                      "127.0.0.1:26",
		"agent: {mail: {listen: \"127.0.0.1:26\", socket: /run/y.sock, upstream: {address: \"mail:25\"}}}\n": "/run/y.sock",
		"agent: {}\n": "127.0.0.1:2525", "nonsense\n": "127.0.0.1:2525",
	} {
		if got := relayOf(&environment{config: file(t, text), getenv: func(string) string { return "" }}); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
