package browse

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"yadokari/examples/tracker"
)

// visit is one activity of a user, which can need several requests.
type visit struct {
	ctx      context.Context
	activity Activity
}

// request is what is asked, and what a good answer is.
type request struct {
	method, path string
	body         io.Reader
	length       int64
	header       map[string]string
	want         []int // statuses
	anonymous    bool  // the answer need not name the user
	raw          bool  // the body is hashed, not kept
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte // of a page, at most maxPage
	sha256 string // of a raw body
}

const maxPage = 16 << 20

// formPost makes a request that sends a form.
func formPost(path string, values url.Values, want ...int) request {
	text := values.Encode()
	return request{
		method: http.MethodPost, path: path, body: strings.NewReader(text), length: int64(len(text)),
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, want: want,
	}
}

// page makes a request that reads a page.
func page(path string) request {
	return request{method: http.MethodGet, path: path, want: []int{http.StatusOK}}
}

// send makes a request, judges the answer, and counts it. It is false after a failure.
func (u *user) send(v *visit, q request) (answer, bool) { return u.sendAndCheck(v, q, nil) }

// sendAndCheck is send with one more look at a good answer: check says what is wrong with it, or nothing.
func (u *user) sendAndCheck(v *visit, q request, check func(answer) string) (answer, bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.ctx), u.load.config.Timeout)
	defer cancel()
	u.requests++
	id := fmt.Sprintf("%s.%d", u.name, u.requests)
	begun := time.Now()
	o := outcome{activity: v.activity}
	got, kind, err := u.exchange(ctx, q, id, &o)
	if err == nil && check != nil {
		if wrong := check(got); wrong != "" {
			kind, err = Content, errors.New(wrong)
		}
	}
	o.took = time.Since(begun)
	if err != nil {
		o.failure = &Failure{time.Now(), v.activity, u.name, q.method + " " + q.path, kind, o.build, err.Error()}
	}
	if o.answered {
		last, known := u.builds[v.activity]
		o.switched = known && last != o.build
		u.builds[v.activity] = o.build
	}
	u.load.record.add(o)
	return got, err == nil
}

func (u *user) exchange(ctx context.Context, q request, id string, o *outcome) (answer, FailureKind, error) {
	var connections atomic.Int64
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connections.Add(1) },
	})
	r, err := http.NewRequestWithContext(ctx, q.method, u.load.config.URL+q.path, q.body)
	if err != nil {
		return answer{}, Transport, err
	}
	if q.body != nil {
		r.ContentLength = q.length
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	r.Header.Set(tracker.HeaderRequest, id)
	response, err := u.client.Do(r)
	o.resent = max(connections.Load()-1, 0)
	if err != nil {
		return answer{}, Transport, err
	}
	defer response.Body.Close()
	got := answer{status: response.StatusCode, header: response.Header}
	o.build, o.answered = response.Header.Get(tracker.HeaderBuild), true
	if err := got.read(response.Body, q.raw); err != nil {
		return got, Truncated, err
	}
	kind, err := u.judge(q, id, got)
	return got, kind, err
}

// read reads the body to its end: half an answer is a failure.
func (a *answer) read(body io.Reader, raw bool) (err error) {
	if raw {
		hash := sha256.New()
		_, err = io.Copy(hash, body)
		a.sha256 = hex.EncodeToString(hash.Sum(nil))
		return err
	}
	a.body, err = io.ReadAll(io.LimitReader(body, maxPage+1))
	if err == nil && len(a.body) > maxPage {
		err = fmt.Errorf("a page of more than %d bytes", maxPage)
	}
	return err
}

// judge says what a user would hold against an answer that came whole.
func (u *user) judge(q request, id string, got answer) (FailureKind, error) {
	if !wanted(q.want, got.status) {
		return Status, errors.New("status " + strconv.Itoa(got.status))
	}
	if echo := got.header.Get(tracker.HeaderRequest); echo != id {
		return Mixed, fmt.Errorf("the answer to request %q", echo)
	}
	if name := got.header.Get(tracker.HeaderUser); !q.anonymous && name != u.name {
		u.loggedIn = false
		return Session, fmt.Errorf("the answer for user %q", name)
	}
	if got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		return "", nil
	}
	if !bytes.HasSuffix(bytes.TrimSpace(got.body), []byte("</html>")) {
		return Truncated, errors.New("the page has no end")
	}
	path, _, _ := strings.Cut(q.path, "?")
	if !bytes.Contains(got.body, []byte(`data-path="`+path+`"`)) {
		return Mixed, errors.New("the page is another one")
	}
	if !q.anonymous && !bytes.Contains(got.body, []byte(`data-user="`+u.name+`"`)) {
		u.loggedIn = false
		return Session, errors.New("the page is another user's")
	}
	return "", nil
}

func wanted(want []int, status int) bool {
	for _, w := range want {
		if w == status {
			return true
		}
	}
	return false
}
