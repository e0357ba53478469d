package replay

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"yadokari/judge"
	"yadokari/setting"
)

// times is how many splits of each log there are: 1000 for the promise itself.
var times = flag.Int("times", 4, "splits of each log")

// TestSplits: logs of four kinds of sites, split by key, are condemned at most as often as chance allows.
func TestSplits(t *testing.T) {
	for name, write := range map[string]func(uint64) *site{"shop": shop, "intranet": intranet, "API": api, "blog": blog} {
		for _, share := range []setting.Share{0.05, 0.5} {
			t.Run(name+" "+share.String(), func(t *testing.T) {
				t.Parallel()
				var log Log
				if err := log.Read(name, write(1).log()); err != nil || log.Bad > 0 {
					t.Fatalf("%v, %d bad lines: %s", err, log.Bad, log.FirstBad)
				}
				c := judge.Criteria{Share: share, Alpha: 0.05, Breaker: 5}
				setting.Defaults(&c.Tolerance)
				r, err := log.Split(t.Context(), c, *times, 1, nil)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d requests of %d users, %d failed, in %v: %d of %d condemned %v %s",
					log.Requests(), log.Users(), log.Failures(), log.Span(), r.Condemned, r.Times, r.Signals, r.Example)
				if most := max(*times/8, 3); r.Condemned > most {
					t.Errorf("%d of %d condemned %v: %s", r.Condemned, r.Times, r.Signals, r.Example)
				}
			})
		}
	}
}

// TestSplitSeesWhatIsWorse: a log in which one half of the users fail does not tell of sides, but a split that is no
// lot does: the users of the new side are those who fail.
func TestSplitSeesWhatIsWorse(t *testing.T) {
	var log Log
	if err := log.Read("api", api(1).log()); err != nil {
		t.Fatal(err)
	}
	c := judge.Criteria{Share: 0.5, Alpha: 0.05}
	setting.Defaults(&c.Tolerance)
	seed := mix(1)
	for i := range log.entries {
		e := &log.entries[i]
		e.failed = float64(mix(seed+uint64(e.user)*0x9e3779b97f4a7c15)>>11)/(1<<53) < 0.5
	}
	if v := log.judge(c, seed); v.Outcome == judge.Pass {
		t.Errorf("passed: %s", v.Reason)
	}
}

func TestReadCountsWhatItCannotUnderstand(t *testing.T) {
	good := `192.0.2.1 - bob [27/Nov/2026:22:45:48 +0000] "GET /a HTTP/1.1" 200 512`
	keyless := strings.Replace(good, "bob", "-", 1)
	log := Log{Key: User}
	text := good + "\r\n\nnonsense\n" + keyless + "\n" + strings.Repeat("x", longestLine+10) + "\n" + good
	if err := log.Read("a.log", iotest.OneByteReader(strings.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	if log.Lines != 5 || log.Bad != 2 || log.Keyless != 1 || log.Requests() != 2 || log.Users() != 1 || !strings.HasPrefix(log.FirstBad, "a.log, line 3: ") {
		t.Errorf("got %+v", log)
	}
	broken := errors.New("broken")
	err := log.Read("b.log", io.MultiReader(strings.NewReader(good+"\n"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "b.log, line 2: ") {
		t.Errorf("got %v", err)
	}
}
