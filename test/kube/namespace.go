package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Namespace creates a namespace and waits until pods can be created in it.
func (c *Cluster) Namespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := c.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
		return err
	}
	// A pod is refused until its namespace has the service account "default".
	accounts := c.Client.CoreV1().ServiceAccounts(name)
	err := follow(ctx, accounts, "default", func(a *corev1.ServiceAccount) (bool, error) { return a != nil, nil })
	if err != nil {
		return fmt.Errorf("namespace %s: its service account: %w", name, err)
	}
	return nil
}
