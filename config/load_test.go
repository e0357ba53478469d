package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"yadokari/setting"
)

func write(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "yadokari.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoadNamesAFileThatCannotBeRead(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "none.yaml"), t.TempDir()} {
		_, err := Load(path, "")
		var faults Faults
		if !errors.As(err, &faults) || len(faults) != 1 || !strings.HasPrefix(err.Error(), path+": cannot be read: ") || strings.Count(err.Error(), path) != 1 {
			t.Errorf("got %v", err)
		}
	}
}

func TestExampleIsValid(t *testing.T) {
	files, err := Check("../yadokari.example.yaml", false)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 || files[0].Cluster != "" || files[1].Cluster != "cluster1" || files[2].Cluster != "cluster2" {
		t.Fatalf("got %d files", len(files))
	}
	routes := files[2].Config.Gateway.Routes
	if len(routes) != 3 || routes[0].Shift.Hold != time.Hour || routes[1].Shift.Hold != 10*time.Minute {
		t.Errorf("cluster2's differences are not in force: %+v", routes)
	}
}

func TestPagesOfEveryCluster(t *testing.T) {
	file := write(t, `gateway:
  page: https://all.example
  backends: {vm: {servers: ["http://a"]}}
clusters:
  one: {gateway: {page: "https://one.example/console"}}
  two: {}
  three: {gateway: {page: null}}
`)
	for _, cluster := range []string{"", "two"} {
		f, err := Load(file, cluster)
		if err != nil {
			t.Fatal(err)
		}
		want := []Page{{"one", "https://one.example/console"}, {"two", "https://all.example"}, {"three", ""}}
		if !slices.Equal(f.Pages, want) {
			t.Errorf("got %v, want %v", f.Pages, want)
		}
	}
	for _, page := range []string{"one.example", "javascript:alert(1)", "ftp://one.example", "https://", "https://a?b", "https://me:secret@a"} {
		file := write(t, fmt.Sprintf("gateway:\n  page: %q\n  backends: {vm: {servers: [\"http://a\"]}}\n", page))
		if _, err := Load(file, ""); err == nil || !strings.Contains(err.Error(), "yadokari.yaml:2:9: gateway.page: ") {
			t.Errorf("%s: got %v", page, err)
		}
	}
}

func TestCheckFindsFaultsOfEveryClusterOnce(t *testing.T) {
	file := write(t, `gateway:
  backends: {vm: {servers: ["http://a"]}}
  limits: {idle: 0s}
clusters:
  one: {gateway: {listen: "x"}}
  two: {gateway: {lisen: ":80"}}
  three: [a]
`)
	_, err := Check(file, false)
	var got []string
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v", err)
	}
	for _, f := range faults {
		got = append(got, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Path))
	}
	want := []string{"3:18 gateway.limits.idle", "5:27 gateway.listen", "6:19 gateway.lisen", "7:10 clusters.three"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\n%v", got, err)
	}
	if _, err := Load(file, ""); err == nil || strings.Contains(err.Error(), "lisen") {
		t.Errorf("without a cluster: %v", err)
	}
}

