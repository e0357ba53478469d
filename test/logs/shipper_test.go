package logs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"yadokari/cloud"
	"yadokari/logshipper"
	"yadokari/logshipper/firehose"
	"yadokari/setting"
)

// TestMain lets the test binary be a shipper that can be killed.
func TestMain(m *testing.M) {
	os.Setenv("AWS_ACCESS_KEY_ID", "id")
	os.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	if dir := os.Getenv("LOGS_CHILD"); dir != "" {
		s, err := logshipper.New([]logshipper.Config{config(dir, os.Getenv("LOGS_ENDPOINT"))}, logshipper.Options{Host: "vm1", Cluster: "cluster1"})
		if err == nil {
			err = s.Run(context.Background())
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// config ships audit*.log to a copy and to a stream, as JSON with ids.
func config(dir, endpoint string) logshipper.Config {
	var c logshipper.Config
	setting.Defaults(&c)
	c.Path, c.Checkpoints = filepath.Join(dir, "log", "audit*.log"), filepath.Join(dir, "state")
	c.Format, c.Every = logshipper.FormatJSON, 30*time.Millisecond
	c.To.Dir = &logshipper.Dir{Path: filepath.Join(dir, "archive")}
	c.To.Firehose = &firehose.Config{Stream: "audit", Access: access(endpoint)}
	return c
}

func access(endpoint string) cloud.Access {
	return cloud.Access{Region: "ap-northeast-1", Endpoint: endpoint, Timeout: 30 * time.Second}
}

// flush ships the rest in this process.
func flush(t *testing.T, c logshipper.Config) logshipper.Result {
	t.Helper()
	s, err := logshipper.New([]logshipper.Config{c}, logshipper.Options{Host: "vm1", Cluster: "cluster1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- s.Run(context.Background()) }()
	r := s.Flush(ctx)
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if err := r.Counts.Check(); err != nil {
		t.Error(err)
	}
	return r
}
