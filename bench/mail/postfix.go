package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"time"
)

// startPostfix runs Debian's Postfix with its defaults, its queue in dir, as a relay to the sink.
func startPostfix(dir string, sink int) (port, pid int, stop func() error, err error) {
	if port, err = freePort(); err != nil {
		return 0, 0, nil, err
	}
	if err := configure(dir, port, sink); err != nil {
		return 0, 0, nil, err
	}
	conf := filepath.Join(dir, "conf")
	cmd := exec.Command("postfix", "-c", conf, "start-fg")
	log, err := os.Create(filepath.Join(dir, "log")) // a file: a pipe would be held open by every daemon
	if err != nil {
		return 0, 0, nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return 0, 0, nil, err
	}
	stop = func() error { // a signal would reach the script that waits for the master, not the master
		if out, err := exec.Command("postfix", "-c", conf, "stop").CombinedOutput(); err != nil {
			return fmt.Errorf("postfix stop: %w: %s", err, out)
		}
		_ = waitFor(cmd, 30*time.Second) // the script tells how the master ended: by our signal
		return nil
	}
	if err := waitPort(port); err != nil {
		return 0, 0, nil, errors.Join(err, stop())
	}
	return port, cmd.Process.Pid, stop, nil
}

func configure(dir string, port, sink int) error {
	owner, err := user.Lookup("postfix")
	if err != nil {
		return fmt.Errorf("postfix is not installed: %w", err)
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return err
	}
	for _, d := range []string{"conf", "queue", "data"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chown(filepath.Join(dir, "data"), uid, -1); err != nil {
		return err
	}
	files := map[string]string{
		"main.cf": fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:%[2]d
smtp_dns_support_level = disabled
smtp_tls_security_level = none
smtpd_relay_restrictions = permit_mynetworks, reject
alias_maps =
`, dir, sink),
		"master.cf": fmt.Sprintf(`%d inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`, port),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "conf", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	out, err := exec.Command("postfix", "-c", filepath.Join(dir, "conf"), "check").CombinedOutput()
	if err != nil {
		return fmt.Errorf("postfix check: %w: %s", err, out)
	}
	return nil
}
