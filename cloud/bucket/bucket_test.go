package bucket

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"yadokari/cloud"
)

// refusing is a network that is down.
type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}

// TestNobodyReadsWhatWasNotPut gives up in the middle of an object: whoever owns the data may write to it at once.
func TestNobodyReadsWhatWasNotPut(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	w, err := New(t.Context(), Config{Bucket: "logs", Access: cloud.Access{Region: "eu-west-1", Timeout: time.Second}}, refusing{})
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 16<<20) // that gzip cannot make small: several parts
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	stacks := make([]byte, 1<<20)
	for range 8 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := w.Put(ctx, "key", data)
		all := string(stacks[:runtime.Stack(stacks, true)])
		cancel()
		if err == nil {
			t.Fatal("it was put")
		}
		if strings.Contains(all, "gzip.(*Writer)") {
			t.Fatal("gzip still reads")
		}
	}
}
