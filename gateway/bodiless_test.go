package gateway

import (
	"io"
	"net/http"
	"testing"
	"time"

	"yadokari/setting"
)

// Answers without a body are whole, by either protocol, from either side, held back or not.
func TestAnswersWithoutABody(t *testing.T) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
		r := newRig(t, func(c *Config) { c.H2C = true })
		protocols := new(http.Protocols)
		protocols.SetHTTP1(version == "HTTP/1.1")
		protocols.SetUnencryptedHTTP2(version == "HTTP/2")
		user := &http.Client{Transport: &http.Transport{Protocols: protocols}, Timeout: 5 * time.Second}
		for _, share := range []setting.Share{0, 1} {
			r.share(share)
			for _, ask := range []struct {
				method string
				status int
			}{{"GET", 304}, {"GET", 204}, {"HEAD", 200}, {"HEAD", 304}, {"OPTIONS", 204}, {"PUT", 204}, {"DELETE", 204}, {"POST", 204}, {"GET", 205}} {
				answers := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(ask.status) }
				r.old.does(answers)
				r.new.does(answers)
				q, err := http.NewRequestWithContext(t.Context(), ask.method, r.base, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := user.Do(q)
				if err != nil {
					t.Errorf("%s, share %s: %s that is answered %d: %v", version, share, ask.method, ask.status, err)
					continue
				}
				_, err = io.ReadAll(resp.Body)
				if _ = resp.Body.Close(); err != nil || resp.StatusCode != ask.status || resp.Proto[:6] != version[:6] {
					t.Errorf("%s, share %s: %s got %s %d in place of %d, %v", version, share, ask.method, resp.Proto, resp.StatusCode, ask.status, err)
				}
			}
		}
		user.CloseIdleConnections()
		if w := r.window(); w.New.Requests != 9 || w.New.Failures != 0 || w.Fallbacks != 0 {
			t.Errorf("%s: %d requests on the new side, %d failures", version, w.New.Requests, w.New.Failures)
		}
	}
}
