package journeys

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"yadokari/test/process"
)

// nginx is one NGINX that serves a static site.
type nginx struct {
	*process.Process
	address, log string
}

// startNGINX serves files (by path) on a free port. Every answer says which side made it; the log has
// one line a request with its method, target as it came, and the body's length.
func startNGINX(t *testing.T, name string, files map[string]string) *nginx {
	t.Helper()
	dir := t.TempDir()
	n := &nginx{address: process.FreeAddress(t), log: filepath.Join(dir, "access.log")}
	for path, text := range files {
		process.WriteFile(t, filepath.Join(dir, "site"), path, text)
	}
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
	log_format seen '$request_method $request_uri $request_length';
	access_log %[1]s/access.log seen;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	types { text/html html; application/json json; text/plain txt; }
	keepalive_requests 100000;
	server {
		listen %[2]s;
		root %[1]s/site;
		add_header X-Side %[3]s always;
		location = /p { client_max_body_size 1m; return 200 "taken\n"; }
	}
}
`, dir, n.address, name))
	n.Process = process.Start(t, "nginx "+name, exec.Command("nginx", "-p", dir, "-c", config))
	n.Listening(t, n.address)
	return n
}

// seen are the requests in the log, without the length.
func (n *nginx) seen(t *testing.T) []string {
	t.Helper()
	text := string(must[[]byte](t)(os.ReadFile(n.log)))
	var list []string
	for line := range strings.Lines(text) {
		if at := strings.LastIndexByte(strings.TrimSpace(line), ' '); at >= 0 {
			list = append(list, line[:at])
		}
	}
	return list
}
