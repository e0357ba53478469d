package stop

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"text/template"
)

//go:embed forms/*.yaml
var files embed.FS

var templates = template.Must(template.ParseFS(files, "forms/*.yaml"))

// form is one way in which the agent stands beside the app.
type form struct {
	name  string
	agent string // its container
	keep  string // how mail waits: more keys of agent.mail
	// shutdown are more keys of agent.shutdown.
	shutdown string
	marker   string // of the app
}

// forms are all of them, with a queue of another kind in each.
var forms = []form{
	{
		name: "first", agent: "app",
		keep: `wait: 1s
leftover: {dir: /out/leftover}`,
	},
	{
		name: "native", agent: "agent",
		keep: `wait: 0s
spool: /spool
leftover: {dir: /out/leftover, spool: true}`,
		shutdown: "quiet: 500ms",
	},
	{
		name: "second", agent: "agent",
		keep: `wait: 0s
leftover: {dir: /out/leftover}`,
		shutdown: `marker: /run/app/stopped
ports: ["127.0.0.1:8080"]
files: [/out/*.log]`,
		marker: "/run/app/stopped",
	},
}

const (
	podGrace = 30 // seconds
	grace    = 25
)

// place is where a deployment of a form stands.
type place struct {
	service string // its address
	mail    string // its mail server
	logs    string // the section agent.logs
	data    string // folder of this machine that all copies share
	out     string // folder of this machine with a folder for each pod
}

// manifest is the form as objects of Kubernetes.
func (f *form) manifest(t *testing.T, p place) string {
	t.Helper()
	app := []string{
		"-listen=:8080", "-data=/data", "-version=" + f.name, "-audit=/out/audit.log",
		"-mail=smtp", "-mail-address=127.0.0.1:2525", "-mail-log=/out/mail.log", fmt.Sprintf("-mail-workers=%d", mailWorkers),
		"-linger=3s", "-grace=5s", "-fault=" + memoryPath + ":memory",
	}
	if f.marker != "" {
		app = append(app, "-marker="+f.marker)
	}
	args, err := json.Marshal(app)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range []string{"common", f.name} {
		err := templates.ExecuteTemplate(&text, name+".yaml", map[string]any{
			"App": string(args), "Data": p.data, "Out": p.out, "Service": p.service, "Mail": p.mail,
			"Grace": grace, "PodGrace": podGrace, "Keep": indent(f.keep), "Logs": indent(p.logs), "Shutdown": indent(f.shutdown),
			"Ready": `{httpGet: {path: /healthz, port: 8080}, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 10}`,
		})
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n")
	}
	return text.String()
}

func indent(lines string) string {
	return "        " + strings.ReplaceAll(lines, "\n", "\n        ")
}

const (
	memoryPath  = "/memory" // a request for it makes the tracker take memory until it is killed
	mailWorkers = 8         // mails that a tracker hands over at a time
)
