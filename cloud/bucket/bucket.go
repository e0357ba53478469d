// Package bucket writes objects to a bucket of Amazon S3, or of another service that speaks its
// protocol, and reads them back.
package bucket

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"yadokari/cloud"
	"yadokari/setting"
)

// Config is a bucket.
type Config struct {
	// Bucket is its name.
	Bucket string `yaml:"bucket" required:"true"`
	// Prefix stands before the key of every object: YYYY/MM/DD/HH/CLUSTER/TIME-HOST-FILE-OFFSET.log.gz of logs,
	// HOST-NUMBER/NUMBER.mail of mail.
	Prefix string `yaml:"prefix"`
	// PathStyle writes the bucket's name into the path instead of the host, as services other than S3
	// often need it.
	PathStyle bool `yaml:"pathStyle" default:"false"`
	// Access is how the service is reached.
	cloud.Access `yaml:",inline"`
}

// Validate says what is wrong with the settings, as *setting.Problem, joined.
func (c *Config) Validate() error {
	var problems []error
	if c.Bucket == "" {
		problems = append(problems, &setting.Problem{Path: setting.Path{"bucket"}, What: "is empty", Remedy: "name the bucket"})
	}
	if strings.HasPrefix(c.Prefix, "/") {
		problems = append(problems, &setting.Problem{
			Path: setting.Path{"prefix"}, What: fmt.Sprintf("%q begins with a slash", c.Prefix), Remedy: "as in audit/",
		})
	}
	return errors.Join(append(problems, c.Access.Validate())...)
}

// partSize is how much of an object is held and sent at once; larger objects are sent in parts.
const partSize = 5 << 20

// callAttempts is how often one call is made, so that a part that fails does not cost the whole object.
const callAttempts = 3

// Writer writes objects to one bucket.
type Writer struct {
	bucket string
	up     *transfermanager.Client
}

// New returns a writer. A transport of nil is the SDK's own. It fails when no region is known.
func New(ctx context.Context, c Config, transport http.RoundTripper) (*Writer, error) {
	w, _, err := open(ctx, c, transport)
	return w, err
}

func open(ctx context.Context, c Config, transport http.RoundTripper) (*Writer, *s3.Client, error) {
	loaded, err := c.Load(ctx, transport)
	if err != nil {
		return nil, nil, fmt.Errorf("s3 %s: %w", c.Bucket, err)
	}
	client := s3.NewFromConfig(loaded, func(o *s3.Options) {
		o.UsePathStyle = c.PathStyle
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = callAttempts })
	})
	up := transfermanager.New(client, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold, o.Concurrency = partSize, partSize, 2
		o.FailTimeout = c.Timeout
	})
	return &Writer{bucket: c.Bucket, up: up}, client, nil
}

// Put writes an object whose content is data, gzipped. When it returns nil the object is there, whole;
// after an error there is none, or the one that was there before. In either case nobody reads data any more.
func (w *Writer) Put(ctx context.Context, key string, data []byte) error {
	r, out := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		packed, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
		if err == nil {
			_, err = packed.Write(data)
			err = errors.Join(err, packed.Close())
		}
		_ = out.CloseWithError(err) // always nil
	}()
	err := w.upload(ctx, key, "application/gzip", r)
	_ = r.Close() // ends the writer, if it has not ended
	<-done
	return err
}

// PutPlain is Put without gzip.
func (w *Writer) PutPlain(ctx context.Context, key string, data []byte) error {
	return w.upload(ctx, key, "application/octet-stream", bytes.NewReader(data))
}

func (w *Writer) upload(ctx context.Context, key, contentType string, body io.Reader) error {
	_, err := w.up.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: &w.bucket, Key: &key, Body: body, ContentType: &contentType})
	if err != nil {
		return fmt.Errorf("s3 %s: %s: %w", w.bucket, key, err)
	}
	return nil
}
