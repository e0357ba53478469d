// Command keeper is the first process of a test cluster's namespaces (processes, mounts, network,
// host name). It settles them, starts what its owner orders and reaps what ends. When its owner goes
// away, it exits: the kernel then kills every process of the namespace, and with the last of them go
// its mounts and network interfaces.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"yadokari/test/kube/order"
)

func main() {
	if len(os.Args) != 2 || os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "usage: keeper FOLDER, as first process of a namespace, started by the test cluster")
		os.Exit(2)
	}
	if err := keep(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
		os.Exit(1)
	}
}

// keep serves the owner until it goes away.
func keep(folder string) error {
	// Without this every process started here would hold the socket too.
	syscall.CloseOnExec(order.Descriptor)
	owner := os.NewFile(order.Descriptor, "owner")
	staff := newStaff(json.NewEncoder(owner))

	settled := order.Answer{}
	if err := settle(folder); err != nil {
		settled.Error = err.Error()
	}
	if err := staff.answer(settled); err != nil || settled.Error != "" {
		return errors.Join(err, errors.New(settled.Error))
	}

	go staff.reap()
	orders := json.NewDecoder(owner)
	for {
		var o order.Order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read order: %w", err)
		}
		if err := staff.obey(o); err != nil {
			return fmt.Errorf("answer order %q: %w", o.Name, err)
		}
	}
}
