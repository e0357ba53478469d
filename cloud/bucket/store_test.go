package bucket

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"yadokari/cloud"
)

// storeAt is a store of bucket b at a service that answers as handle does.
func storeAt(t *testing.T, handle http.HandlerFunc) *Store {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	s, err := Open(t.Context(), Config{
		Bucket: "b", PathStyle: true, Access: cloud.Access{Region: "ap-northeast-1", Endpoint: server.URL, Timeout: time.Minute},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A service gives a thousand keys at a time, and says that there are more.
func TestListReadsEveryPage(t *testing.T) {
	s := storeAt(t, func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/b" || q.FormValue("prefix") != "left/" {
			t.Errorf("%s %s", q.Method, q.URL)
		}
		switch q.FormValue("continuation-token") {
		case "":
			fmt.Fprint(w, `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>more</NextContinuationToken>`+
				`<Contents><Key>left/1</Key></Contents><Contents><Key>left/2</Key></Contents></ListBucketResult>`)
		case "more":
			fmt.Fprint(w, `<ListBucketResult><Contents><Key>left/3</Key></Contents></ListBucketResult>`)
		}
	})
	keys, err := s.List(t.Context(), "left/")
	if err != nil || !slices.Equal(keys, []string{"left/1", "left/2", "left/3"}) {
		t.Error(keys, err)
	}
}

// An object is there whole, or is an error: also one that ends early, or is larger than may be in memory.
func TestGetIsWhole(t *testing.T) {
	s := storeAt(t, func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/b/good":
			fmt.Fprint(w, "content")
		case "/b/short":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "content")
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `<Error><Code>NoSuchKey</Code></Error>`)
		}
	})
	if content, err := s.Get(t.Context(), "good", 7); err != nil || string(content) != "content" {
		t.Errorf("%q, %v", content, err)
	}
	for key, limit := range map[string]int64{"good": 6, "short": 100, "none": 100} {
		if content, err := s.Get(t.Context(), key, limit); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %q, %v", key, content, err)
		}
	}
}
