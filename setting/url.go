package setting

import "net/url"

// WebURL parses the URL of a server or a page: http or https, with a host, and without query and fragment. ok is false if text is
// something else. Whether it may hold a user's name is for the caller to say.
func WebURL(text string) (u *url.URL, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, false
	}
	return u, true
}
