package stack

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"yadokari/test/process"
)

// Side is one instance of an application: NGINX with a pool of PHP processes behind it. Its fields can be
// changed until it starts.
type Side struct {
	Name string
	// Root is the folder of what NGINX serves.
	Root string
	// Locations are NGINX's lines for the application's URLs; FastCGI stands for those that hand a request
	// to PHP.
	Locations string
	// Server are more lines of the server, MIME those of NGINX's types.
	Server, MIME string
	// Settings are PHP expressions of the application's configuration, by name, and Code is PHP that runs
	// inside the application.
	Settings map[string]string
	Code     string
	// RealIP takes the user's address from what the gateway says of it.
	RealIP bool
	// Extensions are PHP's, in the order of loading; INI are its other settings, Env its environment.
	Extensions []string
	INI        map[string]string
	Env        map[string]string
	// User is the one whom PHP's processes run as, Children how many there are.
	User     string
	Children int

	// Address is host:port, once it runs.
	Address string
	dir     string
}

// FastCGI is replaced in Locations by what hands a request to PHP.
const FastCGI = "FASTCGI"

// NewSide is a side in good order.
func NewSide(name string) *Side {
	return &Side{
		Name: name, RealIP: true, User: "www-data", Children: 6,
		MIME: `text/html html; text/css css; application/javascript js; image/png png; image/jpeg jpg jpeg;
			image/svg+xml svg; image/gif gif; font/woff2 woff2; application/json json;`,
		Extensions: []string{
			"mysqlnd", "ctype", "dom", "exif", "fileinfo", "gd", "iconv", "intl", "mbstring", "mysqli", "posix",
			"simplexml", "tokenizer", "xml", "xmlreader", "apcu",
		},
		INI: map[string]string{
			"opcache.enable": "1", "opcache.memory_consumption": "128", "opcache.max_accelerated_files": "16000",
			"opcache.revalidate_freq": "60", "memory_limit": "256M", "upload_max_filesize": "8M", "post_max_size": "8M",
			"display_errors": "0", "log_errors": "1", "output_buffering": "4096", "sendmail_path": "/bin/true",
			"date.timezone": "UTC", "apc.shm_size": "64M",
		},
		Env:      map[string]string{"PATH": "/usr/bin:/bin"},
		Settings: map[string]string{},
	}
}

// Start runs the side until the test ends.
func (s *Side) Start(t *testing.T) {
	t.Helper()
	s.dir = Folder(t)
	s.Address = process.FreeAddress(t)
	s.startPHP(t)
	s.startNGINX(t)
}

func (s *Side) startPHP(t *testing.T) {
	t.Helper()
	var ini, pool strings.Builder
	fmt.Fprintln(&ini, "zend_extension=opcache")
	for _, e := range s.Extensions {
		fmt.Fprintf(&ini, "extension=%s\n", e)
	}
	for _, key := range slices.Sorted(maps.Keys(s.INI)) {
		fmt.Fprintf(&ini, "%s=%q\n", key, s.INI[key])
	}
	fmt.Fprintf(&pool, `[global]
daemonize = no
error_log = %[1]s/php.log
[www]
listen = %[1]s/php.sock
listen.mode = 0666
listen.backlog = 1024
user = %[2]s
pm = static
pm.max_children = %[3]d
php_admin_value[error_log] = %[1]s/app.log
`, s.dir, s.User, s.Children)
	for _, key := range slices.Sorted(maps.Keys(s.Env)) {
		fmt.Fprintf(&pool, "env[%s] = %q\n", key, s.Env[key])
	}
	if err := os.WriteFile(filepath.Join(s.dir, "app.log"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(s.dir, "app.log"), 0o666); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("php-fpm8.2", "--nodaemonize",
		"--php-ini", process.WriteFile(t, s.dir, "php.ini", ini.String()),
		"--fpm-config", process.WriteFile(t, s.dir, "fpm.conf", pool.String()))
	command.Env = append(os.Environ(), "PHP_INI_SCAN_DIR=")
	php := start(t, "PHP of "+s.Name, command)
	process.Eventually(t, "PHP of "+s.Name+" listens", func() bool {
		php.MustRun(t)
		_, err := os.Stat(filepath.Join(s.dir, "php.sock"))
		return err == nil
	})
}

func (s *Side) startNGINX(t *testing.T) {
	t.Helper()
	realIP := ""
	if s.RealIP {
		realIP = "set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For;"
	}
	fastCGI := fmt.Sprintf("include /etc/nginx/fastcgi.conf; fastcgi_read_timeout 60s; fastcgi_pass unix:%s/php.sock;", s.dir)
	config := process.WriteFile(t, s.dir, "nginx.conf", fmt.Sprintf(`
daemon off;
user www-data;
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/nginx.log;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	types { %[2]s }
	default_type application/octet-stream;
	keepalive_requests 100000;
	client_max_body_size 8m;
	gzip on; gzip_comp_level 1; gzip_types text/css application/javascript application/json;
	%[3]s
	server {
		listen %[4]s;
		root %[5]s;
		index index.php index.html;
		%[6]s
		%[7]s
	}
}
`, s.dir, s.MIME, realIP, s.Address, s.Root, s.Server, strings.ReplaceAll(s.Locations, FastCGI, fastCGI)))
	start(t, "NGINX of "+s.Name, exec.Command("nginx", "-e", filepath.Join(s.dir, "start.log"), "-p", s.dir, "-c", config)).
		Listening(t, s.Address)
}

// Warm asks for pages until PHP has compiled what they need, as a readiness probe does before users come.
// What it answers does not matter here.
func (s *Side) Warm(t *testing.T, site string, paths ...string) {
	t.Helper()
	at, err := url.Parse(site)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	var under sync.WaitGroup
	for range s.Children {
		under.Go(func() {
			for _, path := range paths {
				r, err := http.NewRequest(http.MethodGet, "http://"+s.Address+path, nil)
				if err != nil {
					continue
				}
				r.Host = at.Host
				if answer, err := client.Do(r); err == nil {
					_, _ = io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
				}
			}
		})
	}
	under.Wait()
}

// Log is what PHP and NGINX have complained about.
func (s *Side) Log() string {
	var all strings.Builder
	for _, name := range []string{"app.log", "php.log", "nginx.log"} {
		if text, err := os.ReadFile(filepath.Join(s.dir, name)); err == nil {
			all.Write(text)
		}
	}
	return all.String()
}
