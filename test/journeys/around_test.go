package journeys

import (
	"net/http"
	"strings"
	"testing"
)

func tail(text string, most int) string {
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}

// must ends the test on an error of its own making.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// order tells a witness how to answer.
func order(t *testing.T, control, mode string) {
	t.Helper()
	r := must[*http.Request](t)(http.NewRequest(http.MethodPut, "http://"+control+"/mode", strings.NewReader(mode)))
	answer := must[*http.Response](t)(http.DefaultClient.Do(r))
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("order %q: %s", mode, answer.Status)
	}
}
