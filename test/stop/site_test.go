package stop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"yadokari/examples/tracker"
	"yadokari/examples/tracker/browse"
	"yadokari/test/kube"
	"yadokari/test/process"
)

// site is the tracker in two pods with the agent in one form, a mail server behind it, a gateway before
// it, and people who use it.
type site struct {
	*testing.T
	ctx       context.Context
	cluster   *kube.Cluster
	form      form
	namespace string
	number    int
	out       string
	box       *postbox
	archive   *archive
	ends      *ends
	gateway   string // its URL
	transport *http.Transport
	load      *browse.Load
	leave     context.CancelFunc // sends the people away
	killed    map[string]int     // how often the test has killed the agent of a pod
}

// newSite starts a site; number tells it from the others of the cluster.
func newSite(t *testing.T, c *kube.Cluster, f form, number int) *site {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute)
	t.Cleanup(cancel)
	s := &site{T: t, ctx: ctx, cluster: c, form: f, namespace: fmt.Sprintf("%s-%d", f.name, number), number: number, out: t.TempDir(), killed: map[string]int{}}
	mail := fmt.Sprintf("%s:%d", kube.NodeIP, 2500+number)
	s.box = newPostbox(t, func() (net.Listener, error) { return c.Listen(ctx, "tcp", mail) })
	s.archive = newArchive(t, func() (net.Listener, error) {
		return c.Listen(ctx, "tcp", net.JoinHostPort(kube.NodeIP, fmt.Sprint(2600+number)))
	})
	s.must(c.Namespace(ctx, s.namespace))
	s.ends = watchEnds(ctx, t, c, s.namespace)
	where := place{service: fmt.Sprintf("10.96.7.%d", 10+number), mail: mail, logs: s.logs("/out/checkpoints"), data: t.TempDir(), out: s.out}
	_, err := c.KubectlInput(ctx, strings.NewReader(f.manifest(t, where)), "apply", "-n", s.namespace, "-f", "-")
	s.must(err)
	t.Cleanup(s.removePods) // before their folders go
	s.must(c.WaitDeployment(ctx, s.namespace, "tracker"))
	s.startGateway(where.service, 18000+number)
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// startGateway starts a gateway that knows nothing but the Service: no old side mends what fails.
func (s *site) startGateway(service string, port int) {
	s.Helper()
	dir := s.TempDir()
	s.gateway = fmt.Sprintf("http://127.0.0.1:%d", port)
	file := process.WriteFile(s.T, dir, "yadokari.yaml", fmt.Sprintf(`gateway:
  listen: "127.0.0.1:%d"
  admin: "127.0.0.1:%d"
  state: %s
  accessLog: %s
  sticky: {cookie: SESSION}
  backends:
    # keepAlive is shorter than the time for which a tracker that stops says Connection: close.
    containers: {servers: ["http://%s"], keepAlive: 1s}
  routes:
    - {name: all, match: ["/"], from: containers}
`, port, port+1000, dir, filepath.Join(dir, "access.log"), service))
	process.Start(s.T, "gateway", s.cluster.Command(s.ctx, program("yadokari"), "gateway", "-c", file))
	s.transport = &http.Transport{DialContext: s.cluster.Dial, MaxIdleConnsPerHost: 100, DisableCompression: true}
	s.Cleanup(s.transport.CloseIdleConnections)
	process.Eventually(s.T, "the gateway answers", func() bool { return s.get(s.gateway+"/healthz") == nil })
}

