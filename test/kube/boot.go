package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// boot starts the components in order and returns when the node takes pods. What does not
// depend on each other starts at the same time.
func (c *Cluster) boot(ctx context.Context) error {
	k, f := c.keeping, c.folder
	if err := k.start(ctx, "etcd", "/usr/bin/etcd",
		// In the namespace's own /run, memory: a slow disk is not what is tested.
		"--data-dir=/run/etcd", "--listen-client-urls="+etcdServer, "--advertise-client-urls="+etcdServer,
		"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=default=http://127.0.0.1:2380"); err != nil {
		return err
	}
	if err := c.preferLegacy(ctx); err != nil {
		return err
	}
	if err := k.start(ctx, "containerd", "/usr/bin/containerd", "--config="+f.file("containerd.toml")); err != nil {
		return err
	}
	if err := c.until(ctx, "etcd", c.answers(etcdServer+"/health")); err != nil {
		return err
	}
	if err := k.start(ctx, "kube-apiserver", c.apiServerArgs()...); err != nil {
		return err
	}
	if err := c.until(ctx, "containerd", c.containerdAnswers); err != nil {
		return err
	}
	if err := c.ImportImage(ctx, Image{
		Name: pauseImage, Entrypoint: []string{"/pause"},
		Files: map[string]string{"/pause": f.file("bin", "pause")},
	}); err != nil {
		return err
	}
	if err := c.until(ctx, "kube-apiserver", c.apiServerReady); err != nil {
		return err
	}
	for _, args := range c.others() {
		if err := k.start(ctx, filepath.Base(args[0]), args...); err != nil {
			return err
		}
	}
	for _, wait := range []struct {
		process string
		ready   func(context.Context) error
	}{
		{"kubelet", c.nodeReady},
		{"kube-controller-manager", c.accountReady},
		{"kube-proxy", c.answers("http://127.0.0.1:10256/healthz")},
		{"kube-scheduler", func(context.Context) error { return k.alive("kube-scheduler") }},
	} {
		if err := c.until(ctx, wait.process, wait.ready); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) apiServerArgs() []string {
	f := c.folder
	return []string{filepath.Join(c.bin, "kube-apiserver"),
		"--bind-address=" + NodeIP, "--advertise-address=" + NodeIP, "--secure-port=6443",
		"--etcd-servers=" + etcdServer, "--service-cluster-ip-range=" + serviceNetwork,
		"--tls-cert-file=" + f.file("apiserver.crt"), "--tls-private-key-file=" + f.file("apiserver.key"),
		"--token-auth-file=" + f.file("tokens.csv"), "--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file=" + f.file("service-accounts.key"),
		"--service-account-key-file=" + f.file("service-accounts.key"),
		"--kubelet-preferred-address-types=InternalIP",
	}
}

// others are the components that talk to the API server, in the order they start.
func (c *Cluster) others() [][]string {
	f, bin := c.folder, func(name string) string { return filepath.Join(c.bin, name) }
	return [][]string{
		{bin("kubelet"), "--config=" + f.file("kubelet.yaml"), "--kubeconfig=" + f.file("kubelet.kubeconfig"),
			"--hostname-override=" + Node, "--node-ip=" + NodeIP,
			"--root-dir=" + f.file("kubelet"), "--cert-dir=" + f.file("kubelet-certificates")},
		{bin("kube-controller-manager"), "--kubeconfig=" + f.file("kube-controller-manager.kubeconfig"),
			"--bind-address=127.0.0.1", "--leader-elect=false", "--use-service-account-credentials",
			"--service-account-private-key-file=" + f.file("service-accounts.key"), "--root-ca-file=" + f.file("ca.crt"),
			"--flex-volume-plugin-dir=" + f.file("volume-plugins")},
		{bin("kube-scheduler"), "--kubeconfig=" + f.file("kube-scheduler.kubeconfig"),
			"--bind-address=127.0.0.1", "--leader-elect=false"},
		{bin("kube-proxy"), "--config=" + f.file("kube-proxy.yaml"), "--v=2"},
	}
}

// until asks again and again whether a process is ready. It fails when the process has ended, or when
// ctx is done; either way the error has the end of the process's log.
func (c *Cluster) until(ctx context.Context, process string, ready func(context.Context) error) error {
	begun := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			c.log("%s is ready after %s", process, time.Since(begun).Round(time.Millisecond))
			return nil
		}
		if ended := c.keeping.alive(process); ended != nil {
			return ended
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not become ready: %w: %w; %s", process, context.Cause(ctx), err, c.keeping.logTail(process))
		case <-tick.C:
		}
	}
}

// answers asks for a page that must come with status 200.
func (c *Cluster) answers(url string) func(context.Context) error {
	client := &http.Client{Transport: &http.Transport{DialContext: c.Dial, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
			return fmt.Errorf("GET %s: %s: %s", url, res.Status, body)
		}
		return nil
	}
}

func (c *Cluster) containerdAnswers(ctx context.Context) error {
	// The socket exists before the plugins are ready, so a first call is the proof.
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.folder.file("containerd.sock"))
	if err != nil {
		return err
	}
	_ = conn.Close()
	return c.ctr(ctx, nil, "images", "list", "--quiet")
}

func (c *Cluster) apiServerReady(ctx context.Context) error {
	_, err := c.Client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

// nodeReady: the node is Ready, and the taint that kept pods away until then is gone.
func (c *Cluster) nodeReady(ctx context.Context) error {
	node, err := c.Client.CoreV1().Nodes().Get(ctx, Node, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, taint := range node.Spec.Taints {
		return fmt.Errorf("the node has the taint %s", taint.ToString())
	}
	for _, cond := range node.Status.Conditions {
		if cond.Type != corev1.NodeReady {
			continue
		}
		if cond.Status == corev1.ConditionTrue {
			return nil
		}
		return fmt.Errorf("the node is not Ready: %s", cond.Message)
	}
	return errors.New("the node does not say whether it is Ready")
}

// accountReady: a pod is refused until its namespace has the service account "default".
func (c *Cluster) accountReady(ctx context.Context) error {
	_, err := c.Client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
	return err
}
