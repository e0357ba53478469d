package keys

import "strings"

// Host is the host of a request as hosts are compared: in small letters, without the schemes' own ports
// (80 and 443) and without the dot of a fully qualified name. Of a host that is so already it makes no
// copy.
func Host(host string) string {
	host = strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(host, ":80"), ":443"))
	name, port := host, ""
	if at := strings.LastIndexByte(host, ':'); at >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:at], host[at:]
	}
	if bare, dotted := strings.CutSuffix(name, "."); dotted && bare != "" {
		return bare + port
	}
	return host
}
