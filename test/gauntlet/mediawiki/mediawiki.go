// Package mediawiki is Debian's MediaWiki for the gauntlet: installed with content and accounts, run as many times
// as there are sides, used by people, and broken in the ways that new sides are.
package mediawiki

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"yadokari/test/gauntlet/stack"
	"yadokari/test/process"
)

// site is where people find the wiki.
const site = "http://wiki.example"

const (
	password = "the-real-one"
	code     = "/usr/share/mediawiki"
)

var (
	//go:embed seed.php
	seed string
	//go:embed site.php
	own string
)

// Wiki is an installed MediaWiki: one database, one folder of uploads, and Debian's code, which reads a
// configuration of its own on each side.
type Wiki struct {
	database       *stack.Database
	uploads, cache string
}

// Install makes a wiki for the time of the test.
func Install(t *testing.T, database *stack.Database) *Wiki {
	t.Helper()
	dir := stack.Folder(t)
	w := &Wiki{database: database, uploads: filepath.Join(dir, "uploads"), cache: filepath.Join(dir, "cache")}
	database.Create(t, "wiki", password)
	stack.Run(t, exec.Command("install", "--directory", "--owner=www-data", "--mode=755", w.uploads))
	stack.Run(t, exec.Command("install", "--directory", "--owner=www-data", "--mode=777", w.cache))

	stack.Run(t, exec.Command("php", code+"/maintenance/install.php", "--dbtype=mysql", "--dbserver=localhost:"+database.Socket,
		"--dbname=wiki", "--dbuser=wiki", "--dbpass="+password, "--confpath="+dir, "--scriptpath=/w", "--server="+site,
		"--pass=admin-password-1", "The Gauntlet", "Admin"))
	s := w.side(t, "install")
	w.configure(t, s)
	fill := exec.Command("setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups",
		"php", process.WriteFile(t, dir, "seed.php", seed))
	fill.Env = append(os.Environ(), "MW_CONFIG_FILE="+s.Env["MW_CONFIG_FILE"])
	stack.Run(t, fill)
	return w
}

// Site is the URL under which people know it.
func (w *Wiki) Site() string { return site }

// Start runs a side, broken if a breakage is given.
func (w *Wiki) Start(t *testing.T, name string, breakage *stack.Breakage) *stack.Side {
	t.Helper()
	s := w.side(t, name)
	if breakage != nil {
		breakage.Break(t, s)
	}
	w.configure(t, s)
	s.Start(t)
	s.Warm(t, site, "/wiki/Main_Page", "/wiki/Article_1", "/wiki/Special:UserLogin", "/w/index.php?title=Article_1&action=edit",
		"/w/load.php?lang=en&modules=startup&only=scripts&raw=1&skin=vector", "/wiki/Main_Page")
	return s
}

const locations = `
	absolute_redirect off;
	location = / { return 301 /wiki/Main_Page; }
	location = /robots.txt { return 200 "User-agent: *\n"; }
	location /wiki/ { rewrite ^ /w/index.php last; }
	location ~ ^/w/[a-z_]+\.php$ { FASTCGI }
	location /w/resources/ { expires 1h; }
	location /w/skins/ { expires 1h; }
	location /images/ { expires 1h; }
	location / { return 404; }
`

// side lays what NGINX serves for a side in good order.
func (w *Wiki) side(t *testing.T, name string) *stack.Side {
	t.Helper()
	dir := stack.Folder(t)
	s := stack.NewSide(name)
	s.Root = filepath.Join(dir, "root")
	s.Locations = locations
	if err := os.Mkdir(s.Root, 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"w": code, "images": w.uploads} {
		if err := os.Symlink(to, filepath.Join(s.Root, link)); err != nil {
			t.Fatal(err)
		}
	}
	s.Env["MW_CONFIG_FILE"] = filepath.Join(dir, "LocalSettings.php")
	s.Settings = map[string]string{
		"Sitename": "'The Gauntlet'", "ScriptPath": "'/w'", "ArticlePath": "'/wiki/$1'", "Server": "'" + site + "'",
		"DBtype": "'mysql'", "DBserver": "'localhost:" + w.database.Socket + "'", "DBname": "'wiki'", "DBuser": "'wiki'",
		"DBpassword": "'" + password + "'", "EnableUploads": "true", "UploadDirectory": "'" + filepath.Join(s.Root, "images") + "'",
		"UploadPath": "'/images'", "MainCacheType": "CACHE_ACCEL", "SessionCacheType": "CACHE_DB", "ParserCacheType": "CACHE_DB",
		"CacheDirectory": "'" + w.cache + "'", "SecretKey": "'" + strings.Repeat("5ec4e7", 10) + "'", "DefaultSkin": "'vector'",
		"JobRunRate": "0", "RateLimits": "[]", "PasswordAttemptThrottle": "false", "UseImageMagick": "false", "PhpCli": "false",
		"ShowExceptionDetails": "false", "LanguageCode": "'en'",
	}
	return s
}

// configure writes a side's configuration.
func (w *Wiki) configure(t *testing.T, s *stack.Side) {
	t.Helper()
	var config strings.Builder
	fmt.Fprintln(&config, "<?php")
	for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
		fmt.Fprintf(&config, "$wg%s = %s;\n", name, s.Settings[name])
	}
	file := s.Env["MW_CONFIG_FILE"]
	process.WriteFile(t, filepath.Dir(file), filepath.Base(file), config.String()+own+s.Code)
}
