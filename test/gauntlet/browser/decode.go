package browser

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
)

// decoded reads an answer's body as its header says it is encoded.
func decoded(answer *http.Response) (io.Reader, error) {
	encoding := answer.Header.Get("Content-Encoding")
	if encoding == "" || answer.ContentLength == 0 || answer.Request.Method == http.MethodHead ||
		answer.StatusCode == http.StatusNotModified || answer.StatusCode == http.StatusNoContent {
		return answer.Body, nil
	}
	if encoding != "gzip" {
		return nil, fmt.Errorf("unknown encoding %q", encoding)
	}
	body, err := gzip.NewReader(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("content encoding error: %w", err)
	}
	return body, nil
}
