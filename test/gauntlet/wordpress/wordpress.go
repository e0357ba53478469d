// Package wordpress is Debian's WordPress for the gauntlet: installed with content and accounts, run as many
// times as there are sides, used by people, and broken in the ways that new sides are.
package wordpress

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

// site is where people find the blog.
const site = "http://blog.example"

const password = "the-real-one"

var (
	//go:embed install.php
	install string
	//go:embed site.php
	plugin string
)

// Blog is an installed WordPress: one database, one folder of uploads, and its code, of which each side has a
// tree of its own.
type Blog struct {
	database      *stack.Database
	code, uploads string
}

// Install makes a blog for the time of the test.
func Install(t *testing.T, database *stack.Database) *Blog {
	t.Helper()
	dir := stack.Folder(t)
	b := &Blog{database: database, code: filepath.Join(dir, "code"), uploads: filepath.Join(dir, "uploads")}
	database.Create(t, "blog", password)
	// Debian shares some files with other packages, by links; WordPress finds itself by where its files are.
	stack.Run(t, exec.Command("cp", "--archive", "--dereference", "/usr/share/wordpress", b.code))
	stack.Run(t, exec.Command("install", "--directory", "--owner=www-data", "--mode=755", b.uploads))

	s := b.side(t, "install")
	b.configure(t, s)
	command := exec.Command("setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups",
		"php", "-d", "display_errors=stderr", process.WriteFile(t, dir, "install.php", install), s.Root)
	command.Env = append(os.Environ(), "GAUNTLET_SITE="+site)
	stack.Run(t, command)
	return b
}

// Site is the URL under which people know it.
func (b *Blog) Site() string { return site }

// Start runs a side, broken if a breakage is given.
func (b *Blog) Start(t *testing.T, name string, breakage *stack.Breakage) *stack.Side {
	t.Helper()
	s := b.side(t, name)
	if breakage != nil {
		breakage.Break(t, s)
	}
	b.configure(t, s)
	s.Start(t)
	s.Warm(t, site, "/", "/post-1/", "/?s=kettle", "/wp-login.php", "/feed/", "/")
	return s
}

const locations = `
	location / { try_files $uri $uri/ /index.php?$args; }
	location ~ \.php$ { try_files $uri =404; FASTCGI }
	location ~ \.(css|js|png|jpg|jpeg|gif|svg|woff2)$ { expires 1h; try_files $uri =404; }
`

// side lays a tree for a side in good order.
func (b *Blog) side(t *testing.T, name string) *stack.Side {
	t.Helper()
	s := stack.NewSide(name)
	s.Root = filepath.Join(stack.Folder(t), "blog")
	s.Locations = locations
	stack.Run(t, exec.Command("cp", "--archive", "--link", b.code, s.Root))
	if err := os.Symlink(b.uploads, filepath.Join(s.Root, "wp-content/uploads")); err != nil {
		t.Fatal(err)
	}
	s.Settings = map[string]string{
		"DB_NAME": "'blog'", "DB_USER": "'blog'", "DB_PASSWORD": "'" + password + "'", "DB_HOST": "'localhost:" + b.database.Socket + "'",
		"DB_CHARSET": "'utf8mb4'", "DB_COLLATE": "''", "WP_HOME": "'" + site + "'", "WP_SITEURL": "'" + site + "'",
		"DISABLE_WP_CRON": "true", "WP_HTTP_BLOCK_EXTERNAL": "true", "AUTOMATIC_UPDATER_DISABLED": "true",
		"WP_MEMORY_LIMIT": "'256M'",
	}
	for _, key := range salts {
		s.Settings[key] = "'the secret of " + key + "'"
	}
	return s
}

var salts = []string{
	"AUTH_KEY", "SECURE_AUTH_KEY", "LOGGED_IN_KEY", "NONCE_KEY", "AUTH_SALT", "SECURE_AUTH_SALT", "LOGGED_IN_SALT", "NONCE_SALT",
}

// configure writes a side's configuration and plugin.
func (b *Blog) configure(t *testing.T, s *stack.Side) {
	t.Helper()
	var config strings.Builder
	fmt.Fprintln(&config, "<?php")
	for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
		fmt.Fprintf(&config, "define('%s', %s);\n", name, s.Settings[name])
	}
	fmt.Fprint(&config, `$table_prefix = 'wp_';
if (($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') $_SERVER['HTTPS'] = 'on';
require_once ABSPATH . 'wp-settings.php';
`)
	replace(t, s.Root, "wp-config.php", config.String())
	replace(t, s.Root, "wp-content/mu-plugins/site.php", plugin+s.Code)
}

// replace writes a file anew: the one that was there may be the same as another tree's.
func replace(t *testing.T, root, name, text string) {
	t.Helper()
	_ = os.Remove(filepath.Join(root, name))
	process.WriteFile(t, root, name, text)
}
