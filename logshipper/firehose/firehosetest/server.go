// Package firehosetest stands in for Amazon Data Firehose: its protocol (JSON 1.1 over HTTP, signed), its
// limits and its faults.
package firehosetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// Limits as the service has them; the limit of a call is taken in the strictest reading, after base64.
const (
	MostRecord  = 1000 << 10
	MostRecords = 500
	MostCall    = 4 << 20
)

// Reply says what becomes of one call. The zero value takes every record.
type Reply struct {
	Status int    // other than 0: the whole call fails with this status
	Error  string // the exception's name, for Status and Fail
	// Fail are the places of records that are not taken.
	Fail []int
	// Delay is how long the answer takes.
	Delay time.Duration
	// Hang never answers; Taken takes the records nevertheless, or before an error.
	Hang, Taken bool
}

// Server is an http.Handler.
type Server struct {
	// Script decides on a call, the first is 0; nil: every call succeeds.
	Script func(call int, records [][]byte) Reply
	// Take gets every record taken, in order; nil: they are kept for Records.
	Take func(record []byte)

	mu      sync.Mutex
	records [][]byte
	calls   int
	bytes   int64
	most    int // base64 bytes of the largest call
}

type request struct {
	DeliveryStreamName string
	Records            []struct{ Data string }
}

type response struct {
	FailedPutCount   int
	Encrypted        bool
	RequestResponses []result
}

type result struct {
	RecordID     string `json:"RecordId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

// ServeHTTP answers PutRecordBatch.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := read(r)
	if err != nil {
		return // the client has gone
	}
	records, volume, problem := parse(r, body)
	if problem != "" {
		fail(w, http.StatusBadRequest, "InvalidArgumentException", problem)
		return
	}
	s.mu.Lock()
	call := s.calls
	s.calls++
	s.most = max(s.most, volume)
	s.mu.Unlock()
	var reply Reply
	if s.Script != nil {
		reply = s.Script(call, records)
	}
	s.answer(w, r, records, reply)
}

// read returns the body. It makes room for it at once: the double shall not be what a benchmark measures.
func read(r *http.Request) ([]byte, error) {
	body := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), MostCall)+bytes.MinRead))
	_, err := body.ReadFrom(r.Body)
	return body.Bytes(), err
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, records [][]byte, reply Reply) {
	failed := make([]bool, len(records))
	for _, i := range reply.Fail {
		failed[i] = true
	}
	if reply.Status == 0 && !reply.Hang || reply.Taken {
		s.take(records, failed)
	}
	if reply.Hang {
		<-r.Context().Done()
		return
	}
	time.Sleep(reply.Delay)
	if reply.Status != 0 {
		fail(w, reply.Status, reply.Error, "as the script says")
		return
	}
	answer := response{RequestResponses: make([]result, len(records))}
	for i := range records {
		if failed[i] {
			answer.FailedPutCount++
			answer.RequestResponses[i] = result{ErrorCode: reply.Error, ErrorMessage: "slow down"}
		} else {
			answer.RequestResponses[i] = result{RecordID: fmt.Sprintf("r%d", i)}
		}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(answer) // the client may have gone
}

func (s *Server) take(records [][]byte, failed []bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, record := range records {
		if failed[i] {
			continue
		}
		s.bytes += int64(len(record))
		if s.Take != nil {
			s.Take(record)
		} else {
			s.records = append(s.records, record)
		}
	}
}

func fail(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-ErrorType", kind)
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"__type":%q,"message":%q}`, kind, message)
}

// parse checks what the service checks.
func parse(r *http.Request, body []byte) (records [][]byte, volume int, problem string) {
	var in request
	skeleton, texts := takeOut(body)
	switch {
	case r.Header.Get("X-Amz-Target") != "Firehose_20150804.PutRecordBatch":
		return nil, 0, "unknown operation " + r.Header.Get("X-Amz-Target")
	case r.Header.Get("Content-Type") != "application/x-amz-json-1.1":
		return nil, 0, "unknown content type"
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="):
		return nil, 0, "not signed"
	case json.Unmarshal(skeleton, &in) != nil || len(texts) != len(in.Records):
		return nil, 0, "not JSON"
	case in.DeliveryStreamName == "" || len(in.Records) == 0 || len(in.Records) > MostRecords:
		return nil, 0, fmt.Sprintf("stream %q, %d records", in.DeliveryStreamName, len(in.Records))
	case len(body) > MostCall:
		return nil, 0, fmt.Sprintf("a call of %d bytes", len(body))
	}
	for _, text := range texts {
		data := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
		n, err := base64.StdEncoding.Decode(data, text)
		if data = data[:n]; err != nil || len(data) > MostRecord || len(data) == 0 {
			return nil, 0, fmt.Sprintf("a record of %d bytes: %v", len(data), err)
		}
		records = append(records, data)
	}
	return records, len(body), ""
}

// takeOut takes the data out of a request, as a JSON parser is slow with strings of megabytes: base64 has
// no quotes and no escapes.
func takeOut(body []byte) (skeleton []byte, texts [][]byte) {
	field := []byte(`"Data":"`)
	for {
		i := bytes.Index(body, field)
		if i < 0 {
			return append(skeleton, body...), texts
		}
		i += len(field)
		end := bytes.IndexByte(body[i:], '"')
		if end < 0 {
			return append(skeleton, body...), texts
		}
		skeleton, texts = append(skeleton, body[:i]...), append(texts, body[i:i+end])
		body = body[i+end:]
	}
}

// Records are those that were taken, if Take is nil.
func (s *Server) Records() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.records...)
}

// Calls is how many calls were made, and how many bytes of records were taken.
func (s *Server) Calls() (calls int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, s.bytes
}

// RoundTrip makes the server an http.RoundTripper without a network.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	w, done := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(done)
		s.ServeHTTP(w, r)
	}()
	select {
	case <-done:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}
