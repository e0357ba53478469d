package wordpress

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"yadokari/test/gauntlet/stack"
)

// Breakages are what goes wrong with new sides of a blog.
func (b *Blog) Breakages() []*stack.Breakage {
	return []*stack.Breakage{
		setting("wrong-password", "500 on every page: no database", "DB_PASSWORD", "'another one'"),
		{Name: "missing-extension", What: "500 on every page: PHP without mysqli", Break: func(_ *testing.T, s *stack.Side) {
			s.Extensions = slices.DeleteFunc(s.Extensions, func(e string) bool { return e == "mysqli" })
		}},
		code("fatal-half-page", "status 200 and half a page: PHP dies after the head", `add_action('loop_end', fn() => not_there());`),
		code("empty-page", "status 200 and nothing: the page ends before it begins", `add_action('template_redirect', function () { exit; });`),
		{Name: "other-salts", What: "sessions end: other keys and salts", Break: func(_ *testing.T, s *stack.Side) {
			for _, key := range salts {
				s.Settings[key] = "'another secret of " + key + "'"
			}
		}},
		setting("cookie-domain", "nobody can sign in: cookies of another domain", "COOKIE_DOMAIN", "'old.example'"),
		setting("login-loop", "the login leads to the login: cookies of another path", "ADMIN_COOKIE_PATH", "'/blog/wp-admin'"),
		{Name: "missing-uploads", What: "404 on every picture: an empty folder of uploads", Break: func(t *testing.T, s *stack.Side) {
			uploads(t, s, filepath.Join(stack.Folder(t), "empty"))
		}},
		{Name: "empty-uploads", What: "pictures of no bytes: the files were made but not copied", Break: hollow},
		{Name: "uploads-readonly", What: "uploads are refused: the folder belongs to another user", Break: func(_ *testing.T, s *stack.Side) {
			s.User = "nobody"
		}},
		{Name: "wrong-site-url", What: "links, assets and redirects of the old host", Break: func(_ *testing.T, s *stack.Side) {
			s.Settings["WP_HOME"], s.Settings["WP_SITEURL"] = "'http://old.example'", "'http://old.example'"
		}},
		{Name: "missing-rewrite", What: "404 on every page but the first: no rewrite rules", Break: func(_ *testing.T, s *stack.Side) {
			s.Locations = strings.Replace(s.Locations, " /index.php?$args", " =404", 1)
		}},
		server("assets-403", "403 on every stylesheet and script", `location ~ \.(css|js)$ { deny all; }`),
		server("wrong-mime", "stylesheets and scripts as plain text, which browsers refuse",
			`location ~ \.(css|js)$ { types { } default_type text/plain; add_header X-Content-Type-Options nosniff; }`),
		server("gzip-header", "plain text that says it is gzip", `gzip off; location ~ \.php$ { add_header Content-Encoding gzip; try_files $uri =404; FASTCGI }`),
		code("content-length", "a Content-Length that is too long",
			`ob_start(function ($page) { header('Content-Length: ' . (strlen($page) + 100)); return $page; });`),
		server("upload-413", "uploads are refused: 413 above 16 KiB", "client_max_body_size 16k;"),
		{Name: "upload-limit", What: "uploads are refused by PHP: its limit is small", Break: func(_ *testing.T, s *stack.Side) {
			s.INI["upload_max_filesize"] = "16K"
		}},
		{Name: "warnings", What: "warnings are printed into pages", Break: func(_ *testing.T, s *stack.Side) {
			s.Settings["WP_DEBUG"], s.Settings["WP_DEBUG_DISPLAY"] = "true", "true"
		}},
		code("one-in-twenty", "one page in twenty is a 500",
			`add_action('init', function () { if (mt_rand(1, 20) === 1) not_there(); });`),
		code("killed", "one request in ten kills its process", `add_action('init', function () { if (mt_rand(1, 10) === 1) posix_kill(getpid(), 9); });`),
		{Name: "memory-limit", What: "heavy pages are a 500: little memory", Break: func(_ *testing.T, s *stack.Side) {
			s.INI["memory_limit"] = "64M"
			s.Settings["WP_MEMORY_LIMIT"], s.Settings["WP_MAX_MEMORY_LIMIT"] = "'64M'", "'64M'"
		}},
		code("slow-dns", "every page takes a second more", `sleep(1);`),
		setting("nonces", "forms of people with an account are refused with 403: nonces hold for one request", "NONCE_SALT", "uniqid()"),
		server("posts-403", "403 on every form: a firewall", "if ($request_method = POST) { return 403; }"),
		server("https-loop", "every page leads to itself by https", "return 301 https://$host$request_uri;"),
		server("admin-403", "403 on every page for people with an account: a rule for the wrong addresses",
			`location ^~ /wp-admin/ { location ~ \.php$ { deny all; } }`),
		code("timezone", "dates in another time zone", `add_filter('pre_option_timezone_string', fn() => 'Pacific/Auckland');
add_filter('pre_option_date_format', fn() => 'm/d/Y');`),
		{Name: "missing-theme", What: "status 200 and nothing: the theme is not in the image", Break: func(t *testing.T, s *stack.Side) {
			remove(t, s, "wp-content/themes/twentytwentyone")
		}},
		{Name: "missing-styles", What: "404 on the theme's stylesheet", Break: func(t *testing.T, s *stack.Side) {
			remove(t, s, "wp-content/themes/twentytwentyone/style.css")
		}},
		setting("readonly-database", "nothing can be written: a user who may only read", "DB_USER", "'blog_read'"),
		{Name: "no-mail", What: "no mail is sent, and who asks for one is told so", Break: func(_ *testing.T, s *stack.Side) {
			s.INI["sendmail_path"] = "/bin/false"
		}},
		{Name: "one-address", What: "429 on comments: all users have the balancer's address", Break: func(_ *testing.T, s *stack.Side) {
			s.RealIP = false
		}},
		{Name: "no-opcache", What: "pages take several times as long: no opcache", Break: func(_ *testing.T, s *stack.Side) {
			s.INI["opcache.enable"] = "0"
		}},
		code("search-empty", "search finds nothing", `add_action('pre_get_posts', function ($q) { if ($q->is_search()) $q->set('post__in', [0]); });`),
	}
}

