package tracker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// stop ends this copy in the order in which nothing is lost: say so (health), serve on for Linger,
// finish open requests, send queued mails, write the audit log out, close the database, and last of
// all write the marker. Each step happens even when one before it failed, except the marker: it
// promises that what this copy had to write is written, so it is left out when the audit log is not.
func (s *Server) stop(web, control *http.Server) error {
	s.log.Info("stopping", "linger", s.config.Linger.String(), "grace", s.config.Grace.String())
	s.stopping.Store(true)
	time.Sleep(s.config.Linger)
	s.hub.close()
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Grace)
	defer cancel()
	err := web.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests were cut off after %v: %w", s.config.Grace, err), web.Close())
	}
	waitUntil(ctx, s.sockets.Wait)
	if control != nil {
		err = errors.Join(err, control.Close())
	}
	return errors.Join(err, s.Close())
}

// Close ends a copy whose handler is no longer called: it sends the queued mails, writes the audit log
// out, closes the database and writes the marker.
func (s *Server) Close() error {
	s.stopping.Store(true)
	s.hub.close()
	s.stopHub()
	<-s.hubDone
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Grace)
	defer cancel()
	mailErr := s.mail.close(ctx)
	auditErr := s.audit.close()
	err := errors.Join(mailErr, auditErr, s.store.Close())
	s.log.Info("stopped", "stats", s.Stats())
	if s.config.Marker == "" || auditErr != nil {
		return err
	}
	if markErr := os.WriteFile(s.config.Marker, nil, 0o644); markErr != nil {
		err = errors.Join(err, fmt.Errorf("marker: %w", markErr))
	}
	return err
}

// waitUntil waits for wait to return, or for ctx to end.
func waitUntil(ctx context.Context, wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
