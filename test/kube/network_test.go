package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// testRollingRestart: a Deployment behind a Service is restarted while requests come all the time; not
// one fails. Each request has a connection of its own, so each is balanced by kube-proxy's rules.
func testRollingRestart(t *testing.T, c *Cluster) {
	ctx, ns := space(t, c, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 20
      initContainers:
      - name: sidecar
        image: testapp:1
        restartPolicy: Always
        args: [serve, -listen, ":8081"]
        startupProbe: {httpGet: {path: /name, port: 8081}, periodSeconds: 1}
      containers:
      - name: app
        image: testapp:1
        args: [serve]
        readinessProbe: {httpGet: {path: /name, port: 8080}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 5}}} # until kube-proxy has heard that the pod is going
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP: 10.96.7.7
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
`)
	if err := c.WaitDeployment(ctx, ns, "web"); err != nil {
		t.Fatal(err)
	}
	const page = "http://10.96.7.7/name"
	// The pods being available does not mean that kube-proxy has heard.
	if err := eventually(ctx, func() error { _, err := call(ctx, c, "GET", page); return err }); err != nil {
		t.Fatal(err)
	}
	before, err := c.Pods(ctx, ns, "app=web")
	if err != nil || len(before) != 2 {
		t.Fatalf("%d pods, %v; want 2", len(before), err)
	}

	requests := startRequests(ctx, c, page)
	if _, err := c.Kubectl(ctx, "rollout", "restart", "-n", ns, "deployment/web"); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitDeployment(ctx, ns, "web"); err != nil {
		t.Fatal(err)
	}
	for _, pod := range before {
		if err := c.WaitDeleted(ctx, ns, pod.Name); err != nil {
			t.Fatal(err)
		}
	}
	answers, failures := requests()
	total := 0
	for _, n := range answers {
		total += n
	}
	t.Logf("%d requests during the restart, answered by %v", total, answers)
	if len(failures) > 0 {
		t.Errorf("%d requests failed, the first with %v", len(failures), failures[0])
	}
	for _, pod := range before {
		if answers[pod.Name] == 0 {
			t.Errorf("pod %s answered nothing", pod.Name)
		}
	}
	after, err := c.Pods(ctx, ns, "app=web")
	if err != nil || len(after) != 2 {
		t.Fatalf("%d pods, %v; want 2", len(after), err)
	}
	for _, pod := range after {
		if answers[pod.Name] == 0 {
			t.Errorf("new pod %s answered nothing", pod.Name)
		}
	}
}

// startRequests sends requests from two users, one after the other, until the returned function
// is called. It returns how many each pod answered, and the errors.
func startRequests(ctx context.Context, c *Cluster, page string) func() (map[string]int, []error) {
	ctx, cancel := context.WithCancel(ctx)
	var (
		mu       sync.Mutex
		answers  = map[string]int{}
		failures []error
		users    sync.WaitGroup
	)
	for range 2 {
		users.Go(func() {
			for {
				name, err := call(ctx, c, "GET", page)
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				if err != nil {
					failures = append(failures, fmt.Errorf("at %s: %w", time.Now().Format("15:04:05.000"), err))
				} else {
					answers[name]++
				}
				mu.Unlock()
			}
		})
	}
	return func() (map[string]int, []error) {
		cancel()
		users.Wait()
		return answers, failures
	}
}

func eventually(ctx context.Context, f func() error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// testNetwork: the test reaches a pod, a pod reaches itself through its Service and reaches the test,
// and a program of the machine reaches the pod through Command.
func testNetwork(t *testing.T, c *Cluster) {
	ctx, ns := space(t, c, `
apiVersion: v1
kind: Pod
metadata: {name: peer, labels: {app: peer}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: app, image: "testapp:1", args: [serve], readinessProbe: {httpGet: {path: /name, port: 8080}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: peer}
spec:
  type: NodePort
  clusterIP: 10.96.7.8
  selector: {app: peer}
  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
`)
	if err := c.WaitReady(ctx, ns, "peer"); err != nil {
		t.Fatal(err)
	}
	direct := podPage(ctx, t, c, ns, "peer", "/name")
	for _, page := range []string{direct, "http://10.96.7.8/name", "http://" + NodeIP + ":30080/name"} {
		var got string
		err := eventually(ctx, func() (err error) { got, err = call(ctx, c, "GET", page); return err })
		if err != nil || got != "peer" {
			t.Errorf("the test gets %q from %s, %v", got, page, err)
		}
	}

	l, err := c.Listen(ctx, "tcp", NodeIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("the test")) })}
	go server.Serve(l)
	defer server.Close()
	for page, want := range map[string]string{"http://" + l.Addr().String(): "the test", "http://10.96.7.8/name": "peer\n"} {
		got, err := c.Exec(ctx, ns, "peer", "app", "/testapp", "get", page)
		if err != nil || got != want {
			t.Errorf("the pod gets %q from %s, %v", got, page, err)
		}
	}

	out, err := c.Command(ctx, "bash", "-c", "exec 3<>/dev/tcp/"+strings.TrimSuffix(strings.TrimPrefix(direct, "http://"), ":8080/name")+"/8080 && echo connected").Output()
	if err != nil || string(out) != "connected\n" {
		t.Errorf("a program of the machine gets %q, %v", out, err)
	}
}

// testIsolation: the cluster's addresses mean nothing to the machine, nor the machine's ports to
// the cluster; and a thread that dialled there came back.
func testIsolation(t *testing.T, c *Cluster) {
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if conn, err := c.Dial(ctx, "tcp", l.Addr().String()); err == nil {
		conn.Close()
		t.Errorf("%s of the machine is reached from the cluster", l.Addr())
	}
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("the machine's own network is lost: %v", err)
	}
	conn.Close()

	outside, err := net.InterfaceByName("node0")
	if err == nil {
		t.Errorf("the machine has the cluster's interface %v", outside)
	}
	routes, err := c.Command(ctx, "/sbin/ip", "route", "get", "1.1.1.1").CombinedOutput()
	if err != nil || !strings.Contains(string(routes), "dev node0") {
		t.Errorf("the way out of the cluster is %q, %v; want the interface that leads nowhere", routes, err)
	}
	if _, err := c.Dial(ctx, "tcp", "localhost:80"); err == nil || !strings.Contains(err.Error(), "must be an IP address") {
		t.Errorf("a name was dialled: %v", err)
	}
	here, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if there, err := os.Readlink(c.keeping.netns()); err != nil || there == here {
		t.Errorf("the test is in the cluster's network %s, %v", there, err)
	}
}

// testFailedComponent: an error names the component that ended, how, and what it said last.
func testFailedComponent(t *testing.T, c *Cluster) {
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	if err := c.keeping.start(ctx, "failing", "/bin/sh", "-c", "echo the reason; exit 3"); err != nil {
		t.Fatal(err)
	}
	err := c.until(ctx, "failing", func(context.Context) error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("got %v; want the exit status and the log", err)
	}
	if err := c.keeping.start(ctx, "absent", "/nowhere/absent"); err == nil || !strings.Contains(err.Error(), "/nowhere/absent") {
		t.Errorf("a program that is not there: %v", err)
	}
}
