package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"yadokari/admin"
	"yadokari/admin/client"
	"yadokari/config"
)

// remote is what verbs that talk to a running gateway, or agent, have in common.
type remote struct {
	env       *environment
	ofAgent   bool
	admin     string
	tokenFile string
	ca        string
	cert, key string
	as        string
}

// addFlags gives the flags to a verb and all verbs below it.
func (r *remote) addFlags(command *cobra.Command) {
	flags := command.PersistentFlags()
	whose, variable := "gateway", "YADOKARI_ADMIN"
	if r.ofAgent {
		whose, variable = "agent", "YADOKARI_AGENT_ADMIN"
	}
	flags.StringVar(&r.admin, "admin", r.env.getenv(variable),
		fmt.Sprintf("the %s's admin port (`URL`); %s, or the file's %s.admin, is its default", whose, variable, whose))
	flags.StringVar(&r.tokenFile, "token-file", r.env.getenv("YADOKARI_TOKEN_FILE"), "a `file` that holds the token; YADOKARI_TOKEN_FILE is its default")
	flags.StringVar(&r.ca, "ca", "", "a PEM `file` of the authorities trusted for https")
	flags.StringVar(&r.cert, "cert", "", "a PEM `file` of the client certificate")
	flags.StringVar(&r.key, "key", "", "a PEM `file` of its key")
	flags.StringVar(&r.as, "as", "", "who acts, for the ledger (`name`), on a port without tokens; default: the user")
}

// open connects to the admin port that was named, or that the file names.
func (r *remote) open() (*client.Client, error) {
	as := r.as
	if as == "" {
		if u, err := user.Current(); err == nil {
			as = u.Username
		}
	}
	return client.New(client.Options{
		URL: r.url(), TokenFile: r.tokenFile, CA: r.ca, Cert: r.cert, Key: r.key, Actor: as,
	})
}

func (r *remote) url() string {
	if r.admin != "" {
		return r.admin
	}
	usual := "http://127.0.0.1:8081"
	if r.ofAgent {
		usual = "http://127.0.0.1:8082"
	}
	if _, err := os.Stat(r.env.config); errors.Is(err, fs.ErrNotExist) && r.env.config == usualFile {
		return usual // no file here: it runs with one that is elsewhere
	}
	file, err := r.env.load()
	if err != nil { // a rollback must not wait until the file is mended
		first, _, _ := strings.Cut(err.Error(), "\n")
		_, _ = fmt.Fprintf(r.env.err, "%s; so %s is asked: name another with --admin\n", first, usual)
		return usual
	}
	var listen admin.Config
	switch c := &file.Config; {
	case r.ofAgent && c.Agent != nil:
		listen = c.Agent.Admin
	case !r.ofAgent && c.Gateway != nil:
		listen = c.Gateway.Admin
	default:
		return usual
	}
	scheme := "http://"
	if listen.TLS != nil {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(listen.Listen)
	if err != nil {
		return usual
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return scheme + net.JoinHostPort(host, port)
}

// call makes one call and returns its answer.
func call[T any](ctx context.Context, r *remote, method, path string, in any) (T, error) {
	var out T
	c, err := r.open()
	if err != nil {
		return out, err
	}
	return out, c.Do(ctx, method, path, in, &out)
}

// routeNames completes the name of a route from the file.
func (r *remote) routeNames(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	_, routes := config.Names(r.env.config)
	return routes, cobra.ShellCompDirectiveNoFileComp
}

// row writes cells that become columns.
func row(w io.Writer, cells ...string) {
	for i, c := range cells {
		cells[i] = cmp.Or(strings.TrimSpace(c), "-")
	}
	_, _ = io.WriteString(w, strings.Join(cells, "\t")+"\n") // into memory: print flushes
}
