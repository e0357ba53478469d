package setting

import "testing"

func TestWebURL(t *testing.T) {
	for text, want := range map[string]bool{
		"http://host": true, "https://host:90/path": true, "https://user:secret@host": true, "http://[::1]:90": true,
		"": false, "host:90": false, "//host": false, "ftp://host": false, "javascript:alert(1)": false, "http://": false, "http://:80": false,
		"http://host?q=1": false, "http://host#top": false, "http://ho st": false,
	} {
		if u, ok := WebURL(text); ok != want || ok && u.String() != text {
			t.Errorf("WebURL(%q) = %v, %v; want %v", text, u, ok, want)
		}
	}
}
