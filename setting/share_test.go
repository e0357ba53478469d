package setting

import (
	"errors"
	"math"
	"testing"
)

func TestShare(t *testing.T) {
	for text, want := range map[string]Share{
		"0%": 0, "5%": 0.05, "0.1%": 0.001, "100%": 1, " 25 % ": 0.25, ".5%": 0.005, "100.0%": 1, "007%": 0.07,
	} {
		var got Share
		if err := got.UnmarshalText([]byte(text)); err != nil || math.Abs(float64(got-want)) > 1e-15 {
			t.Errorf("%q: got %v, %v; want %v", text, float64(got), err, float64(want))
		}
	}
}

func TestShareRefuses(t *testing.T) {
	for _, text := range []string{
		"", "%", "5", "0.05", "-1%", "-0%", "+5%", "100.1%", "101%", "1e1%", "0x1p1%", "NaN%", "Inf%", "5%%", "1_0%", "5 percent", "1.2.3%",
	} {
		got := Share(0.5)
		err := got.UnmarshalText([]byte(text))
		var p *Problem
		if !errors.As(err, &p) || p.Remedy == "" || got != 0.5 {
			t.Errorf("%q: got %v, %v; want a problem with a remedy and the value untouched", text, float64(got), err)
		}
	}
}

func TestShareString(t *testing.T) {
	for share, want := range map[Share]string{
		0: "0%", 0.001: "0.1%", 0.05: "5%", 0.07: "7%", 0.29: "29%", 1.0 / 3: "33.3333333333%", 1: "100%", 0.1 + 0.2: "30%", 1e-9: "0.0000001%",
	} {
		if got := share.String(); got != want {
			t.Errorf("%v: got %s, want %s", float64(share), got, want)
		}
	}
}

func FuzzShare(f *testing.F) {
	for _, seed := range []string{"0%", "5%", "0.1%", "100%", "5", "-1%", "NaN%", " 7 %", "1e1%", "33.3333333333%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var share, again Share
		if share.UnmarshalText([]byte(text)) != nil {
			return
		}
		if !(share >= 0 && share <= 1) {
			t.Fatalf("%q is %v", text, float64(share))
		}
		if err := again.UnmarshalText([]byte(share.String())); err != nil || math.Abs(float64(again-share)) > 1e-12 {
			t.Fatalf("%q is written %s, read back as %v: %v", text, share, float64(again), err)
		}
	})
}
