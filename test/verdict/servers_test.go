package verdict

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"yadokari/test/process"
)

// server is one server of a side, over the restarts of its process.
type server struct {
	*process.Process
	name, address string
	command       func() *exec.Cmd
}

func startServer(t *testing.T, name, address string, command func() *exec.Cmd) *server {
	t.Helper()
	s := &server{name: name, address: address, command: command}
	s.launch(t)
	s.Listening(t, address)
	return s
}

// launch starts the process, or starts it again.
func (s *server) launch(t *testing.T) {
	t.Helper()
	s.Process = process.Start(t, s.name, s.command())
}

// startPython starts the shop under gunicorn; the settings are those of shop.py, NAME=VALUE.
func startPython(t *testing.T, d *database, settings ...string) *server {
	t.Helper()
	address := process.FreeAddress(t)
	return startServer(t, "gunicorn", address, func() *exec.Cmd {
		command := exec.Command("gunicorn", "--bind", address, "--worker-class", "gthread", "--threads", "16",
			"--keep-alive", "60", "--graceful-timeout", "10", "--chdir", "shop", "--worker-tmp-dir", "/dev/shm", "shop:app")
		command.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "SHOP_DATABASE="+d.port,
			"SHOP_PASSWORD=the-right-password", "SHOP_SECRET=secret of the shop", "SHOP_SESSIONS=sessions")
		command.Env = append(command.Env, settings...)
		command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with its worker
		return command
	})
}

// pause stops a server and its workers, so that they take connections and say nothing, until the test ends.
func (s *server) pause(t *testing.T) {
	t.Helper()
	group := -s.Process.Process.Pid
	if err := syscall.Kill(group, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(group, syscall.SIGKILL) })
}

// classes is the folder of the compiled Shop.java.
var classes = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(programs, "classes")
	out, err := exec.Command("javac", "-d", dir, "shop/Shop.java").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("javac: %w: %s", err, out)
	}
	return dir, err
})

// startJVM starts the shop on a JVM, which waits for the database for so long, and warms it up.
func startJVM(t *testing.T, d *database, patience time.Duration) *server {
	t.Helper()
	dir := must[string](t)(classes())
	address := process.FreeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "java", address, func() *exec.Cmd {
		return exec.Command("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dsun.net.httpserver.nodelay=true",
			"-Dsun.net.httpserver.maxIdleConnections=1000", "-Dsun.net.httpserver.idleInterval=60",
			"-cp", dir+":/usr/share/java/mariadb-java-client.jar", "Shop", port, d.port, strconv.FormatInt(patience.Milliseconds(), 10))
	})
	for range warmUp {
		must[*http.Response](t)(http.Get("http://" + address + "/")).Body.Close()
	}
	return s
}

// warmUp is how many pages a JVM serves before users come.
const warmUp = 500

// Sizes of what NGINX serves: a picture of a page, and a film that takes a while to download.
const (
	pictureSize = 3 << 10
	filmSize    = 16 << 20
)

// startNGINX starts an NGINX that serves pictures and the film itself and the rest with locations, lines of its
// configuration inside server.
func startNGINX(t *testing.T, name, locations string) *server {
	t.Helper()
	dir, address := t.TempDir(), process.FreeAddress(t)
	process.WriteFile(t, dir, "site/images/1.png", string(make([]byte, pictureSize)))
	process.WriteFile(t, dir, "site/images/2.png", string(make([]byte, pictureSize)))
	process.WriteFile(t, dir, "site/film.bin", string(make([]byte, filmSize)))
	process.WriteFile(t, dir, "site/page.html", "<h1>A page</h1>\n")
	if err := os.Chmod(dir, 0o755); err != nil { // NGINX's workers are another user
		t.Fatal(err)
	}
	config := process.WriteFile(t, dir, "nginx.conf", fmt.Sprintf(`
daemon off;
master_process off;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	types { text/html html; image/png png; application/octet-stream bin; }
	keepalive_requests 1000000;
	sendfile on;
	server {
		listen %[2]s;
		root %[1]s/site;
		%[3]s
	}
}
`, dir, address, locations))
	return startServer(t, "nginx "+name, address, func() *exec.Cmd { return exec.Command("nginx", "-p", dir, "-c", config) })
}

// behind is the location with which NGINX hands requests on to a server, over connections it keeps.
func behind(s *server) string {
	return fmt.Sprintf(`
		location / {
			proxy_pass http://%s;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
		}
		location /images/ {}
`, s.address)
}
