package gateway

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"yadokari/gateway/framing"
)

// acceptOut is how long connections that were already on their way are still accepted before the
// socket closes.
const acceptOut = 100 * time.Millisecond

// firstRequest is how long the last connections may take to send the request for which they were
// opened. Browsers open some in reserve: those would be waited for in vain.
const firstRequest = time.Second

// Run serves users until ctx ends, and then stops: readiness goes off, requests are served on for
// shutdown.deregister, and those under way may take shutdown.drain to end. hurry ends these waits.
// It returns nil after a stop in which every request came to its end.
func (g *Gateway) Run(ctx, hurry context.Context) error {
	socket, second, err := listen(ctx, g.config.Listen)
	if err != nil {
		return err
	}
	limits := &g.config.Limits
	f := newFront(socket, limits, g.tls, framing.Options{
		MaxHead: int(limits.Headers), AllowH2C: g.config.H2C,
		OnReject: g.rejected.add,
	})
	f.logger = g.logger
	server := g.server()
	over, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go f.run(over)
	served := make(chan error, 1)
	go func() { served <- server.Serve(f) }()
	g.mu.Lock()
	g.front, g.second = f, second
	g.mu.Unlock()
	g.logger.Info("gateway listening", "address", socket.Addr().String(), "scheme", g.scheme, "takeover", second)
	select {
	case err := <-served:
		return fmt.Errorf("gateway: %w", err)
	case <-ctx.Done():
	}
	return g.stop(hurry, server, f, served)
}

func (g *Gateway) server() *http.Server {
	limits := &g.config.Limits
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(g.config.H2C)
	return &http.Server{
		Handler: g, ReadHeaderTimeout: limits.HeaderTime, IdleTimeout: limits.Idle,
		MaxHeaderBytes: int(limits.Headers), Protocols: protocols, TLSConfig: g.tls,
		DisableGeneralOptionsHandler: true,                            // OPTIONS * is the app's to answer, within the same rules
		ErrorLog:                     log.New(quiet{g.logger}, "", 0), // a client's mistakes are not the operator's errors
	}
}

// quiet passes net/http's own messages on at debug level.
type quiet struct{ *slog.Logger }

func (q quiet) Write(line []byte) (int, error) {
	q.Debug("http", "message", string(line))
	return len(line), nil
}

// stop is the life of a gateway after SIGTERM.
func (g *Gateway) stop(hurry context.Context, server *http.Server, f *front, served <-chan error) error {
	g.stopping.Store(true)
	bounds := g.table.Load().config.Shutdown
	g.logger.Info("gateway stopping", "deregister", bounds.Deregister.String(), "drain", bounds.Drain.String())
	after(hurry, bounds.Deregister)
	if err := giveWay(f.Listener); err != nil {
		g.logger.Warn("connections that arrive while the socket closes may be refused", "error", err)
	}
	after(hurry, acceptOut)
	drain, cancel := context.WithTimeout(hurry, bounds.Drain)
	defer cancel()
	g.closeSocket(drain, f, served)
	err := server.Shutdown(drain)
	g.endTunnels(drain)
	left := g.inFlight.Load()
	if err != nil {
		_ = server.Close() // cuts what has not ended: connections without a request, and what is counted here
	}
	if err != nil && left > 0 {
		return fmt.Errorf("gateway: %d requests had not ended after %s: %w", left, bounds.Drain, err)
	}
	g.logger.Info("gateway stopped")
	return nil
}

// closeSocket takes no more connections, and waits until those that got in are being answered:
// http.Server.Shutdown drops requests that have been read but not handed to the handler yet, and
// connections that have not reached the server.
func (g *Gateway) closeSocket(ctx context.Context, f *front, served <-chan error) {
	ctx, cancel := context.WithTimeout(ctx, firstRequest)
	defer cancel()
	_ = f.Close() // that it is closed already would be no news
	select {
	case <-served:
	case <-ctx.Done():
	}
	f.settle(ctx)
}

// endTunnels waits for upgraded connections and cuts those that are left.
func (g *Gateway) endTunnels(ctx context.Context) {
	for ctx.Err() == nil && len(g.tunnels.now()) > 0 {
		after(ctx, 50*time.Millisecond)
	}
	for _, t := range g.tunnels.now() {
		t.close()
	}
}

var _ net.Listener = (*front)(nil)
