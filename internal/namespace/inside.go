package namespace

import (
	"context"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// inside is a namespace that is watched.
type inside struct {
	Namespace
	counts *procfs.Sockstat
	last   procfs.SocketCounts
	stop   context.CancelFunc
	done   chan struct{} // closed once the watch has ended and the files are closed
}

// watch begins the watch.
func (i *inside) watch(ctx context.Context, watch func(context.Context, Namespace)) {
	ctx, i.stop = context.WithCancel(ctx)
	go func() {
		defer close(i.done)
		watch(ctx, i.Namespace)
		_ = i.File.Close() // opened to be looked at
	}()
}

// look reads the counts and tells the gate. Connections in TIME_WAIT hold nothing that could be sent.
func (i *inside) look() {
	if i.counts == nil {
		return
	}
	select {
	case <-i.done:
		i.close()
		return
	default:
	}
	var now procfs.SocketCounts
	before := time.Duration(boottime.Now())
	err := i.counts.ReadInto(&now)
	now.TimeWait = 0
	if err == nil && now == i.last {
		i.Gate.Same(before)
		return
	}
	i.last = now
	i.Gate.Changed() // or it cannot be told
}

// close closes what counts sockets. Nobody waits for the gate any more.
func (i *inside) close() {
	if i.counts != nil {
		_ = i.counts.Close() // only read from
		i.counts = nil
	}
}
