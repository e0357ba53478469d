package stop

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"yadokari/lifecycle"
	"yadokari/test/kube"
)

// end is one end of a container.
type end struct {
	pod, container string
	corev1.ContainerStateTerminated
}

func (e end) String() string {
	return fmt.Sprintf("container %s of %s (%s, exit code %d)", e.container, e.pod, e.Reason, e.ExitCode)
}

// receipt reads the termination message.
func (e end) receipt() (*lifecycle.Receipt, error) {
	var r lifecycle.Receipt
	if err := json.Unmarshal([]byte(e.Message), &r); err != nil {
		return nil, fmt.Errorf("%v: its termination message %q is no receipt: %w", e, e.Message, err)
	}
	return &r, nil
}

// ends watches how the containers of a namespace end.
type ends struct {
	mu    sync.Mutex
	all   map[string]end // by container ID
	pods  map[string]bool
	fault error
}

// watchEnds watches until ctx ends. Pods made after it returns are all seen, and so is every change of
// theirs: a watch that the server ends is taken up where it was.
func watchEnds(ctx context.Context, t *testing.T, c *kube.Cluster, namespace string) *ends {
	t.Helper()
	list, err := c.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e := &ends{all: map[string]end{}, pods: map[string]bool{}}
	go func() {
		version := list.ResourceVersion
		for ctx.Err() == nil {
			if version, err = e.watch(ctx, c, namespace, version); err != nil && ctx.Err() == nil {
				e.mu.Lock()
				e.fault = fmt.Errorf("the watch of %s: %w", namespace, err)
				e.mu.Unlock()
				return
			}
		}
	}()
	return e
}

// watch watches until the server ends it, and returns from where to go on.
func (e *ends) watch(ctx context.Context, c *kube.Cluster, namespace, version string) (string, error) {
	changes, err := c.Client.CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: version})
	if err != nil {
		return version, err
	}
	defer changes.Stop()
	for change := range changes.ResultChan() {
		pod, ok := change.Object.(*corev1.Pod)
		if !ok {
			return version, apierrors.FromObject(change.Object)
		}
		version = pod.ResourceVersion
		e.note(pod, change.Type != watch.Deleted)
	}
	return version, nil
}

func (e *ends) note(pod *corev1.Pod, there bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pods[pod.Name] = there
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		for _, state := range []*corev1.ContainerStateTerminated{s.State.Terminated, s.LastTerminationState.Terminated} {
			if state != nil {
				e.all[state.ContainerID] = end{pod.Name, s.Name, *state}
			}
		}
	}
}

// of are the ends of a container seen so far; pod "" is every pod.
func (e *ends) of(t *testing.T, pod, container string) []end {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fault != nil {
		t.Fatal(e.fault)
	}
	var list []end
	for _, one := range e.all {
		if one.container == container && (pod == "" || one.pod == pod) {
			list = append(list, one)
		}
	}
	return list
}

// gone tells whether a pod has been seen, and is no more; pod "" is every pod.
func (e *ends) gone(pod string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, there := range e.pods {
		if there && (pod == "" || name == pod) {
			return false
		}
	}
	_, seen := e.pods[pod]
	return seen || pod == ""
}

// known is how many pods there have been.
func (e *ends) known() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.pods)
}
