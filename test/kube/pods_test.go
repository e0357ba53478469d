package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// testDownwardAPI: a container is told about its pod by environment and by file.
func testDownwardAPI(t *testing.T, c *Cluster) {
	ctx, ns := space(t, c, `
apiVersion: v1
kind: Pod
metadata: {name: told, labels: {colour: blue}, annotations: {grace: "45"}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: testapp:1
    args: [serve]
    resources: {limits: {memory: 64Mi}}
    env:
    - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
    volumeMounts: [{name: podinfo, mountPath: /podinfo}]
  volumes:
  - name: podinfo
    downwardAPI:
      items:
      - {path: labels, fieldRef: {fieldPath: metadata.labels}}
      - {path: grace, fieldRef: {fieldPath: "metadata.annotations['grace']"}}
`)
	if err := c.WaitReady(ctx, ns, "told"); err != nil {
		t.Fatal(err)
	}
	ip, err := c.PodIP(ctx, ns, "told")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"POD": "told", "ADDRESS": ip, "MEMORY": "67108864"} {
		got, err := call(ctx, c, "GET", podPage(ctx, t, c, ns, "told", "/env?name="+name))
		if err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", name, got, want, err)
		}
	}
	for file, want := range map[string]string{"labels": `colour="blue"`, "grace": "45"} {
		got, err := c.Exec(ctx, ns, "told", "app", "/testapp", "cat", "/podinfo/"+file)
		if err != nil || strings.TrimSpace(got) != want {
			t.Errorf("/podinfo/%s is %q, want %q (%v)", file, got, want, err)
		}
	}
}

