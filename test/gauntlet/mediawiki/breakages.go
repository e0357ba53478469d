package mediawiki

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"yadokari/test/gauntlet/stack"
)

// Breakages are what goes wrong with new sides of a wiki.
func (w *Wiki) Breakages() []*stack.Breakage {
	return []*stack.Breakage{
		setting("wrong-password", "500 on every page: no database", "DBpassword", "'another one'"),
		{Name: "missing-extension", What: "500 on every page: PHP without intl", Break: func(_ *testing.T, s *stack.Side) {
			without(s, "intl")
		}},
		{Name: "missing-gd", What: "pictures are errors: PHP without gd", Break: func(_ *testing.T, s *stack.Side) {
			without(s, "gd")
			s.Settings["ThumbnailEpoch"] = "wfTimestampNow()" // those of the other side are no help
		}},
		inside("half-page", "status 200 and half a page", `ob_start( fn ( $page ) => substr( $page, 0, intdiv( strlen( $page ), 2 ) ) );`),
		inside("empty-page", "status 200 and nothing: articles end before they begin",
			`$wgHooks['BeforePageDisplay'][] = function () { while ( ob_get_level() ) ob_end_clean(); exit; };`),
		setting("other-cookies", "sessions end: cookies of another name", "CookiePrefix", "'container'"),
		setting("cookie-domain", "nobody can sign in: cookies of another domain", "CookieDomain", "'old.example'"),
		setting("secure-cookies", "nobody can sign in: cookies for https only", "CookieSecure", "true"),
		setting("lost-sessions", "nobody can sign in: sessions are kept nowhere", "SessionCacheType", "CACHE_NONE"),
		{Name: "missing-uploads", What: "404 on every picture: an empty folder of uploads", Break: func(t *testing.T, s *stack.Side) {
			empty(t, s)
		}},
		{Name: "uploads-readonly", What: "uploads are refused: the folder belongs to another user", Break: func(_ *testing.T, s *stack.Side) {
			s.User = "nobody"
		}},
		setting("wrong-server", "redirects to the old host", "Server", "'http://old.example'"),
		{Name: "missing-rewrite", What: "404 on every article: no rewrite rule", Break: func(_ *testing.T, s *stack.Side) {
			s.Locations = strings.Replace(s.Locations, "rewrite ^ /w/index.php last;", "return 404;", 1)
		}},
		server("assets-403", "403 on every stylesheet and script", `location = /w/load.php { deny all; } location ^~ /w/skins/ { deny all; }`),
		server("gzip-header", "plain text that says it is gzip",
			`gzip off; location = /w/index.php { add_header Content-Encoding gzip; FASTCGI }`),
		server("upload-413", "uploads are refused: 413 above 16 KiB", "client_max_body_size 16k;"),
		{Name: "warnings", What: "warnings are printed into pages", Break: func(_ *testing.T, s *stack.Side) {
			s.INI["display_errors"] = "1"
		}},
		inside("one-in-twenty", "one page in twenty is a 500", `if ( mt_rand( 1, 20 ) === 1 ) not_there();`),
		inside("killed", "one request in ten kills its process", `if ( mt_rand( 1, 10 ) === 1 ) posix_kill( getpid(), 9 );`),
		{Name: "memory-limit", What: "heavy pages are a 500: little memory", Break: func(_ *testing.T, s *stack.Side) {
			s.INI["memory_limit"] = "64M"
			s.Settings["MemoryLimit"] = "'64M'"
		}},
		inside("slow-dns", "every page takes a second more", `sleep( 1 );`),
		server("posts-403", "403 on every form: a firewall", "if ($request_method = POST) { return 403; }"),
		setting("https-loop", "every page leads to itself by https", "ForceHTTPS", "true"),
		setting("language", "pages in another language", "LanguageCode", "'de'"),
		setting("missing-skin", "pages without their skin, which is not in the image", "DefaultSkin", "'citizen'"),
		setting("readonly-database", "nothing can be written: a user who may only read", "DBuser", "'wiki_read'"),
		setting("readonly-wiki", "forms are gone: the wiki says that it is read-only", "ReadOnly", "'We are moving.'"),
		{Name: "no-opcache", What: "pages take several times as long: no opcache", Break: func(_ *testing.T, s *stack.Side) {
			s.INI["opcache.enable"] = "0"
		}},
		server("api-403", "403 on the API: a rule for the wrong addresses", "location = /w/api.php { deny all; }"),
	}
}

// setting is a breakage by one setting.
func setting(name, what, key, value string) *stack.Breakage {
	return &stack.Breakage{Name: name, What: what, Break: func(_ *testing.T, s *stack.Side) { s.Settings[key] = value }}
}

// inside is a breakage by PHP.
func inside(name, what, php string) *stack.Breakage {
	return &stack.Breakage{Name: name, What: what, Break: func(_ *testing.T, s *stack.Side) { s.Code = "\n" + php + "\n" }}
}

// server is a breakage by NGINX's configuration.
func server(name, what, lines string) *stack.Breakage {
	return &stack.Breakage{Name: name, What: what, Break: func(_ *testing.T, s *stack.Side) { s.Locations = lines + s.Locations }}
}

func without(s *stack.Side, extension string) {
	s.Extensions = slices.DeleteFunc(s.Extensions, func(e string) bool { return e == extension })
}

// empty gives a side a folder of uploads of its own.
func empty(t *testing.T, s *stack.Side) {
	t.Helper()
	link := filepath.Join(s.Root, "images")
	folder := filepath.Join(stack.Folder(t), "empty")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(folder, link); err != nil {
		t.Fatal(err)
	}
}
