package shift

import (
	"errors"
	"strings"
	"testing"

	"yadokari/setting"
)

func TestParseStages(t *testing.T) {
	for _, c := range []struct {
		names string
		want  string // the stages, or the error's beginning
	}{
		{"mirror 1% 5% 100%", "mirror 1% 5% 100%"},
		{"100%", "100%"},
		{"0.01% 100%", "0.01% 100%"},
		{"", "stages: no stage is named"},
		{"mirror", "stages[0]: the last stage is mirror (end with 100%)"},
		{"1% 50%", "stages[1]: the last stage is 50% (end with 100%)"},
		{"1% mirror 100%", "stages[1]: mirror is not the first stage"},
		{"mirror mirror 100%", "stages[1]: mirror is not the first stage"},
		{"5% 5% 100%", "stages[1]: the share 5% does not grow: before it comes 5%"},
		{"50% 5% 100%", "stages[1]: the share 5% does not grow: before it comes 50%"},
		{"0% 100%", "stages[0]: a stage of 0% moves nobody"},
		{"5 100%", `stages[0]: "5" is not a stage`},
		{"101%", `stages[0]: "101%" is not a stage`},
		{"NaN%", `stages[0]: "NaN%" is not a stage`},
	} {
		stages, err := ParseStages(strings.Fields(c.names))
		var got []string
		for _, s := range stages {
			got = append(got, s.Name)
		}
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
			var problem *setting.Problem
			if !errors.As(err, &problem) || problem.Remedy == "" {
				t.Errorf("%s: %v is no problem with a remedy", c.names, err)
			}
		}
		if !strings.HasPrefix(text, c.want) {
			t.Errorf("%s: %s, want %s", c.names, text, c.want)
		}
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	if err := testConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	c := &Config{Stages: []string{"5%"}, Hold: -1, Promote: "maybe", Breaker: -1, Linger: -1}
	err := c.Validate()
	for _, key := range []string{"stages[0]: ", "hold: ", "minRequests: ", "promote: ", "alpha: ", "breaker: ", "linger: "} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("no problem with %s in %v", key, err)
		}
	}
}
