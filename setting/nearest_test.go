package setting

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"listen", "limits", "backends", "routes", "minRequests", "to"}
	for word, want := range map[string]string{
		"lisen": "listen", "backend": "backends", "minrequests": "minRequests", "MINREQUESTS": "minRequests",
		"route": "routes", "colour": "", "": "", "x": "", "frobnicationless": "", "too": "to",
		"nmae": "", "sihft": "", "ruotes": "routes", "bäckends": "backends", "lsiten": "listen", "ot": "to",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"nmae", "name", 1}, {"ca", "abc", 3},
		{"abcd", "badc", 2}, {"é", "e", 1}, {"same", "same", 0},
	} {
		if got := distance([]rune(c.a), []rune(c.b)); got != c.want {
			t.Errorf("%q to %q: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
