package firehose

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yadokari/cloud"
	"yadokari/logshipper/firehose/firehosetest"
)

func sender(t *testing.T, server http.RoundTripper) *Sender {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	s, err := New(context.Background(), Config{Stream: "audit", Access: cloud.Access{Region: "ap-northeast-1", Timeout: 10 * time.Second}}, server)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func numbered(n, size int) (records [][]byte) {
	for i := range n {
		r := bytes.Repeat([]byte{'x'}, size)
		copy(r, fmt.Sprintf("%d ", i))
		records = append(records, r)
	}
	return records
}

func TestSendKeepsTheLimits(t *testing.T) {
	for _, c := range []struct{ records, size, calls int }{
		{1, 10, 1}, {500, 10, 1}, {501, 10, 2}, {3, MostRecord, 1}, {4, MostRecord, 2}, {7, MostRecord, 3}, {500, 8 << 10, 2},
	} {
		server := &firehosetest.Server{}
		left, err := sender(t, server).Send(context.Background(), numbered(c.records, c.size))
		if err != nil || len(left) != 0 {
			t.Errorf("%+v: %d left: %v", c, len(left), err)
		}
		if calls, taken := server.Calls(); calls != c.calls || taken != int64(c.records*c.size) {
			t.Errorf("%+v: %d calls, %d bytes", c, calls, taken)
		}
	}
}

func TestSendReturnsExactlyWhatFailed(t *testing.T) {
	server := &firehosetest.Server{Script: func(call int, records [][]byte) firehosetest.Reply {
		return firehosetest.Reply{Fail: []int{1, len(records) - 1}, Error: "ServiceUnavailableException"}
	}}
	left, err := sender(t, server).Send(context.Background(), numbered(501+3, 10))
	var got []string
	for _, r := range left {
		number, _, _ := strings.Cut(string(r), " ")
		got = append(got, number)
	}
	if fmt.Sprint(got) != "[1 499 501 503]" {
		t.Errorf("left: %v", got)
	}
	if err == nil || !strings.Contains(err.Error(), "ServiceUnavailableException") {
		t.Errorf("the error does not say why: %v", err)
	}
	if n := len(server.Records()); n != 500 {
		t.Errorf("%d records were taken", n)
	}
}

func TestSendSurvivesFaults(t *testing.T) {
	for name, reply := range map[string]firehosetest.Reply{
		"throttled": {Status: 400, Error: "ServiceUnavailableException"},
		"503":       {Status: 503, Error: "ServiceUnavailableException"},
		"no such":   {Status: 400, Error: "ResourceNotFoundException"},
		"hangs":     {Hang: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := sender(t, &firehosetest.Server{Script: func(int, [][]byte) firehosetest.Reply { return reply }})
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				left, err := s.Send(context.Background(), numbered(3, 10))
				if err == nil || len(left) != 3 {
					t.Errorf("%d left: %v", len(left), err)
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestSlowIsNoFault(t *testing.T) {
	s := sender(t, &firehosetest.Server{Script: func(int, [][]byte) firehosetest.Reply { return firehosetest.Reply{Delay: 9 * time.Second} }})
	synctest.Test(t, func(t *testing.T) {
		if left, err := s.Send(context.Background(), numbered(3, 10)); err != nil || len(left) != 0 {
			t.Errorf("%d left: %v", len(left), err)
		}
	})
}

func TestNoRegion(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	_, err := New(context.Background(), Config{Stream: "audit"}, nil)
	if err == nil || !strings.Contains(err.Error(), "region") {
		t.Errorf("got %v", err)
	}
}

// answering answers every call with 200 and a text of its own.
type answering string

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body: io.NopCloser(strings.NewReader(string(a))),
	}, nil
}

// TestOnlyTheServiceSaysThatItHasARecord: not a proxy that is content with everything, nor an answer that does not
// add up.
func TestOnlyTheServiceSaysThatItHasARecord(t *testing.T) {
	taken, refused := `{"RecordId":"1"}`, `{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"slow down"}`
	for answer, left := range map[string]int{
		"": 3, "{}": 3, `{"FailedPutCount":0}`: 3, "<html>ok</html>": 3,
		`{"FailedPutCount":0,"RequestResponses":[` + taken + `]}`:                                 3,
		`{"FailedPutCount":1,"RequestResponses":[` + taken + `,` + taken + `,` + taken + `]}`:     3,
		`{"FailedPutCount":0,"RequestResponses":[` + taken + `,` + refused + `,` + taken + `]}`:   1,
		`{"FailedPutCount":2,"RequestResponses":[` + taken + `,` + refused + `,` + refused + `]}`: 2,
		`{"FailedPutCount":0,"RequestResponses":[` + taken + `,` + taken + `,` + taken + `]}`:     0,
	} {
		rest, err := sender(t, answering(answer)).Send(context.Background(), numbered(3, 10))
		if len(rest) != left || (err != nil) != (left > 0) {
			t.Errorf("%s: %d left, want %d: %v", answer, len(rest), left, err)
		}
	}
}
