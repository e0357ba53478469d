package verdict

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"yadokari/test/process"
)

// database is a MariaDB with the shop's data.
type database struct {
	*process.Process
	port, socket string
}

// sessions is how many users have logged in: user-1 and so on.
const sessions = 100000

// startDatabase starts a MariaDB of its own for the test.
func startDatabase(t *testing.T) *database {
	t.Helper()
	dir := t.TempDir()
	data, socket := filepath.Join(dir, "data"), filepath.Join(dir, "socket")
	address := process.FreeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	// A server that starts removes every temporary table in its tmpdir, also another's that starts beside it.
	tmpdir := "--tmpdir=" + dir
	run(t, "mariadb-install-db", "--no-defaults", "--user=root", "--datadir="+data, tmpdir, "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=8M")
	d := &database{port: port, socket: socket}
	d.Process = process.Start(t, "mariadbd", exec.Command("mariadbd", "--no-defaults", "--user=root", "--datadir="+data, tmpdir,
		"--socket="+socket, "--pid-file="+filepath.Join(dir, "pid"), "--bind-address=127.0.0.1", "--port="+port, "--skip-name-resolve",
		"--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0", "--max-connections=1000", "--log-warnings=0"))
	d.Listening(t, address)
	d.execute(t, string(must[[]byte](t)(os.ReadFile("shop/schema.sql"))))
	return d
}

// execute runs SQL as root.
func (d *database) execute(t *testing.T, sql string) {
	t.Helper()
	run(t, "mariadb", "--no-defaults", "--user=root", "--socket="+d.socket, "--execute="+sql)
}

// freeze stops the server in the middle of what it does, and lets it go on after a while.
func (d *database) freeze(while time.Duration) {
	d.Signal(syscall.SIGSTOP)
	time.Sleep(while)
	d.Signal(syscall.SIGCONT)
}

// refuse cuts the shop's connections off, and refuses new ones for a while.
func (d *database) refuse(t *testing.T, while time.Duration) {
	t.Helper()
	d.execute(t, "ALTER USER shop ACCOUNT LOCK; KILL USER shop")
	time.Sleep(while)
	d.execute(t, "ALTER USER shop ACCOUNT UNLOCK")
}

// run runs a program to its end.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}
