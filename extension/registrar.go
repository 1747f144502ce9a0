package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	osquery "github.com/osquery/osquery-go"
	gen "github.com/osquery/osquery-go/gen/osquery"

	"github.com/beaconwatch/beaconwatch/internal/shell"
	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// extensionName is what osquery knows us as (--extensions_require=beaconwatch).
const extensionName = "beaconwatch"

// stopTimeout bounds the wait for calls in progress when a registration ends.
const stopTimeout = 2 * time.Second

// registrar keeps our tables registered with an osquery that may come and go. It does not trust the ping alone: osqueryd
// can drop an extension and still answer it, so the list of extensions is asked for our own name.
type registrar struct {
	socket   string        // or a pattern: see locate
	timeout  time.Duration // for osquery's socket to appear and answer
	interval time.Duration // between checks
	plugins  []osquery.OsqueryPlugin
	encode   func() (end func()) // begun and ended around the encoding of each answer
	log      *slog.Logger

	registered atomic.Uint64          // times registered
	at         atomic.Pointer[string] // the socket of the osquery that lists us now
}

// run registers, checks, and registers again until ctx ends; it never gives up. A duplicate name or a missing socket is
// waited out with back-off, longer than osquery takes to notice that the last registration died.
func (r *registrar) run(ctx context.Context) error {
	if r.socket == "" {
		return nil // no osquery was named
	}
	backoff := r.interval
	for {
		started := time.Now()
		err := r.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.log.Warn("not registered with osquery", "socket", r.socket, "reason", err, "retry_in", backoff)
		if time.Since(started) > 4*r.interval {
			backoff = r.interval
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff + rand.N(backoff/4+1)):
		}
		backoff = min(2*backoff, time.Minute)
	}
}

// session registers once and returns why the registration ended.
func (r *registrar) session(ctx context.Context) error {
	socket, err := locate(r.socket)
	if err != nil {
		return err
	}
	if err := shell.CheckSocket(socket); err != nil {
		return err
	}
	client, err := osquery.NewClient(socket, r.timeout, osquery.DefaultWaitTime(r.timeout))
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := wire.Register(ctx, client, socket, &gen.InternalExtensionInfo{Name: extensionName, Version: version}, encoding{r.encode}, r.plugins...)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() {
		served <- server.Serve()
		close(served)
	}()
	err = r.watch(ctx, client, socket, served)
	if stopped := server.Stop(context.WithoutCancel(ctx)); stopped != nil {
		r.log.Debug("deregistering from osquery", "error", stopped)
	}
	select { // Stop closes our socket, and with that removes it, in the background
	case <-served:
	case <-time.After(stopTimeout):
	}
	return err
}

// watch returns when the server ends, when osquery no longer lists us, or when ctx ends.
func (r *registrar) watch(ctx context.Context, client *osquery.ExtensionManagerClient, socket string, served <-chan error) error {
	tick := time.NewTicker(r.interval)
	defer tick.Stop()
	defer r.at.Store(nil)
	listed := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-served:
			return cmpError(err, errors.New("osquery asked the extension to shut down"))
		case <-tick.C:
			here, err := listsUs(ctx, client, r.timeout)
			switch {
			case err != nil:
				return fmt.Errorf("osquery is gone: %w", err)
			case here && !listed:
				listed = true
				r.registered.Add(1)
				r.at.Store(&socket)
				r.log.Info("registered with osquery", "socket", socket)
			case !here && listed:
				return errors.New("osquery dropped the registration")
			case !here:
				return errors.New("osquery does not list the extension")
			}
		}
	}
}

// registration is the socket of the osquery that has our tables, empty if none has, and how often that had to be made anew.
func (r *registrar) registration() (socket string, reconnects uint64) {
	if at := r.at.Load(); at != nil {
		socket = *at
	}
	return socket, max(r.registered.Load(), 1) - 1
}

func listsUs(ctx context.Context, client *osquery.ExtensionManagerClient, timeout time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	list, err := client.ExtensionsContext(ctx)
	if err != nil {
		return false, err
	}
	for _, e := range list {
		if e.Name == extensionName {
			return true, nil
		}
	}
	return false, nil
}

// cmpError is err, or otherwise where there is none.
func cmpError(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