// testEmptyDir: what one container wrote is there for the other, and after the writer's restart.
func testEmptyDir(t *testing.T, c *Cluster) {
	ctx, ns := space(t, c, `
apiVersion: v1
kind: Pod
metadata: {name: pair}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: writer, image: "testapp:1", args: [serve], volumeMounts: [{name: shared, mountPath: /shared}]}
  - {name: reader, image: "testapp:1", args: [serve, -listen, ":8081"], volumeMounts: [{name: shared, mountPath: /shared}]}
  volumes: [{name: shared, emptyDir: {}}]
`)
	if err := c.WaitReady(ctx, ns, "pair"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, ns, "pair", "writer", "/testapp", "append", "/shared/note", "written before"); err != nil {
		t.Fatal(err)
	}
	// The answer does not come: the container ends first.
	if _, err := call(ctx, c, "POST", podPage(ctx, t, c, ns, "pair", "/exit?code=7")); err == nil {
		t.Fatal("a program that exits at once answered")
	}
	pod, err := c.WaitPod(ctx, ns, "pair", func(pod *corev1.Pod) (bool, error) {
		if pod == nil {
			return false, errors.New("deleted")
		}
		return status(pod, "writer").RestartCount == 1 && ready(pod), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if end, err := Terminated(pod, "writer"); err != nil || end.ExitCode != 7 {
		t.Errorf("the writer ended with %+v, %v; want exit code 7", end, err)
	}
	for _, container := range []string{"writer", "reader"} {
		got, err := c.Exec(ctx, ns, "pair", container, "/testapp", "cat", "/shared/note")
		if err != nil || got != "written before\n" {
			t.Errorf("%s reads %q, %v", container, got, err)
		}
	}
}

// testOOMKilled: a container that takes more memory than its limit is killed by the kernel, and the
// pod says so.
func testOOMKilled(t *testing.T, c *Cluster) {
	ctx, ns := space(t, c, `
apiVersion: v1
kind: Pod
metadata: {name: greedy}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: app, image: "testapp:1", args: [serve], resources: {limits: {memory: 32Mi}}}
`)
	if err := c.WaitReady(ctx, ns, "greedy"); err != nil {
		t.Fatal(err)
	}
	if _, err := call(ctx, c, "POST", podPage(ctx, t, c, ns, "greedy", "/hog")); err == nil {
		t.Fatal("a program without memory answered")
	}
	pod, err := c.WaitPod(ctx, ns, "greedy", func(pod *corev1.Pod) (bool, error) {
		if pod == nil {
			return false, errors.New("deleted")
		}
		_, err := Terminated(pod, "app")
		return err == nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	end, err := Terminated(pod, "app")
	if err != nil || end.Reason != "OOMKilled" || end.ExitCode != 137 {
		t.Errorf("ended with %+v, %v; want OOMKilled, 137", end, err)
	}
}

// testGracefulStop: at a pod's deletion come preStop, SIGTERM to the app, and only when it
// has ended SIGTERM to the native sidecar. Each writes in a diary they share, and leaves the diary so
// far as its termination message.
func testGracefulStop(t *testing.T, c *Cluster) {
	ctx, ns := space(t, c, `
apiVersion: v1
kind: Pod
metadata: {name: orderly}
spec:
  initContainers:
  - name: sidecar
    image: testapp:1
    restartPolicy: Always
    args: [serve, -listen, ":8081", -diary, /shared/diary, -word, sidecar, -message, /tmp/end]
    terminationMessagePath: /tmp/end
    volumeMounts: [{name: shared, mountPath: /shared}]
  containers:
  - name: app
    image: testapp:1
    args: [serve, -diary, /shared/diary, -word, app, -message, /tmp/end]
    terminationMessagePath: /tmp/end
    readinessProbe: {httpGet: {path: /name, port: 8080}, periodSeconds: 1}
    lifecycle: {preStop: {exec: {command: [/testapp, append, /shared/diary, preStop]}}}
    volumeMounts: [{name: shared, mountPath: /shared}]
  volumes: [{name: shared, emptyDir: {}}]
`)
	if err := c.WaitReady(ctx, ns, "orderly"); err != nil {
		t.Fatal(err)
	}
	ended := watchEnd(ctx, c, ns, "orderly", "app", "sidecar")
	if _, err := c.Kubectl(ctx, "delete", "pod", "-n", ns, "orderly", "--wait=false"); err != nil {
		t.Fatal(err)
	}
	end := <-ended
	if end.err != nil {
		t.Fatal(end.err)
	}
	for container, want := range map[string]string{"app": "preStop\napp\n", "sidecar": "preStop\napp\nsidecar\n"} {
		got, err := Terminated(end.pod, container)
		if err != nil {
			t.Error(err)
		} else if got.Message != want || got.ExitCode != 0 {
			t.Errorf("%s ended with exit code %d and the message %q, want 0 and %q", container, got.ExitCode, got.Message, want)
		}
	}
	if err := c.WaitDeleted(ctx, ns, "orderly"); err != nil {
		t.Fatal(err)
	}
}

// testKilledAtGrace: a container that ignores SIGTERM is killed when the grace period is over, and not
// before.
func testKilledAtGrace(t *testing.T, c *Cluster) {
	ctx, ns := space(t, c, `
apiVersion: v1
kind: Pod
metadata: {name: stubborn}
spec:
  terminationGracePeriodSeconds: 3
  containers:
  - {name: app, image: "testapp:1", args: [serve, -stubborn]}
`)
	if err := c.WaitReady(ctx, ns, "stubborn"); err != nil {
		t.Fatal(err)
	}
	ended := watchEnd(ctx, c, ns, "stubborn", "app")
	if _, err := c.Kubectl(ctx, "delete", "pod", "-n", ns, "stubborn", "--wait=false"); err != nil {
		t.Fatal(err)
	}
	end := <-ended
	if end.err != nil {
		t.Fatal(end.err)
	}
	got, err := Terminated(end.pod, "app")
	if err != nil {
		t.Fatal(err)
	}
	if got.ExitCode != 137 {
		t.Errorf("exit code %d, want 137 (SIGKILL)", got.ExitCode)
	}
	// deletionTimestamp is the time of the request plus the grace period; both times are in whole
	// seconds.
	if early := end.pod.DeletionTimestamp.Sub(got.FinishedAt.Time); early > time.Second {
		t.Errorf("killed %s before the grace period was over", early)
	}
	if err := c.WaitDeleted(ctx, ns, "stubborn"); err != nil {
		t.Fatal(err)
	}
}

type podEnd struct {
	pod *corev1.Pod
	err error
}

// watchEnd sends the pod as it is when all the named containers have ended. It returns when
// the watch has begun, so that what a deletion right after it brings about is seen.
func watchEnd(ctx context.Context, c *Cluster, namespace, pod string, names ...string) <-chan podEnd {
	seen := make(chan struct{})
	result := make(chan podEnd, 1)
	go func() {
		first := true
		p, err := c.WaitPod(ctx, namespace, pod, func(pod *corev1.Pod) (bool, error) {
			if first {
				close(seen)
				first = false
			}
			if pod == nil {
				return false, errors.New("deleted before its containers were seen to end")
			}
			for _, name := range names {
				if _, err := Terminated(pod, name); err != nil {
					return false, nil //nolint:nilerr // it has not ended yet: look again
				}
			}
			return true, nil
		})
		result <- podEnd{p, err}
	}()
	select {
	case <-seen:
	case <-ctx.Done():
	}
	return result
}

// testMissingImage: a wait that does not end well says how the pod is and why.
func testMissingImage(t *testing.T, c *Cluster) {
	ctx, ns := space(t, c, `
apiVersion: v1
kind: Pod
metadata: {name: empty}
spec:
  containers: [{name: app, image: "absent:1", imagePullPolicy: Never}]
`)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err := c.WaitPod(ctx, ns, "empty", func(pod *corev1.Pod) (bool, error) {
		if waiting := status(pod, "app").State.Waiting; waiting != nil && waiting.Reason == "ErrImageNeverPull" {
			cancel()
		}
		return false, nil
	})
	if err == nil || !strings.Contains(err.Error(), "ErrImageNeverPull") || !strings.Contains(err.Error(), "empty Failed: ") {
		t.Errorf("the wait ended with %v; want the container's reason and the pod's events", err)
	}
}

// status returns a container's status, empty if there is none yet.
func status(pod *corev1.Pod, container string) corev1.ContainerStatus {
	if pod != nil {
		for _, s := range containers(pod) {
			if s.Name == container {
				return s
			}
		}
	}
	return corev1.ContainerStatus{}
}
