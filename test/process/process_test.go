package process

import (
	"net"
	"os/exec"
	"syscall"
	"testing"
)

func TestProcess(t *testing.T) {
	script := WriteFile(t, t.TempDir(), "run.sh", "trap 'echo asked; exit 3' TERM\necho runs\nwhile :; do sleep 0.01; done\n")
	p := Start(t, "script", exec.Command("/bin/sh", script))
	p.Says(t, "runs")
	p.MustRun(t)
	if code := p.Stop(t); code != 3 {
		t.Errorf("it ended with %d", code)
	}
	p.Says(t, "asked")
	p.Kill()

	p = Start(t, "script", exec.Command("/bin/sh", script))
	p.Says(t, "runs")
	p.Kill()
	if s, ok := p.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
		t.Errorf("%v", p.ProcessState)
	}
}

func TestFreeAddress(t *testing.T) {
	l, err := net.Listen("tcp", FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}
