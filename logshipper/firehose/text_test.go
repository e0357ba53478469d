package firehose

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	service "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"yadokari/logshipper/firehose/firehosetest"
)

// recorder keeps what was sent, and lets the double answer.
type recorder struct {
	bodies  [][]byte
	headers []http.Header
	double  firehosetest.Server
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	r.bodies, r.headers = append(r.bodies, body), append(r.headers, request.Header)
	request.Body = io.NopCloser(bytes.NewReader(body))
	w := httptest.NewRecorder()
	r.double.ServeHTTP(w, request)
	return w.Result(), nil
}

// TestCallsAreWrittenAsTheSDKWritesThem compares the bytes of requests with those of the SDK's own serializer.
func TestCallsAreWrittenAsTheSDKWritesThem(t *testing.T) {
	for name, records := range map[string][][]byte{
		"one": {[]byte("line\n")}, "many": numbered(500, 100), "large": numbered(3, MostRecord), "not text": {{0, 0xff, '"', '\\', '\n'}},
	} {
		seen := &recorder{}
		ours := sender(t, seen)
		for range 2 { // the buffer is used again
			if left, err := ours.Send(context.Background(), append([][]byte(nil), records...)); err != nil || len(left) > 0 {
				t.Fatalf("%s: %d left: %v", name, len(left), err)
			}
		}
		theirs := service.New(service.Options{Region: "ap-northeast-1", HTTPClient: &http.Client{Transport: seen}, Credentials: aws.CredentialsProviderFunc(
			func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
			})})
		in := &service.PutRecordBatchInput{DeliveryStreamName: aws.String("audit")}
		for _, record := range records {
			in.Records = append(in.Records, types.Record{Data: record})
		}
		if _, err := theirs.PutRecordBatch(context.Background(), in); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, body := range seen.bodies[:2] {
			if !bytes.Equal(body, seen.bodies[2]) {
				t.Errorf("%s: call %d is %.100q, the SDK's %.100q", name, i, body, seen.bodies[2])
			}
			for _, key := range []string{"X-Amz-Target", "Content-Type"} {
				if got, want := seen.headers[i].Get(key), seen.headers[2].Get(key); got != want {
					t.Errorf("%s: %s is %q, the SDK's %q", name, key, got, want)
				}
			}
		}
	}
}

// TestAFailedCallKeepsItsBuffer sends to a server that answers before it has read: what the transport may
// still read is not written to.
func TestAFailedCallKeepsItsBuffer(t *testing.T) {
	double := &firehosetest.Server{}
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		double.ServeHTTP(w, r)
	}))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	s := sender(t, nil)
	for i := range 10 {
		left := numbered(1, MostRecord)
		_, first := s.Send(context.Background(), left)
		left, err := s.Send(context.Background(), numbered(1, MostRecord))
		if first == nil || err != nil || len(left) > 0 {
			t.Fatalf("round %d: %v, then %v with %d left", i, first, err, len(left))
		}
	}
	if n := len(double.Records()); n != 10 {
		t.Errorf("%d records were taken", n)
	}
}
