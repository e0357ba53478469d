package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// hidden are folders of the machine that the components write to at paths they do not let us choose:
// each is covered by a folder of the cluster's own.
var hidden = []string{"/var/lib", "/var/log"}

// tuned are the machine-wide kernel settings that kubelet insists on, with the values it wants. A file
// that already says so is laid over each, so that kubelet is content and the machine is unchanged.
var tuned = map[string]string{
	"/proc/sys/vm/overcommit_memory":      "1",
	"/proc/sys/vm/panic_on_oom":           "0",
	"/proc/sys/kernel/panic":              "10",
	"/proc/sys/kernel/panic_on_oops":      "1",
	"/proc/sys/kernel/keys/root_maxkeys":  "1000000",
	"/proc/sys/kernel/keys/root_maxbytes": "25000000",
}

// settle prepares the namespaces: mounts of their own, a host name, and a network whose only way
// is to the node's own address.
func settle(folder string) error {
	if err := settleMounts(folder); err != nil {
		return err
	}
	if err := syscall.Sethostname([]byte("node")); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	return settleNetwork(folder)
}

func settleMounts(folder string) error {
	// Private first: what is mounted here must not appear on the machine, nor the machine's here.
	// Then shared among the pods, as a node's root is, for mountPropagation.
	for _, flags := range []uintptr{syscall.MS_PRIVATE, syscall.MS_SHARED} {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|flags, ""); err != nil {
			return fmt.Errorf("change propagation of / to %#x: %w", flags, err)
		}
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	for _, place := range hidden {
		own := filepath.Join(folder, "hidden", strings.ReplaceAll(place[1:], "/", "-"))
		if err := os.MkdirAll(own, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(own, place, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("cover %s: %w", place, err)
		}
	}
	return settleTunables(folder)
}

func settleTunables(folder string) error {
	for place, value := range tuned {
		if _, err := os.Stat(place); os.IsNotExist(err) {
			continue // this kernel has no such setting, so kubelet sees none either
		}
		own := filepath.Join(folder, "hidden", strings.ReplaceAll(place[1:], "/", "-"))
		if err := os.WriteFile(own, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := syscall.Mount(own, place, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("cover %s: %w", place, err)
		}
	}
	return nil
}

// settleNetwork sets up the interfaces the owner has written down for ip(8), and the settings a node's
// network has. All of them belong to this network namespace alone.
func settleNetwork(folder string) error {
	batch := filepath.Join(folder, "network")
	if out, err := exec.Command("/sbin/ip", "-batch", batch).CombinedOutput(); err != nil {
		return fmt.Errorf("ip -batch %s: %w: %s", batch, err, strings.TrimSpace(string(out)))
	}
	for _, name := range []string{"ipv4/ip_forward", "bridge/bridge-nf-call-iptables"} {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte("1\n"), 0o644); err != nil {
			return fmt.Errorf("set net/%s (needs IP forwarding and br_netfilter in the kernel): %w", name, err)
		}
	}
	return nil
}
