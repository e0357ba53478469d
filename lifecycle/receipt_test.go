package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func account(in, out, left int64) Account {
	return Account{Part: "mail", Unit: "mails", In: map[string]int64{"accepted": in, "recovered": 0}, Out: map[string]int64{"delivered": out, "bounced": 0}, LeftOver: left}
}

func TestSeal(t *testing.T) {
	done := []Step{{Phase: "app", Outcome: Done}}
	lost := account(5, 5, 0)
	lost.Lost = 1
	fault := account(5, 5, 0)
	fault.Faults = []string{"the disk is full"}
	for name, c := range map[string]struct {
		receipt Receipt
		exit    int
		level   string
	}{
		"all is well":            {Receipt{Phases: done, Parts: []Account{account(5, 5, 0)}}, 0, "INFO"},
		"nothing at all":         {Receipt{}, 0, "INFO"},
		"left over":              {Receipt{Phases: done, Parts: []Account{account(5, 3, 2)}}, ExitLeftOver, "WARN"},
		"sums do not add up":     {Receipt{Phases: done, Parts: []Account{account(5, 3, 1)}}, ExitLost, "ERROR"},
		"lost":                   {Receipt{Phases: done, Parts: []Account{lost}}, ExitLost, "ERROR"},
		"lost and left over":     {Receipt{Phases: done, Parts: []Account{account(5, 3, 2), lost}}, ExitLost, "ERROR"},
		"app failed":             {Receipt{Phases: done, App: &AppEnd{Exit: &Exit{Code: 3}}}, 3, "INFO"},
		"app failed, left over":  {Receipt{Phases: done, App: &AppEnd{Exit: &Exit{Code: 3}}, Parts: []Account{account(2, 1, 1)}}, ExitLeftOver, "WARN"},
		"phase cut short":        {Receipt{Phases: []Step{{Phase: "app", Outcome: CutShort}}}, ExitFailed, "WARN"},
		"phase cut short, app's": {Receipt{Phases: []Step{{Phase: "app", Outcome: CutShort}}, App: &AppEnd{Exit: &Exit{Code: 137}}}, 137, "INFO"},
		"fault of a part":        {Receipt{Phases: done, Parts: []Account{fault}}, ExitFailed, "WARN"},
		"fault":                  {Receipt{Phases: done, Faults: []string{"x"}}, ExitFailed, "WARN"},
	} {
		r := c.receipt
		r.Seal(time.Unix(1, 0))
		complete := c.exit == 0 || name == "app failed"
		if r.Exit != c.exit || r.Level != c.level || r.Complete != complete || r.Message != "receipt" {
			t.Errorf("%s: %+v", name, r)
		}
		if name == "sums do not add up" && (len(r.Faults) != 1 || r.Faults[0] != "mail: 5 mails came in, but 3 went out and 1 are left over") {
			t.Error(r.Faults)
		}
	}
}

// large is a receipt with long texts in every place.
func large() *Receipt {
	long := strings.Repeat("ä long tale, ", 200)
	r := &Receipt{Host: long, Version: long, Reason: long, App: &AppEnd{Words: long, Exit: &Exit{Code: 3}}, Faults: []string{long, long, long, long, long, long}}
	for range 5 {
		a := account(9, 7, 2)
		a.Where, a.Detail, a.Faults = "/var/spool/yadokari/leftover/host-1", []string{long}, []string{long}
		r.Parts = append(r.Parts, a)
		r.Phases = append(r.Phases, Step{Phase: "done", Outcome: Done, Error: long}, Step{Phase: "mail", Outcome: CutShort, Error: long})
	}
	r.Seal(time.Unix(1, 0))
	return r
}

func TestShort(t *testing.T) {
	r := large()
	if n := len(r.Line()); n < 30000 {
		t.Fatal(n)
	}
	for limit := 300; limit < 60000; limit += 97 {
		line := r.Short(limit)
		var got Receipt
		if err := json.Unmarshal(line, &got); err != nil || len(line) > limit || !bytes.HasSuffix(line, []byte("\n")) {
			t.Fatalf("%d: %d bytes, %v", limit, len(line), err)
		}
		if got.Exit != ExitLeftOver || got.Complete || got.Cut != (len(r.Line()) > limit) {
			t.Fatalf("%d: %+v", limit, got)
		}
		if limit >= MaxTermination { // what is left over and where survives
			for _, a := range got.Parts {
				if a.LeftOver != 2 || a.Where != r.Parts[0].Where || a.Check() != nil {
					t.Fatalf("%d: %+v", limit, a)
				}
			}
			if len(got.Parts) != 5 || len(got.Phases) < 5 {
				t.Fatalf("%d: %+v", limit, got)
			}
		}
	}
	if got := r.Short(20); got != nil {
		t.Errorf("%s", got)
	}
	small := &Receipt{}
	small.Seal(time.Unix(1, 0))
	if line := small.Short(MaxTermination); !bytes.Equal(line, small.Line()) {
		t.Errorf("%s", line)
	}
}

func TestLineWithADetailThatCannotBeWritten(t *testing.T) {
	r := &Receipt{Parts: []Account{{Part: "mail", Detail: make(chan int)}}}
	r.Seal(time.Unix(1, 0))
	var got Receipt
	if err := json.Unmarshal(r.Line(), &got); err != nil || len(got.Parts) != 1 || len(got.Faults) != 1 {
		t.Errorf("%v, %s", err, r.Line())
	}
}

func TestDeliver(t *testing.T) {
	dir := t.TempDir()
	file, termination := filepath.Join(dir, "receipt.json"), filepath.Join(dir, "termination-log")
	var out bytes.Buffer
	r := large()
	if err := r.Deliver(&out, file, termination); err != nil { // on a VM
		t.Fatal(err)
	}
	if _, err := os.Stat(termination); !errors.Is(err, os.ErrNotExist) {
		t.Error("a termination message was made where nobody reads it")
	}
	if err := os.WriteFile(termination, bytes.Repeat([]byte("x"), 9000), 0o644); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := r.Deliver(&out, file, termination); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(written, r.Line()) || !bytes.Equal(out.Bytes(), r.Line()) {
		t.Error(err, len(written), out.Len())
	}
	short, err := os.ReadFile(termination)
	if err != nil || len(short) > MaxTermination || !json.Valid(short) {
		t.Error(err, len(short))
	}
	if err := r.Deliver(broken{}, filepath.Join(dir, "none", "r"), dir); err == nil || strings.Count(err.Error(), "receipt:") != 3 {
		t.Error(err)
	}
}

// TestDeliverDoesNotWaitForStdout: nobody may read it any more, while the file and the message are what is left.
func TestDeliverDoesNotWaitForStdout(t *testing.T) {
	dir := t.TempDir()
	file, termination := filepath.Join(dir, "receipt.json"), filepath.Join(dir, "termination-log")
	if err := os.WriteFile(termination, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := large()
	stdout := writer(func(line []byte) (int, error) {
		for _, name := range []string{file, termination} {
			if info, err := os.Stat(name); err != nil || info.Size() == 0 {
				t.Errorf("%s is not written before stdout: %v", name, err)
			}
		}
		return len(line), nil
	})
	if err := r.Deliver(stdout, file, termination); err != nil {
		t.Error(err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no one reads") }