// get asks for a page, and wants it.
func (s *site) get(url string) error {
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := s.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// visit lets people use the tracker: they change issues more often than people do, for each change is a mail.
func (s *site) visit() {
	s.Helper()
	ctx, cancel := context.WithCancel(s.ctx)
	s.leave = cancel
	var err error
	s.load, err = browse.Start(ctx, browse.Config{
		URL: s.gateway, Users: 12, Rate: 30, Sockets: 2, Transport: s.transport,
		Mix: map[browse.Activity]int{
			browse.Comment: 40, browse.Move: 10, browse.Issues: 15, browse.Wiki: 10, browse.Board: 10, browse.WikiEdit: 5, browse.API: 10,
		},
	})
	s.must(err)
}

// ready are the names of the pods that serve and are not about to end.
func (s *site) ready() []string {
	s.Helper()
	pods, err := s.cluster.Pods(s.ctx, s.namespace, "app=tracker")
	s.must(err)
	var names []string
	for _, pod := range pods {
		for _, cond := range pod.Status.Conditions {
			if cond.Type == corev1.PodReady && cond.Status == corev1.ConditionTrue {
				names = append(names, pod.Name)
			}
		}
	}
	return names
}

// whole waits until two pods serve that are not the one named.
func (s *site) whole(not string) []string {
	s.Helper()
	var names []string
	process.Eventually(s.T, "two pods serve", func() bool {
		names = s.ready()
		for _, name := range names {
			if name == not {
				return false
			}
		}
		return len(names) == 2
	})
	return names
}

// restart is a rolling restart.
func (s *site) restart() {
	s.Helper()
	_, err := s.cluster.Kubectl(s.ctx, "rollout", "restart", "-n", s.namespace, "deployment/tracker")
	s.must(err)
	s.must(s.cluster.WaitDeployment(s.ctx, s.namespace, "tracker"))
}

// remove begins to end a pod.
func (s *site) remove(pod string) {
	s.Helper()
	_, err := s.cluster.Kubectl(s.ctx, "delete", "pod", "-n", s.namespace, pod, "--wait=false")
	s.must(err)
}

// close ends every pod in order and waits until each is seen to have ended.
func (s *site) close() {
	s.Helper()
	_, err := s.cluster.Kubectl(s.ctx, "scale", "-n", s.namespace, "deployment/tracker", "--replicas=0")
	s.must(err)
	process.Eventually(s.T, "every pod has ended", func() bool { return s.ends.gone("") })
}

// removePods is for a test that failed.
func (s *site) removePods() {
	ctx, cancel := context.WithTimeout(context.Background(), process.Patience)
	defer cancel()
	_, err := s.cluster.Kubectl(ctx, "delete", "-n", s.namespace, "deployment/tracker", "--ignore-not-found", "--cascade=foreground")
	if err != nil {
		s.Error(err)
	}
}

// outOfMemory lets the tracker in a pod take memory until it is killed.
func (s *site) outOfMemory(pod string) {
	s.Helper()
	address, err := s.cluster.PodIP(s.ctx, s.namespace, pod)
	s.must(err)
	if err := s.get("http://" + net.JoinHostPort(address, strconv.Itoa(8080)) + memoryPath); err == nil {
		s.Fatalf("the tracker in %s had memory enough", pod)
	}
}

// logged are the mails of all trackers by what became of them, as they saw it; pod "*" is every pod.
func (s *site) logged(pod string) map[string]string {
	s.Helper()
	names, err := filepath.Glob(filepath.Join(s.out, pod, "mail.log"))
	s.must(err)
	outcomes := map[string]string{}
	for _, name := range names {
		s.must(readLog(name, outcomes))
	}
	return outcomes
}

// readLog leaves a last line out that is being written.
func readLog(name string, outcomes map[string]string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var entry tracker.MailEntry
		if err := json.Unmarshal(line, &entry); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		outcomes[entry.ID] = entry.Outcome
	}
	return nil
}

func count(outcomes map[string]string, outcome string) (n int) {
	for _, o := range outcomes {
		if o == outcome {
			n++
		}
	}
	return n
}

// here is the folder of this machine that a pod knows by a path.
func (s *site) here(pod, path string) string {
	return filepath.Join(s.out, pod, strings.TrimPrefix(path, "/out/"))
}

// fileReceipt is what the agent of a pod wrote last into its receipt's file, or "".
func (s *site) fileReceipt(pod string) string {
	s.Helper()
	text, err := os.ReadFile(s.here(pod, "/out/receipt.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Fatal(err)
	}
	return string(text)
}
