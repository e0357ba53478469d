package mail

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"yadokari/test/process"
)

// TestUnits lets systemd itself read the units that are provided, with programs that are there.
func TestUnits(t *testing.T) {
	const units = "../../manifests/systemd"
	entries, err := os.ReadDir(units)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var names []string
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(units, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		there := strings.NewReplacer("/usr/bin/yadokari", program("yadokari"), "/usr/bin/app", "/bin/true").Replace(string(text))
		names = append(names, process.WriteFile(t, dir, entry.Name(), there))
	}
	if len(names) < 3 {
		t.Fatalf("units: %v; want the agent's, the gateway's and its socket", names)
	}
	// A key that systemd does not know is a warning only, so nothing may be said at all of our units.
	verify := func() string {
		out, err := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, names...)...).CombinedOutput()
		if err != nil {
			return err.Error() + ": " + string(out)
		}
		var ours []string
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "yadokari") {
				ours = append(ours, line)
			}
		}
		return strings.Join(ours, "")
	}
	if said := verify(); said != "" {
		t.Errorf("systemd-analyze verify says\n%s", said)
	}
	damaged, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	process.WriteFile(t, dir, filepath.Base(names[0]), strings.Replace(string(damaged), "Type=notify", "Typo=notify", 1))
	if said := verify(); !strings.Contains(said, "Typo") {
		t.Errorf("a key that there is not: %q", said)
	}
}
