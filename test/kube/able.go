package kube

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// capabilities are what starting namespaces, mounts, a pod network and containers takes. Of what root
// usually has, CAP_SYS_RESOURCE is not needed.
var capabilities = map[string]uint{
	"CAP_CHOWN":        unix.CAP_CHOWN,
	"CAP_DAC_OVERRIDE": unix.CAP_DAC_OVERRIDE,
	"CAP_FOWNER":       unix.CAP_FOWNER,
	"CAP_KILL":         unix.CAP_KILL,
	"CAP_MKNOD":        unix.CAP_MKNOD,
	"CAP_NET_ADMIN":    unix.CAP_NET_ADMIN,
	"CAP_NET_RAW":      unix.CAP_NET_RAW,
	"CAP_SETFCAP":      unix.CAP_SETFCAP,
	"CAP_SETGID":       unix.CAP_SETGID,
	"CAP_SETPCAP":      unix.CAP_SETPCAP,
	"CAP_SETUID":       unix.CAP_SETUID,
	"CAP_SYSLOG":       unix.CAP_SYSLOG,
	"CAP_SYS_ADMIN":    unix.CAP_SYS_ADMIN,
	"CAP_SYS_CHROOT":   unix.CAP_SYS_CHROOT,
	"CAP_SYS_PTRACE":   unix.CAP_SYS_PTRACE,
}

// able says everything this machine lacks for a cluster, or nil.
func able() error {
	var lacks []error
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	lacks = append(lacks, lacksCapabilities(string(status)))
	filesystems, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return err
	}
	if !strings.Contains(string(filesystems), "\toverlay\n") {
		lacks = append(lacks, errors.New("the kernel has no overlay file system (modprobe overlay)"))
	}
	if _, err := os.Stat("/dev/kmsg"); err != nil {
		lacks = append(lacks, fmt.Errorf("kubelet sees containers run out of memory in the kernel's log: %w", err))
	}
	if _, err := cgroupRoots(); err != nil {
		lacks = append(lacks, err)
	}
	if err := errors.Join(lacks...); err != nil {
		return fmt.Errorf("this machine cannot run a test cluster: %w", err)
	}
	return nil
}

// lacksCapabilities compares the effective capabilities in a /proc/PID/status with those needed.
func lacksCapabilities(status string) error {
	_, rest, found := strings.Cut(status, "CapEff:")
	text, _, _ := strings.Cut(rest, "\n")
	held, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
	if !found || err != nil {
		return errors.New("/proc/self/status does not say CapEff")
	}
	var lacks []error
	for name, bit := range capabilities {
		if held&(1<<bit) == 0 {
			lacks = append(lacks, fmt.Errorf("this process lacks %s (run as root)", name))
		}
	}
	return errors.Join(lacks...)
}
