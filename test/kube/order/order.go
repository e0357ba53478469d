// Package order holds the messages between a test that owns a cluster and the keeper, the first
// process of the cluster's namespaces. They travel as JSON, one after the other, over a socket pair
// that is the keeper's file descriptor Descriptor.
package order

// Descriptor is the number of the keeper's end of the socket pair. When the owner's end closes,
// because the owner stopped the cluster or died, the keeper exits and the kernel kills everything
// in its process namespace.
const Descriptor = 3

// Order asks the keeper to start a program, or, with Signal set, to send a signal to one it started.
type Order struct {
	Name   string   // name of the process, once at a time
	Args   []string // path of the program and its arguments
	Env    []string // whole environment, KEY=value
	Log    string   // file that gets standard output and standard error, appended
	Signal int      // signal number to send to the process called Name; 0: start it
}

// Answer says what became of the keeper itself (Name empty), of an order, or of a process that
// ended.
type Answer struct {
	Name   string // the order's name; empty: the keeper's own settling
	Pid    int    // process id inside the namespace, of a process just started
	Error  string // why the order failed
	Ended  bool   // the process has ended
	Status string // how it ended, such as "exit status 1" or "signal: killed"
}
