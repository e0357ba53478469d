package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"yadokari/judge/simulate"
)

const small = `
about: few
share: 50%
users: {number: 40, rate: 10}
length: 20s
`

func TestSimulate(t *testing.T) {
	worse := file(t, small+"worse: {fails: 100%}\n")
	code, out, stderr := yadokari(t, nil, "judge", "simulate", "--scenario", file(t, small), "--runs", "20", "--alpha", "0.1%", "--alpha", "5%", "-o", "json")
	var reports []simulate.Report
	if err := json.Unmarshal([]byte(out), &reports); code != 0 || err != nil {
		t.Fatalf("exit %d, %v, %s", code, err, stderr)
	}
	if r := reports[0]; !r.Same || r.Stages != 20 || len(r.Levels) != 2 || r.Levels[1].Alpha != 0.05 || r.Levels[1].Condemned > r.Levels[1].Allowed {
		t.Errorf("got %+v", r)
	}
	code, out, stderr = yadokari(t, nil, "judge", "simulate", "--scenario", worse, "--runs", "5", "-o", "json")
	if err := json.Unmarshal([]byte(out), &reports); code != 0 || err != nil {
		t.Fatalf("exit %d, %v, %s", code, err, stderr)
	}
	if r := reports[0]; r.Same || r.Levels[0].Condemned != 5 || r.Levels[0].Requests.Median < 1 {
		t.Errorf("got %+v", r)
	}
	code, out, _ = yadokari(t, nil, "judge", "simulate", "--scenario", worse, "--runs", "5")
	if code != 0 || !strings.Contains(out, "CHANCE ALLOWS") || !strings.Contains(out, "breaker 5") {
		t.Errorf("exit %d, %s", code, out)
	}
}

func TestExcess(t *testing.T) {
	r := &simulate.Report{Scenario: "odd", Same: true, Levels: []simulate.Level{{Condemned: 2, Allowed: 1}}}
	if err := excess([]*simulate.Report{r}); err == nil || !strings.Contains(err.Error(), "odd") {
		t.Errorf("got %v", err)
	}
	r.Same = false
	if err := excess([]*simulate.Report{r}); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestSimulateRefuses(t *testing.T) {
	typo := file(t, "\nusers: {nmuber: 5}\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"simulate"}, "name a scenario with --scenario"},
		{[]string{"simulate", "--scenario", "crawlr"}, "did you mean crawler?"},
		{[]string{"simulate", "--scenario", "none.yaml"}, "no such file"},
		{[]string{"simulate", "--scenario", typo}, ":2:9: users.nmuber: unknown key (did you mean number?)"},
		{[]string{"simulate", "--scenario", file(t, "users: {number: 0}\n")}, ":1:17: users.number: 0 is out of range (write 1 to 1000000)"},
		{[]string{"simulate", "--scenario", "zipf", "--alpha", "5"}, "--alpha"},
		{[]string{"simulate", "--scenario", "zipf", "--alpha", "100%"}, "less than 100%"},
		{[]string{"simulate", "--scenario", "zipf", "--runs", "0"}, "--runs 0"},
		{[]string{"scenarios", "--print", "crawlr"}, "did you mean crawler?"},
		{[]string{"replay"}, "requires at least 1 arg"},
		{[]string{"replay", "/none.log"}, "no such file"},
		{[]string{"replay", typo, "--share", "0%"}, "--share"},
		{[]string{"replay", typo, "--alpha", "0%"}, "--alpha"},
		{[]string{"replay", typo, "--times", "0"}, "--times"},
		{[]string{"replay", typo, "--key", "shoe"}, "known are client+agent, client, user"},
	} {
		code, out, err := yadokari(t, nil, append([]string{"judge"}, c.args...)...)
		if code != 2 || out != "" || strings.Count(err, "\n") != 1 || !strings.Contains(err, c.want) {
			t.Errorf("%q: exit %d, out %q, err %q", c.args, code, out, err)
		}
	}
	if code, _, err := yadokari(t, nil, "judge", "replay", typo); code != 1 || !strings.Contains(err, "line 2: neither the common") {
		t.Errorf("exit %d, %q", code, err)
	}
}

func TestScenarios(t *testing.T) {
	code, out, _ := yadokari(t, nil, "judge", "scenarios", "-o", "json")
	var list []scenarioLine
	if err := json.Unmarshal([]byte(out), &list); code != 0 || err != nil || len(list) < 12 {
		t.Fatalf("exit %d, %v, %s", code, err, out)
	}
	for _, s := range list {
		if !strings.HasSuffix(s.About, ".") {
			t.Errorf("%s: %q says nothing", s.Name, s.About)
		}
	}
	code, out, _ = yadokari(t, nil, "judge", "scenarios", "--print", "crawler")
	if _, err := loadScenario(file(t, out)); code != 0 || err != nil {
		t.Errorf("exit %d, %v", code, err)
	}
	code, out, _ = yadokari(t, nil, cobra.ShellCompNoDescRequestCmd, "judge", "scenarios", "--print", "")
	if got := strings.Fields(out); code != 0 || !slices.Contains(got, "crawler") {
		t.Errorf("completion: exit %d, %q", code, out)
	}
}

func TestReplay(t *testing.T) {
	var text strings.Builder
	for i := range 3000 {
		status := 200
		if i%50 == 7 {
			status = 500
		}
		fmt.Fprintf(&text, "192.0.2.%d - - [27/Nov/2026:22:%02d:%02d +0000] \"GET /%d HTTP/1.1\" %d 9 \"-\" \"x\" 0.%03d\n", i%200, i/60, i%60, i, status, i%100)
	}
	text.WriteString("odd\n")
	path := filepath.Join(t.TempDir(), "access.log.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write([]byte(text.String())); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := yadokari(t, nil, "judge", "replay", path, "--share", "25%", "--times", "20", "-o", "json")
	var r replayed
	if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil || r.Lines != 3001 || r.Bad != 1 || r.Users != 200 || r.Failures != 60 || r.Times != 20 {
		t.Fatalf("exit %d, %v, %+v, %s", code, err, r, stderr)
	}
	code, out, _ = yadokari(t, nil, "judge", "replay", path, "--times", "3")
	if code != 0 || !strings.Contains(out, "3000 requests of 200 users within 49m59s, 60 of them failed") || !strings.Contains(out, "1 of 3001 lines could not be understood") {
		t.Errorf("exit %d, %s", code, out)
	}
}
