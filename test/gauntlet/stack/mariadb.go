package stack

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"yadokari/test/process"
)

// Database is a MariaDB server that listens on a socket.
type Database struct {
	Socket string
}

// StartDatabase starts an empty server for the time of the test.
func StartDatabase(t *testing.T) *Database {
	t.Helper()
	dir := Folder(t)
	d := &Database{Socket: filepath.Join(dir, "db.sock")}
	data := filepath.Join(dir, "data")
	// A server that starts removes every temporary table in its tmpdir, also another's that starts beside it.
	tmpdir := "--tmpdir=" + dir
	Run(t, exec.Command("mariadb-install-db", "--no-defaults", "--user=root", "--skip-test-db",
		"--auth-root-authentication-method=normal", "--datadir="+data, tmpdir))
	if err := os.Chmod(dir, 0o755); err != nil { // PHP's user opens the socket here
		t.Fatal(err)
	}
	// Durability is not what is tried here. The user is the test's own: the packages' one is there only if the whole server
	// is installed, and a program that changes its user is no longer told that its parent has died.
	server := start(t, "MariaDB", exec.Command("setpriv", "--pdeathsig=TERM",
		"mariadbd", "--no-defaults", "--user=root", "--datadir="+data, tmpdir,
		"--socket="+d.Socket, "--pid-file="+filepath.Join(dir, "pid"), "--skip-networking", "--skip-log-bin",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=256M", "--max-connections=200"))
	process.Eventually(t, "MariaDB answers", func() bool {
		server.MustRun(t)
		return d.command("SELECT 1").Run() == nil
	})
	return d
}

func (d *Database) command(sql string) *exec.Cmd {
	return exec.Command("mariadb", "--no-defaults", "--socket="+d.Socket, "--user=root", "--batch", "--execute", sql)
}

// Do runs statements as root and returns what they print.
func (d *Database) Do(t *testing.T, sql string) string {
	t.Helper()
	return Run(t, d.command(sql))
}

// Create makes a database with a user of the same name who may do everything in it, and one who may only
// read (NAME_read), both with the given password.
func (d *Database) Create(t *testing.T, name, password string) {
	t.Helper()
	d.Do(t, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4;"+
		"CREATE USER "+name+"@localhost IDENTIFIED BY '"+password+"';"+
		"GRANT ALL ON "+name+".* TO "+name+"@localhost;"+
		"CREATE USER "+name+"_read@localhost IDENTIFIED BY '"+password+"';"+
		"GRANT SELECT ON "+name+".* TO "+name+"_read@localhost;")
}