// setting is a breakage by one setting.
func setting(name, what, key, value string) *stack.Breakage {
	return &stack.Breakage{Name: name, What: what, Break: func(_ *testing.T, s *stack.Side) { s.Settings[key] = value }}
}

// code is a breakage by PHP.
func code(name, what, php string) *stack.Breakage {
	return &stack.Breakage{Name: name, What: what, Break: func(_ *testing.T, s *stack.Side) { s.Code = "\n" + php + "\n" }}
}

// server is a breakage by NGINX's configuration.
func server(name, what, lines string) *stack.Breakage {
	return &stack.Breakage{Name: name, What: what, Break: func(_ *testing.T, s *stack.Side) {
		s.Locations = lines + s.Locations
	}}
}

func remove(t *testing.T, s *stack.Side, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(s.Root, name)); err != nil {
		t.Fatal(err)
	}
}

// uploads gives a side a folder of uploads of its own.
func uploads(t *testing.T, s *stack.Side, folder string) {
	t.Helper()
	remove(t, s, "wp-content/uploads")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(folder, filepath.Join(s.Root, "wp-content/uploads")); err != nil {
		t.Fatal(err)
	}
}

// hollow gives a side uploads of the right names without content.
func hollow(t *testing.T, s *stack.Side) {
	t.Helper()
	from, err := filepath.EvalSymlinks(filepath.Join(s.Root, "wp-content/uploads"))
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(stack.Folder(t), "hollow")
	err = filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(folder, strings.TrimPrefix(path, from))
		if entry.IsDir() {
			return os.MkdirAll(to, 0o777)
		}
		return os.WriteFile(to, nil, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	uploads(t, s, folder)
}
