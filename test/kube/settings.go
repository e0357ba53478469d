package kube

import (
	"encoding/base64"
	"os"
	"strings"
)

// The addresses of every cluster: each has a network namespace of its own, so they meet nothing.
const (
	// Node is the name of the one node.
	Node = "node"
	// NodeIP is the node's address. Node ports listen on it, and what a test serves on it (Listen)
	// is reached by pods.
	NodeIP = "10.89.0.1"

	podNetwork     = "10.244.0.0/16"
	serviceNetwork = "10.96.0.0/16" // a Service may ask for a clusterIP of this network
	kubernetesIP   = "10.96.0.1"
	apiServer      = "https://" + NodeIP + ":6443"
	etcdServer     = "http://127.0.0.1:2379"
	pauseImage     = "yadokari-pause:1"
)

// network is what ip(8) is told in the cluster's network namespace. The node's address is on one end
// of a pair that both ends of are in this namespace: an interface that is up and leads nowhere.
const network = `link set lo up
link add node0 type veth peer name nowhere
link set nowhere up
address add ` + NodeIP + `/24 dev node0
link set node0 up
route add default dev node0
`

const kubeconfig = `apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {certificate-authority-data: %s, server: %q}}]
users: [{name: test, user: {token: %s}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
`

func authority64(authority []byte) string { return base64.StdEncoding.EncodeToString(authority) }

// containerdConfig: state is in the namespace's own /run. restrict_oom_score_adj: lowering the score
// takes CAP_SYS_RESOURCE, which not every machine grants.
const containerdConfig = `version = 2
root = "{{folder}}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "{{folder}}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{{folder}}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/` + pauseImage + `"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{{folder}}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "/usr/sbin/runc"
        SystemdCgroup = false
`

const cniConfig = `{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {"type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
     "ipam": {"type": "host-local", "dataDir": "{{folder}}/addresses",
              "ranges": [[{"subnet": "` + podNetwork + `"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`

// kubeletConfig: the disk and its images are not kubelet's to watch over here, the machine's tester
// does that. resolvConf is empty: the cluster has no DNS.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: ` + NodeIP + `
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://{{folder}}/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /{{cgroup}}
failCgroupV1: false
failSwapOn: false
evictionHard: {memory.available: 50Mi, nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%", imagefs.inodesFree: "0%"}
imageGCHighThresholdPercent: 100
podLogsDir: {{folder}}/pods
volumePluginDir: {{folder}}/volume-plugins
resolvConf: {{folder}}/resolv.conf
kubeAPIQPS: 200
kubeAPIBurst: 400
`

// kubeProxyConfig: the size of the connection table belongs to the machine, so it is left alone.
const kubeProxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: "{{folder}}/kube-proxy.kubeconfig"}
clusterCIDR: ` + podNetwork + `
hostnameOverride: ` + Node + `
mode: iptables
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`

// writeSettings writes the components' configuration files.
func writeSettings(f *folder) error {
	for _, dir := range []string{"log", "cni", "sbin"} {
		if err := os.Mkdir(f.file(dir), 0o755); err != nil {
			return err
		}
	}
	fill := strings.NewReplacer("{{folder}}", f.path, "{{cgroup}}", f.cgroup())
	for name, text := range map[string]string{
		"network":           network,
		"containerd.toml":   containerdConfig,
		"cni/pods.conflist": cniConfig,
		"kubelet.yaml":      kubeletConfig,
		"kube-proxy.yaml":   kubeProxyConfig,
		"resolv.conf":       "",
	} {
		if err := os.WriteFile(f.file(name), []byte(fill.Replace(text)), 0o644); err != nil {
			return err
		}
	}
	return nil
}
