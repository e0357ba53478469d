package kube

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Kubectl runs kubectl as system:masters and returns its standard output. The error has its
// standard error.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.KubectlInput(ctx, nil, args...)
}

// KubectlInput is Kubectl with a standard input.
func (c *Cluster) KubectlInput(ctx context.Context, in io.Reader, args ...string) (string, error) {
	cmd := c.Command(ctx, filepath.Join(c.bin, "kubectl"),
		append([]string{"--kubeconfig=" + c.Kubeconfig(), "--cache-dir=" + c.folder.file("kubectl")}, args...)...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, tail(complaint.Bytes(), 10))
	}
	return out.String(), nil
}

// Apply creates or changes the objects in a YAML text of one or more documents.
func (c *Cluster) Apply(ctx context.Context, yaml string) error {
	_, err := c.KubectlInput(ctx, strings.NewReader(yaml), "apply", "-f", "-")
	return err
}

// Exec runs a program in a container and returns its standard output.
func (c *Cluster) Exec(ctx context.Context, namespace, pod, container string, args ...string) (string, error) {
	return c.Kubectl(ctx, append([]string{"exec", "-n", namespace, pod, "-c", container, "--"}, args...)...)
}

// Logs returns what a container has written so far; of its earlier run, when previous is set.
func (c *Cluster) Logs(ctx context.Context, namespace, pod, container string, previous bool) (string, error) {
	text, err := c.Client.CoreV1().Pods(namespace).
		GetLogs(pod, &corev1.PodLogOptions{Container: container, Previous: previous}).DoRaw(ctx)
	if err != nil {
		return "", fmt.Errorf("logs of %s/%s, container %s: %w", namespace, pod, container, err)
	}
	return string(text), nil
}
