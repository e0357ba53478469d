package bucket

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Store reads, writes and removes the objects of one bucket.
type Store struct {
	*Writer
	client *s3.Client
}

// Open returns a store, as New returns a writer.
func Open(ctx context.Context, c Config, transport http.RoundTripper) (*Store, error) {
	w, client, err := open(ctx, c, transport)
	if err != nil {
		return nil, err
	}
	return &Store{w, client}, nil
}

// List is the keys that begin with prefix, in the order of their bytes.
func (s *Store) List(ctx context.Context, prefix string) (keys []string, err error) {
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("s3 %s: list %s: %w", s.bucket, prefix, err)
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys, nil
}

// Get is the content of an object, whole, in memory. It fails if that is more than limit bytes.
func (s *Store) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	object, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("s3 %s: %s: %w", s.bucket, key, err)
	}
	defer object.Body.Close()
	var content bytes.Buffer
	if n := object.ContentLength; n != nil && *n <= limit {
		content.Grow(int(*n) + bytes.MinRead)
	}
	n, err := content.ReadFrom(io.LimitReader(object.Body, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	if err != nil {
		return nil, fmt.Errorf("s3 %s: %s: %w", s.bucket, key, err)
	}
	return content.Bytes(), nil
}

// Delete removes an object. That there is none is no error.
func (s *Store) Delete(ctx context.Context, key string) error {
	if _, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key}); err != nil {
		return fmt.Errorf("s3 %s: remove %s: %w", s.bucket, key, err)
	}
	return nil
}
