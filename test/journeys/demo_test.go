package journeys

import (
	"bytes"
	"encoding/json"
	"maps"
	"os/exec"
	"strings"
	"testing"
)

// TestDemo gives the demonstration as a newcomer does, and wants what README says of it.
func TestDemo(t *testing.T) {
	var result, story bytes.Buffer
	c := exec.CommandContext(t.Context(), program("yadokari"), "demo", "-o", "json")
	c.Stdout, c.Stderr = &result, &story
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, story.String())
	}
	var sums struct {
		Requests, Failures, Fallbacks, WritesLost, WritesDoubled int64
		Routes                                                   map[string]string
	}
	if err := json.Unmarshal(result.Bytes(), &sums); err != nil {
		t.Fatalf("%v: %s", err, result.String())
	}
	if sums.Requests < 1000 || sums.Failures+sums.WritesLost+sums.WritesDoubled > 0 || sums.Fallbacks == 0 {
		t.Errorf("%+v\n%s", sums, story.String())
	}
	if want := map[string]string{"wiki": "done", "issues": "rolled-back", "board": "rolled-back"}; !maps.Equal(sums.Routes, want) {
		t.Errorf("got %v, want %v", sums.Routes, want)
	}
	if !strings.Contains(story.String(), "0 failures that users saw") {
		t.Errorf("the story does not end with the sums:\n%s", story.String())
	}
	t.Log(story.String())
}
