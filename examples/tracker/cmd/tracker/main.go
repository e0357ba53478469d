// Command tracker runs one copy of the example application.
package main

import (
	"context"
	"os"

	"yadokari/examples/tracker"
)

func main() {
	os.Exit(tracker.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}
