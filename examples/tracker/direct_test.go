package tracker

import (
	"net/http"
	"net/http/httptest"
	"net/url"
)

// direct is a transport that calls a handler, with no network in between.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	response := w.Result()
	response.Request = r
	return response, nil
}

// oneCookie is a jar that always has this session and takes nothing.
type oneCookie string

func (oneCookie) SetCookies(*url.URL, []*http.Cookie) {}

func (c oneCookie) Cookies(*url.URL) []*http.Cookie {
	return []*http.Cookie{{Name: SessionCookie, Value: string(c)}}
}
