package service

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const pipeChild = "YADOKARI_TEST_PIPE_CHILD"

// A process whose log nobody reads any more goes on.
func TestBrokenPipeIsSurvived(t *testing.T) {
	if os.Getenv(pipeChild) != "" {
		stop := surviveBrokenPipes()
		_, err := os.Stdout.WriteString("a line")
		stop()
		if !errors.Is(err, syscall.EPIPE) {
			os.Exit(1)
		}
		os.Exit(0)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = reader.Close()
	defer func() { _ = writer.Close() }()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBrokenPipeIsSurvived$")
	child.Env = append(os.Environ(), pipeChild+"=1")
	child.Stdout = writer
	if err := child.Run(); err != nil {
		t.Fatalf("the process ended: %v", err)
	}
}
