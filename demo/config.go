package demo

import (
	"os"
	"path/filepath"
	"text/template"
)

// The three routes of the demonstration, and what happens to each.
const (
	fineRoute   = "wiki"   // moves to the end
	brokenRoute = "issues" // breaks on the new side from its 5% stage on
	slowRoute   = "board"  // is slower on the new side from the start
)

// file is the configuration of the demonstration: that of a real gateway, with shorter holds.
var file = template.Must(template.New("yadokari.yaml").Parse(`app: tracker
gateway:
  listen: "127.0.0.1:{{.Port}}"
  admin: "127.0.0.1:{{.AdminPort}}"
  state: {{printf "%q" .State}}
  accessLog: {{printf "%q" .AccessLog}}
  shutdown: {deregister: 0s, drain: 10s}
  backends:
    vm: {servers: [{{printf "%q" .VM}}]}
    containers: {servers: [{{printf "%q" .Containers}}]}
  sticky: {cookie: SESSION}
  routes:
    - name: wiki
      match: ["/wiki/"]
      shift: {stages: [mirror, 5%, 25%, 50%, 100%], hold: 2s, minRequests: 50}
      mirror: {rate: 40%}
    - name: issues
      match: ["/issues", "/issues/"]
      shift: {stages: [mirror, 5%, 25%, 100%], hold: 2s, minRequests: 50}
      mirror: {rate: 40%}
    - name: board
      match: ["/board", "/board/"]
      shift: {stages: [5%, 25%, 100%], hold: 10s, minRequests: 50, tolerate: {p50: 50%, slowFor: 3s}}
    - name: rest
      match: ["/"]
`))

// settings are what the file's template needs.
type settings struct {
	Port, AdminPort  int
	State, AccessLog string
	VM, Containers   string
	dir              string // where all of it is
}

// write makes the file in dir and returns its path.
func (s *settings) write() (string, error) {
	path := filepath.Join(s.dir, "yadokari.yaml")
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	if err := file.Execute(f, s); err != nil {
		_ = f.Close()
		return "", err
	}
	return path, f.Close()
}
