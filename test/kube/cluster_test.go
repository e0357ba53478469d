package kube

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// testLimit ends a test that waits for what does not come; a pass does not depend on it.
const testLimit = 3 * time.Minute

const appImage = "testapp:1"

// TestCluster starts one cluster, runs every test that only uses it, stops it, and looks for what it
// may have left.
func TestCluster(t *testing.T) {
	interfaces, mounts, tunables := machineInterfaces(t), machineMounts(t), machineTunables(t)
	c, err := Start(t.Context(), Options{Log: t.Logf, Logs: os.Getenv("YADOKARI_KUBE_LOGS")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop() }) // for a test that fails before the Stop below
	importTestApp(t, c)

	if got := len(processes(t, c.folder)); got < 8 {
		t.Fatalf("%d processes in the cluster's cgroups: looking for them does not work", got)
	}

	t.Run("pods", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *Cluster){
			"DownwardAPI":     testDownwardAPI,
			"EmptyDir":        testEmptyDir,
			"FailedComponent": testFailedComponent,
			"GracefulStop":    testGracefulStop,
			"Isolation":       testIsolation,
			"KilledAtGrace":   testKilledAtGrace,
			"MissingImage":    testMissingImage,
			"Network":         testNetwork,
			"OOMKilled":       testOOMKilled,
			"RollingRestart":  testRollingRestart,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, c)
			})
		}
	})

	begun := time.Now()
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Logf("stopped after %s", time.Since(begun).Round(time.Millisecond))
	checkNothingLeft(t, c.folder)
	if got := machineInterfaces(t); !slices.Equal(got, interfaces) {
		t.Errorf("interfaces of the machine: %q before, %q after", interfaces, got)
	}
	if got := machineMounts(t); !slices.Equal(got, mounts) {
		t.Errorf("mounts of the machine: before\n%s\nafter\n%s", strings.Join(mounts, "\n"), strings.Join(got, "\n"))
	}
	if got := machineTunables(t); got != tunables {
		t.Errorf("kernel settings of the machine: before %s, after %s", tunables, got)
	}
	if conn, err := c.Dial(t.Context(), "tcp", NodeIP+":6443"); err == nil {
		conn.Close()
		t.Error("the API server still answers")
	}
}

// checkNothingLeft looks for processes, cgroups and the folder of a cluster that was stopped.
func checkNothingLeft(t *testing.T, f *folder) {
	t.Helper()
	if left := processes(t, f); len(left) > 0 {
		t.Errorf("processes left: %q", left)
	}
	if _, err := os.Stat(f.path); !os.IsNotExist(err) {
		t.Errorf("folder left: %s: %v", f.path, err)
	}
	roots, err := cgroupRoots()
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range roots {
		if _, err := os.Stat(filepath.Join(root, f.cgroup())); !os.IsNotExist(err) {
			t.Errorf("cgroup left in %s: %v", root, err)
		}
	}
}

// processes returns the command lines of the processes in a cluster's cgroups: the components, the
// shims and the pods' own.
func processes(t *testing.T, f *folder) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range all {
		groups, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(groups), "/"+f.cgroup()+"/") {
			continue // another's, or ended meanwhile
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err == nil {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func machineInterfaces(t *testing.T) []string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names
}

func machineMounts(t *testing.T) []string {
	t.Helper()
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var points []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		points = append(points, strings.Fields(lines.Text())[4])
	}
	return points
}

func machineTunables(t *testing.T) string {
	t.Helper()
	var values strings.Builder
	for _, name := range []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
		"net/ipv4/ip_forward", "net/netfilter/nf_conntrack_max"} {
		value, err := os.ReadFile("/proc/sys/" + name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		fmt.Fprintf(&values, "%s=%s ", name, strings.TrimSpace(string(value)))
	}
	return values.String()
}

func importTestApp(t *testing.T, c *Cluster) {
	t.Helper()
	source, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "testapp")
	if err := Build(t.Context(), source, "./testapp", program); err != nil {
		t.Fatal(err)
	}
	err = c.ImportImage(t.Context(), Image{
		Name: appImage, Entrypoint: []string{"/testapp"}, User: "65534:65534",
		Files: map[string]string{"/testapp": program}, Dirs: map[string]os.FileMode{"/tmp": 0o777 | os.ModeSticky},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// space makes a namespace for a test and applies objects in it.
func space(t *testing.T, c *Cluster, yaml string) (context.Context, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	name := strings.ToLower(filepath.Base(t.Name()))
	if err := c.Namespace(ctx, name); err != nil {
		t.Fatal(err)
	}
	if _, err := c.KubectlInput(ctx, strings.NewReader(yaml), "apply", "-n", name, "-f", "-"); err != nil {
		t.Fatal(err)
	}
	return ctx, name
}

// call sends one request over a connection of its own.
func call(ctx context.Context, c *Cluster, method, page string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DialContext: c.Dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, method, page, nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, page, res.Status, body)
	}
	return strings.TrimSpace(string(body)), err
}

// podPage is the address of a page of a pod's port 8080.
func podPage(ctx context.Context, t *testing.T, c *Cluster, namespace, pod, page string) string {
	t.Helper()
	ip, err := c.PodIP(ctx, namespace, pod)
	if err != nil {
		t.Fatal(err)
	}
	return (&url.URL{Scheme: "http", Host: net.JoinHostPort(ip, "8080")}).String() + page
}
