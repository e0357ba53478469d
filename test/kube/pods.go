package kube

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// WaitPod watches a pod until done says so, and returns the pod as it then was. A pod that does not
// exist, yet or any more, is given to done as nil. An error of done ends the wait. When ctx ends first, the
// error says how the pod was last seen and what happened to it.
func (c *Cluster) WaitPod(ctx context.Context, namespace, name string, done func(*corev1.Pod) (bool, error)) (*corev1.Pod, error) {
	pods := c.Client.CoreV1().Pods(namespace)
	var last *corev1.Pod
	err := follow(ctx, pods, name, func(pod *corev1.Pod) (bool, error) {
		last = pod
		return done(pod)
	})
	if err != nil {
		return last, fmt.Errorf("wait for pod %s/%s: %w (%s)%s", namespace, name, err, PodState(last), c.events(namespace, name))
	}
	return last, nil
}

// WaitReady waits until every named pod is Ready.
func (c *Cluster) WaitReady(ctx context.Context, namespace string, pods ...string) error {
	for _, name := range pods {
		_, err := c.WaitPod(ctx, namespace, name, func(pod *corev1.Pod) (bool, error) {
			return pod != nil && ready(pod), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func ready(pod *corev1.Pod) bool {
	for _, cond := range pod.Status.Conditions {
		if cond.Type == corev1.PodReady {
			return cond.Status == corev1.ConditionTrue
		}
	}
	return false
}

// WaitDeleted waits until none of the named pods exists: kubelet has then seen their containers end.
func (c *Cluster) WaitDeleted(ctx context.Context, namespace string, pods ...string) error {
	for _, name := range pods {
		_, err := c.WaitPod(ctx, namespace, name, func(pod *corev1.Pod) (bool, error) { return pod == nil, nil })
		if err != nil {
			return err
		}
	}
	return nil
}

// WaitDeployment waits until a Deployment's last change is rolled out: every replica is the newest,
// available, and the only one.
func (c *Cluster) WaitDeployment(ctx context.Context, namespace, name string) error {
	deployments := c.Client.AppsV1().Deployments(namespace)
	var last appsv1.DeploymentStatus
	err := follow(ctx, deployments, name, func(d *appsv1.Deployment) (bool, error) {
		if d == nil {
			return false, nil
		}
		last = d.Status
		want := int32(1)
		if d.Spec.Replicas != nil {
			want = *d.Spec.Replicas
		}
		return last.ObservedGeneration >= d.Generation && last.UpdatedReplicas == want &&
			last.AvailableReplicas == want && last.Replicas == want, nil
	})
	if err != nil {
		return fmt.Errorf("wait for deployment %s/%s: %w (%d replicas, %d of them new, %d available)%s", namespace, name, err,
			last.Replicas, last.UpdatedReplicas, last.AvailableReplicas, c.events(namespace, ""))
	}
	return nil
}

// Pods returns the pods with a label, such as "app=web", that are not being deleted.
func (c *Cluster) Pods(ctx context.Context, namespace, selector string) ([]corev1.Pod, error) {
	list, err := c.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	var pods []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// PodIP returns a pod's address, to Dial.
func (c *Cluster) PodIP(ctx context.Context, namespace, pod string) (string, error) {
	p, err := c.Client.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if p.Status.PodIP == "" {
		return "", fmt.Errorf("pod %s/%s has no address yet (%s)", namespace, pod, PodState(p))
	}
	return p.Status.PodIP, nil
}

// TerminationMessage returns what a container that ended, or its run before the one now running, wrote
// to its terminationMessagePath.
func (c *Cluster) TerminationMessage(ctx context.Context, namespace, pod, container string) (string, error) {
	p, err := c.Client.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	end, err := Terminated(p, container)
	if err != nil {
		return "", err
	}
	return end.Message, nil
}

// Terminated returns how a container ended: its state if it has ended, else that of the run before.
func Terminated(pod *corev1.Pod, container string) (*corev1.ContainerStateTerminated, error) {
	for _, s := range containers(pod) {
		if s.Name != container {
			continue
		}
		if s.State.Terminated != nil {
			return s.State.Terminated, nil
		}
		if s.LastTerminationState.Terminated != nil {
			return s.LastTerminationState.Terminated, nil
		}
		return nil, fmt.Errorf("container %s of pod %s has not ended (%s)", container, pod.Name, PodState(pod))
	}
	return nil, fmt.Errorf("pod %s has no container %s (%s)", pod.Name, container, PodState(pod))
}

func containers(pod *corev1.Pod) []corev1.ContainerStatus {
	return append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
}

// PodState says in one line how a pod and its containers are.
func PodState(pod *corev1.Pod) string {
	if pod == nil {
		return "no such pod"
	}
	parts := []string{string(pod.Status.Phase) + " " + pod.Status.Reason}
	for _, s := range containers(pod) {
		state := "unknown"
		switch {
		case s.State.Running != nil:
			state = fmt.Sprintf("running, ready %t", s.Ready)
		case s.State.Waiting != nil:
			state = "waiting: " + s.State.Waiting.Reason + " " + s.State.Waiting.Message
		case s.State.Terminated != nil:
			state = fmt.Sprintf("ended: %s, exit code %d", s.State.Terminated.Reason, s.State.Terminated.ExitCode)
		}
		parts = append(parts, fmt.Sprintf("%s %s, %d restarts", s.Name, state, s.RestartCount))
	}
	return strings.Join(parts, "; ")
}

// events returns the last events of a pod (of a namespace when name is empty), for an error's text.
func (c *Cluster) events(namespace, name string) string {
	// The wait's own context has ended.
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	o := metav1.ListOptions{}
	if name != "" {
		o.FieldSelector = fields.OneTermEqualSelector("involvedObject.name", name).String()
	}
	list, err := c.Client.CoreV1().Events(namespace).List(ctx, o)
	if err != nil {
		return "; its events: " + err.Error()
	}
	var lines []string
	for _, e := range list.Items {
		lines = append(lines, fmt.Sprintf("%s %s: %s", e.InvolvedObject.Name, e.Reason, e.Message))
	}
	if len(lines) == 0 {
		return ""
	}
	return "; events:\n" + tail([]byte(strings.Join(lines, "\n")), 15)
}
