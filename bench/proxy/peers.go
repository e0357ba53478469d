package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// startOrigin is an NGINX that answers /wiki/N with N bytes.
func startOrigin(dir string, o options) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	site := filepath.Join(dir, "site", "wiki")
	if err := os.MkdirAll(site, 0o755); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // NGINX's workers are not root
		return nil, err
	}
	for _, size := range o.sizes {
		if err := os.WriteFile(filepath.Join(site, fmt.Sprint(size)), []byte(strings.Repeat("x", size)), 0o644); err != nil {
			return nil, err
		}
	}
	return startNGINX("origin", o.loadCPU, dir, address, fmt.Sprintf(`
	server { listen %s; root %s; access_log off; default_type text/html; sendfile on; open_file_cache max=100; }`,
		address, filepath.Dir(site)))
}

func startNGINX(name, cpu, dir, address, servers string) (*process, error) {
	conf := filepath.Join(dir, name+".conf")
	text := fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/%[2]s.pid; error_log %[1]s/%[2]s.err;
events { worker_connections 4096; }
http {
	keepalive_requests 100000000; client_body_temp_path %[1]s/%[2]s-body; proxy_temp_path %[1]s/%[2]s-proxy;
	fastcgi_temp_path %[1]s/%[2]s-f; uwsgi_temp_path %[1]s/%[2]s-u; scgi_temp_path %[1]s/%[2]s-s;
	log_format access escape=json '{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method","host":"$host","target":"$request_uri","status":$status,"bytes":$body_bytes_sent,"duration":$request_time,"upstream":"$upstream_addr","upstream_status":"$upstream_status","upstream_time":"$upstream_response_time","agent":"$http_user_agent"}';
%[3]s
}`, dir, name, servers)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return start(name, cpu, address, filepath.Join(dir, name+".log"), "nginx", "-c", conf)
}

// startPeer starts one proxy before the origin.
func startPeer(name, dir, origin string, o options) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := peer{name: name, dir: dir, address: address, origin: origin, options: o}
	switch name {
	case "nginx":
		return p.nginx()
	case "haproxy":
		return p.haproxy()
	case "caddy":
		return p.caddy()
	case "yadokari":
		return startGateway(dir, address, origin, p.path(".access"), p.path(".log"), o)
	}
	return nil, fmt.Errorf("%q is not a proxy this program knows", name)
}

// peer is one proxy that the gateway is compared with.
type peer struct {
	name, dir, address, origin string
	options                    options
}

func (p *peer) path(suffix string) string { return filepath.Join(p.dir, p.name+suffix) }

// run writes the configuration and starts the peer; the command's last argument is the file's name.
func (p *peer) run(text string, command ...string) (*process, error) {
	conf := p.path(".conf")
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return start(p.name, p.options.proxyCPU, p.address, p.path(".log"), append(command, conf)...)
}

func (p *peer) nginx() (*process, error) {
	logging := "access_log off;"
	if p.options.peerLogs {
		logging = "access_log " + p.path(".access") + " access buffer=64k flush=1s;"
	}
	return startNGINX(p.name, p.options.proxyCPU, p.dir, p.address, fmt.Sprintf(`
	upstream app { server %s; keepalive 256; keepalive_requests 100000000; }
	server { listen %s; %s
		location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; }
	}`, p.origin, p.address, logging))
}

func (p *peer) haproxy() (*process, error) {
	logging := ""
	if p.options.peerLogs {
		logging = "log stdout format raw local0\n\toption httplog" // stdout is a file here
	}
	return p.run(fmt.Sprintf(`global
	maxconn 4096
	nbthread 1
defaults
	mode http
	%s
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	option forwardfor
	http-reuse always
frontend in
	bind %s
	default_backend app
backend app
	server s1 %s pool-max-conn 512
`, logging, p.address, p.origin), "haproxy", "-db", "-f")
}

func (p *peer) caddy() (*process, error) {
	logging := ""
	if p.options.peerLogs {
		logging = "log {\n\t\toutput file " + p.path(".access") + "\n\t}"
	}
	return p.run(fmt.Sprintf(`{
	admin off
	auto_https off
}
http://%s {
	%s
	reverse_proxy %s
}
`, p.address, logging, p.origin), "caddy", "run", "--adapter", "caddyfile", "--config")
}

// startGateway runs the gateway with everything on: a route that shifts at 50 %, log and metrics.
func startGateway(dir, address, origin, access, log string, o options) (*process, error) {
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "yadokari.yaml")
	text := fmt.Sprintf(`app: bench
gateway:
  listen: %q
  admin: %q
  state: %s
  accessLog: %s
  backends:
    vm: {servers: ["http://%s"]}
    containers: {servers: ["http://%s"]}
  sticky: {cookie: SESSION}
  routes:
    - name: wiki
      match: ["/wiki/"]
      shift: {stages: [50%%, 100%%], hold: 1h}
    - {name: rest, match: ["/"]}
`, address, admin, filepath.Join(dir, "state"), access, origin, origin)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	p, err := start("yadokari", o.proxyCPU, address, log, o.gateway, "gateway", "-c", conf)
	if err != nil {
		return nil, err
	}
	p.admin = admin
	return p, shiftRoute(o.gateway, admin, "wiki")
}
