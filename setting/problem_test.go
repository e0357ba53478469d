package setting

import (
	"errors"
	"fmt"
	"testing"
)

func TestProblemNamesPlaceFaultAndRemedy(t *testing.T) {
	for _, c := range []struct {
		problem *Problem
		want    string
	}{
		{&Problem{Path: Path{"routes", 1, "match", 0}, What: "is empty", Remedy: "add one"}, "routes[1].match[0]: is empty (add one)"},
		{&Problem{What: "is empty"}, "is empty"},
		{(&Problem{Path: Path{"hold"}, What: "w"}).Under("gateway", "routes", 0, "shift"), "gateway.routes[0].shift.hold: w"},
		{(&Problem{What: "w"}).Under("gateway"), "gateway: w"},
		{&Problem{Path: Path{"backends", "a.b\n", "servers", 0}, What: "w"}, `backends["a.b\n"].servers[0]: w`},
		{&Problem{Path: Path{""}, What: "w"}, `[""]: w`},
	} {
		if got := c.problem.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestUnderLeavesTheOriginalAlone(t *testing.T) {
	prefix := make([]any, 1, 8)
	prefix[0] = "a"
	one, two := (&Problem{Path: Path{"x"}}).Under(prefix...), (&Problem{Path: Path{"y"}}).Under(prefix...)
	if one.Path.String() != "a.x" || two.Path.String() != "a.y" {
		t.Errorf("got %s and %s", one.Path, two.Path)
	}
}

func TestUnderReachesEveryProblem(t *testing.T) {
	one, two := &Problem{Path: Path{"a"}, What: "w"}, &Problem{Path: Path{"b"}, What: "w"}
	err := Under(errors.Join(one, errors.Join(fmt.Errorf("wrapped: %w", two), errors.New("plain"))), "top", 3)
	want := "top[3].a: w\ntop[3].b: w\ntop[3]: plain"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if Under(nil, "top") != nil || Problems(nil) != nil {
		t.Error("no error became one")
	}
}