func TestCheckDeepReadsTheFilesNamed(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("too short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := write(t, fmt.Sprintf(`gateway:
  tls: {cert: %[1]s/cert.pem, key: %[1]s/key.pem}
  admin: {listen: "127.0.0.1:0", tokenFile: %[1]s/tokens}
  override: {secretFile: %[1]s/short}
  backends:
    vm: {servers: ["https://a"], ca: %[1]s/short}
`, dir))
	if _, err := Check(file, false); err != nil {
		t.Fatalf("without deep: %v", err)
	}
	files, err := Check(file, true)
	var faults Faults
	if errors.As(err, &faults); len(faults) != 4 {
		t.Fatalf("got %v", err)
	}
	for i, path := range []string{"gateway.tls.cert", "gateway.admin.tokenFile", "gateway.override.secretFile", "gateway.backends.vm.ca"} {
		if f := faults[i]; f.Path != path || f.Line == 0 || !strings.Contains(f.What, dir) {
			t.Errorf("got %v", f)
		}
	}
	if strings.Contains(err.Error(), "too short\n") {
		t.Error("a message shows a secret")
	}
	if again := files[0].CheckFiles(); again == nil || again.Error() != err.Error() {
		t.Errorf("CheckFiles says %v", again)
	}
}

func TestNamesReadsWhatItCan(t *testing.T) {
	file := write(t, `colour: green
gateway: {routes: [{name: wiki}, {name: board, shift: 3}, 7, {match: [/]}]}
clusters: {west: 1, east: {}}
`)
	clusters, routes := Names(file)
	if !slices.Equal(clusters, []string{"west", "east"}) || !slices.Equal(routes, []string{"wiki", "board"}) {
		t.Errorf("got %q and %q", clusters, routes)
	}
	for _, text := range []string{"", "gateway: 3\nclusters: x", "gateway: {routes: {}}", "[", "gateway:"} {
		if clusters, routes := Names(write(t, text)); clusters != nil || routes != nil {
			t.Errorf("%q: got %q and %q", text, clusters, routes)
		}
	}
	if clusters, routes := Names(filepath.Join(t.TempDir(), "none")); clusters != nil || routes != nil {
		t.Error("a file that is not there has names")
	}
}

func TestPlace(t *testing.T) {
	f, err := Parse("f", []byte(`gateway:
  backends:
    vm:
      servers: ["http://a"]
  routes:
    - name: wiki
      match: [/wiki/, /w/]
      shift:
`), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path setting.Path
		want string
	}{
		{nil, "f:1:1"},
		{setting.Path{"app"}, "f:1:1"},
		{setting.Path{"gateway"}, "f:1:1"},
		{setting.Path{"gateway", "listen"}, "f:1:1"},
		{setting.Path{"gateway", "backends", "vm", "connect"}, "f:3:5"},
		{setting.Path{"gateway", "backends", "vm", "servers"}, "f:4:7"},
		{setting.Path{"gateway", "backends", "vm", "servers", 0}, "f:4:17"},
		{setting.Path{"gateway", "backends", "vm", "servers", 7}, "f:4:7"},
		{setting.Path{"gateway", "routes", 0}, "f:6:7"},
		{setting.Path{"gateway", "routes", 0, "name"}, "f:6:13"},
		{setting.Path{"gateway", "routes", 0, "match", 1}, "f:7:23"},
		{setting.Path{"gateway", "routes", 0, "shift", "hold"}, "f:8:7"},
		{setting.Path{"gateway", "routes", "0"}, "f:5:3"},
		{setting.Path{3.5}, "f:1:1"},
	} {
		if got := f.Place(c.path); got != c.want {
			t.Errorf("%s: got %s, want %s", c.path, got, c.want)
		}
	}
}

// manyRoutes is a file with n routes of three patterns each.
func manyRoutes(n int) []byte {
	var b strings.Builder
	b.WriteString("gateway:\n  backends:\n    vm: {servers: [\"http://a\"]}\n    containers: {servers: [\"http://b\"]}\n  routes:\n")
	for i := range n {
		fmt.Fprintf(&b, "    - name: route-%d\n      match: [\"GET /part%d/\", \"POST /part%d/{page}\", \"example.com/part%d/\"]\n      shift:\n        stages: [mirror, 1%%, 5%%, 100%%]\n        hold: 10m\n        tolerate: {errors: 0.1%%, p95: 20%%}\n", i, i, i, i)
	}
	return []byte(b.String())
}

func TestTenThousandRoutes(t *testing.T) {
	f, err := Parse("f", manyRoutes(10_000), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Config.Gateway.Routes; len(got) != 10_000 || got[9_999].Name != "route-9999" || got[9_999].Shift.Hold != 10*time.Minute {
		t.Error("routes are missing")
	}
}

func BenchmarkTenThousandRoutes(b *testing.B) {
	text := manyRoutes(10_000)
	for b.Loop() {
		if _, err := Parse("f", text, ""); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTenThousandFaults is the worst that a generator gone wrong can do: every route is at fault.
func BenchmarkTenThousandFaults(b *testing.B) {
	text := []byte(strings.ReplaceAll(strings.ReplaceAll(string(manyRoutes(10_000)), "1%, 5%", "5%, 1%"), "hold", "hodl"))
	for b.Loop() {
		if _, err := Parse("f", text, ""); err == nil {
			b.Fatal("no fault")
		}
	}
}
