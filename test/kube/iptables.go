package kube

import (
	"context"
	"os"
)

// iptablesLegacy is the iptables that replaces a table as a whole.
const iptablesLegacy = "/usr/sbin/xtables-legacy-multi"

// iptablesNames are the programs that kube-proxy, kubelet and the CNI plugins call.
var iptablesNames = []string{
	"iptables", "iptables-save", "iptables-restore",
	"ip6tables", "ip6tables-save", "ip6tables-restore",
}

// preferLegacy gives the components the iptables that writes to the kernel's older interface, if
// the kernel has it. With Debian's default, which translates to nftables, one connection was lost in
// each of 3 of 16 rolling restarts (about 10,000 connections each, Linux 6.18, iptables 1.8.9): in the one traced, its
// first packet left with the Service's cluster IP as destination, not translated to a pod's, at a moment
// when kube-proxy changed nothing. Why is not known. With the older interface it was none in 13. A
// test that counts failed requests would blame its subject.
func (c *Cluster) preferLegacy(ctx context.Context) error {
	probe := c.Command(ctx, iptablesLegacy, "iptables", "-t", "nat", "-S")
	probe.Env = append(environment(c.folder), "XTABLES_LOCKFILE="+c.folder.file("xtables.lock"))
	if out, err := probe.CombinedOutput(); err != nil {
		c.log("this kernel has no older iptables interface, so now and then a connection to a Service may fail: %v: %s", err, tail(out, 2))
		return nil
	}
	for _, name := range iptablesNames {
		if err := os.Symlink(iptablesLegacy, c.folder.file("sbin", name)); err != nil {
			return err
		}
	}
	return nil
}
