package sqlhost

import (
	"context"
	"sync"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/pulse"
)

// watch pings the extensions of a socket every PingInterval and drops those that do not answer, as osquery's
// ExtensionManagerWatcher does: one failure is enough, but an extension that has just registered gets Timeout to open its
// socket.
func (h *Host) watch(ctx context.Context, socket string) {
	for pulse.Wait(ctx, h.config.PingInterval) {
		var wg sync.WaitGroup
		for _, e := range h.snapshot() {
			if e.manager == socket {
				wg.Go(func() { h.check(ctx, e) })
			}
		}
		wg.Wait()
	}
}

func (h *Host) check(ctx context.Context, e *extension) {
	limited, cancel := context.WithTimeout(ctx, h.config.Timeout)
	defer cancel()
	err := e.ping(limited)
	if err == nil || ctx.Err() != nil {
		return
	}
	if e.answered.Load() || time.Since(e.registered) > h.config.Timeout {
		h.deregister(e.uuid, err.Error())
	}
}
