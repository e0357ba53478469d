package setting

import "testing"

func TestIsName(t *testing.T) {
	for _, name := range []string{"wiki", "Wiki-2", "a_b.c", "...", "7"} {
		if !IsName(name) {
			t.Errorf("%q is no name", name)
		}
	}
	for _, name := range []string{"", ".", "..", "a b", "a/b", "ä", "a\n", "(unmatched)"} {
		if IsName(name) {
			t.Errorf("%q is a name", name)
		}
	}
}
