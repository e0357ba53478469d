package kube

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// ownerVariable, when set, makes this test program an owner of a cluster that lives until it is killed.
const ownerVariable = "YADOKARI_KUBE_TEST_OWNER"

func TestMain(m *testing.M) {
	if os.Getenv(ownerVariable) == "" {
		os.Exit(m.Run())
	}
	if err := own(); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

// own starts a cluster with a running pod, says where, and waits to be killed.
func own() error {
	ctx := context.Background()
	c, err := Start(ctx, Options{Log: func(format string, args ...any) { fmt.Printf(format+"\n", args...) }})
	if err != nil {
		return err
	}
	err = c.Apply(ctx, `
apiVersion: v1
kind: Pod
metadata: {name: orphan}
spec: {containers: [{name: app, image: "`+pauseImage+`"}]}
`)
	if err != nil {
		return err
	}
	if err := c.WaitReady(ctx, "default", "orphan"); err != nil {
		return err
	}
	fmt.Println("folder:", c.Folder())
	select {}
}

// TestDeadOwner: an owner killed with SIGKILL takes every process of its cluster with it, and the next
// Start removes the rest.
func TestDeadOwner(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	owner := exec.CommandContext(ctx, "/proc/self/exe")
	owner.Env = append(os.Environ(), ownerVariable+"=1")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	var f folder
	for lines := bufio.NewScanner(out); f.path == "" && lines.Scan(); {
		t.Log(lines.Text())
		if path, found := strings.CutPrefix(lines.Text(), "folder: "); found {
			f.path = path
		}
	}
	if f.path == "" {
		t.Fatalf("no cluster: %v", owner.Wait())
	}
	if running := strings.Join(processes(t, &f), "\n"); !strings.Contains(running, "kubelet") || !strings.Contains(running, "/pause") {
		t.Fatalf("kubelet and the pod's processes are not among\n%s", running)
	}

	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // killed
	err = eventually(ctx, func() error {
		if left := processes(t, &f); len(left) > 0 {
			return fmt.Errorf("processes left: %q", left)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.path); err != nil {
		t.Fatalf("the folder is gone, so this test shows nothing: %v", err)
	}
	// What Start does before it makes a cluster of its own.
	if err := clearLeftovers(ctx, t.Logf); err != nil {
		t.Fatal(err)
	}
	checkNothingLeft(t, &f)
}

// TestLeftovers: a folder whose owner lives stays, one whose owner is dead goes with the processes in
// its cgroups, though its keeper had been unable to end them.
func TestLeftovers(t *testing.T) {
	if err := able(); err != nil {
		t.Fatal(err)
	}
	living, err := makeFolder()
	if err != nil {
		t.Fatal(err)
	}
	defer living.release(t.Context())
	dead, err := makeFolder()
	if err != nil {
		t.Fatal(err)
	}
	if err := makeCgroup(dead.cgroup()); err != nil {
		t.Fatal(err)
	}
	process := exec.Command("/bin/sleep", "infinity")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	if err := joinCgroup(dead.cgroup(), process.Process.Pid); err != nil {
		t.Fatal(err)
	}
	dead.owner.Close()

	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	if err := clearLeftovers(t.Context(), t.Logf); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || err.Error() != "signal: killed" {
		t.Errorf("the process ended with %v", err)
	}
	checkNothingLeft(t, dead)
	if _, err := os.Stat(living.path); err != nil {
		t.Errorf("the folder of a living owner: %v", err)
	}
	if err := living.release(t.Context()); err != nil {
		t.Error(err)
	}
	checkNothingLeft(t, living)
}

func TestUsable(t *testing.T) {
	for path, want := range map[string]string{
		"/tmp/yadokari-kube":                 "",
		"/var/tmp/yadokari-kube":             "",
		"/run/user/0/yadokari-kube":          "below /run",
		"/var/lib/tests/yadokari-kube":       "below /var/lib",
		"/tmp/" + strings.Repeat("long", 20): "too long",
	} {
		err := usable(path)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestLacksCapabilities(t *testing.T) {
	if err := lacksCapabilities("Name:\tx\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n"); err != nil {
		t.Errorf("all capabilities: %v", err)
	}
	// Without bit 21, CAP_SYS_ADMIN.
	err := lacksCapabilities("CapEff:\t000001ffffdfffff\n")
	if err == nil || err.Error() != "this process lacks CAP_SYS_ADMIN (run as root)" {
		t.Errorf("without CAP_SYS_ADMIN: %v", err)
	}
	if err := lacksCapabilities("Name:\tx\n"); err == nil {
		t.Error("a status without capabilities is taken for one with all")
	}
}
