package attribution

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/procevent"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

const (
	// firstRetry and lastRetry are the least and the longest wait before listening is tried again.
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
	// receiveBuffer holds about ten thousand events.
	receiveBuffer = 8 << 20
	// batch is how many events are read between two looks at the budget.
	batch = 64
	// eventCost is what an event costs beside the CPU time of the thread that handles it: each wakes the poller of the
	// runtime, whether or not anybody waits.
	eventCost = 15 * time.Microsecond
	// gather is how long events are left to gather where there is no budget to read programs, so that haste is of no use.
	gather = 10 * time.Millisecond
	// patience is how long Owner waits for events under way, on a host so busy that they are not handled at once.
	patience = time.Second
)

// witness follows process events, so that processes are known which live too briefly to be found. It is run by one
// goroutine; what follows mu may be used by others.
type witness struct {
	r      *Resolver
	buffer procfs.Buffer
	// budget is for reading events and what they make necessary; the first half of it only for the latter.
	budget  budget
	receive int
	event   procevent.Event
	// executions are told by the kernel, for processes that have gone before they could be read.
	executions executions
	pids       []int32
	// lag is what must be added to the time of an event to get time since boot. last is when the last event was, in that.
	lag, last int64
	drops     uint64

	mu sync.Mutex
	// conn is nil while nobody listens or reads from it.
	conn    *procevent.Conn
	active  bool
	refused error
	// next is the reading that begins next, if somebody waits for it. tardy: somebody has waited in vain since the last began.
	next  *reading
	tardy bool
}

// run follows events until ctx ends. Where the kernel refuses, it tries again now and then.
func (w *witness) run(ctx context.Context) {
	if !w.r.fs.OwnPIDs() {
		w.report(errOtherPIDs)
		return
	}
	defer w.executions.close()
	for wait := firstRetry; ctx.Err() == nil; wait = min(2*wait, lastRetry) {
		conn, err := procevent.Open(procevent.Config{ReceiveBuffer: w.receive})
		if err == nil {
			wait = firstRetry
			err = w.follow(ctx, conn)
		}
		if ctx.Err() != nil {
			return
		}
		w.report(err)
		rest(ctx, wait)
	}
}

func (w *witness) report(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = err
}

// state says whether events are followed, and if not, why.
func (w *witness) state() (active bool, refused error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active, w.refused
}

// listening says that events are read from conn, or with nil that they are not. It lets go who waits for them.
func (w *witness) listening(conn *procevent.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = conn
	if conn == nil && w.next != nil {
		close(w.next.done)
		w.next = nil
	}
}

// follow reads events until ctx ends or reading fails, and closes conn.
func (w *witness) follow(ctx context.Context, conn *procevent.Conn) error {
	stop := context.AfterFunc(ctx, conn.Interrupt)
	w.executions.open(w.r.config.Executions) // meanwhile the kernel keeps events
	w.mu.Lock()
	w.active, w.refused = true, nil
	w.mu.Unlock()
	w.drops = 0
	w.lag = lag()
	err := w.read(ctx, conn)
	w.listening(nil)
	w.mu.Lock()
	w.active = false
	w.mu.Unlock()
	w.suspect() // what happens until the next attempt is not seen
	stop()
	return errors.Join(err, conn.Close())
}

// read reads events. While there is no budget it does not, and leaves it to the kernel to count them.
func (w *witness) read(ctx context.Context, conn *procevent.Conn) error {
	for ctx.Err() == nil {
		w.listening(conn)
		ready, err := conn.Wait()
		if err != nil {
			return err
		}
		if !ready {
			if err := conn.SetDeadline(time.Time{}); err != nil {
				return err
			}
		}
		if err := w.drain(conn); err != nil {
			return err
		}
		w.budget.refill(sinceBoot())
		if w.budget.some() {
			if !w.budget.ample() {
				rest(ctx, gather)
			}
			continue
		}
		// The kernel goes on until its buffer is full, then it only counts.
		w.r.counters.events.pauses.Add(1)
		w.listening(nil)
		rest(ctx, w.budget.until(w.budget.burst/50))
	}
	return nil
}

// rest waits for a while, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// drain handles the events that are there, as long as there is budget.
func (w *witness) drain(conn *procevent.Conn) error {
	runtime.LockOSThread() // its CPU time is what this costs
	defer runtime.UnlockOSThread()
	now := w.begin()
	defer close(now.done)
	began := threadTime()
	w.lag = lag()
	for !now.complete && w.budget.some() {
		more, err := w.some(conn)
		if err != nil {
			return err
		}
		now.complete = !more
		w.budget.refill(sinceBoot())
		w.budget.spend(threadTime() - began)
		began = threadTime()
	}
	if w.r.doubtful() && w.budget.ample() {
		w.relist()
		w.budget.spend(threadTime() - began)
	}
	return nil
}

// reading is one drain, for those who wait for it. complete, which is true if it has read all events that were there, is valid once
// done is closed.
type reading struct {
	done     chan struct{}
	complete bool
}

// begin returns the reading that begins now. Who comes later waits for the next.
func (w *witness) begin() *reading {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.next
	if now == nil {
		now = &reading{done: make(chan struct{})}
	}
	w.next, w.tardy = nil, false
	return now
}

// some handles a batch of events and reports whether there may be more.
func (w *witness) some(conn *procevent.Conn) (more bool, err error) {
	for range batch {
		ok, err := conn.Next(&w.event)
		switch {
		case errors.Is(err, procevent.ErrOverrun):
			drops := conn.Drops()
			w.r.counters.events.lost.Add(max(drops-w.drops, 1))
			w.drops = drops
			w.suspect()
		case err != nil || !ok:
			return false, err
		default:
			w.r.counters.events.seen.Add(1)
			w.budget.spend(eventCost)
			w.last = int64(w.event.At) + w.lag
			w.handle(&w.event, w.last)
		}
	}
	return true, nil
}

// catchUp waits, for a moment, until all events that have happened are handled, and reports whether it came to that. Who has
// waited in vain once is not waited for again until then.
func (w *witness) catchUp() bool {
	w.mu.Lock()
	if w.conn == nil || w.tardy {
		w.mu.Unlock()
		return false
	}
	if w.next == nil {
		w.next = &reading{done: make(chan struct{})}
	}
	next := w.next
	w.conn.Interrupt()
	w.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-next.done:
		return next.complete
	case <-timer.C:
		w.mu.Lock()
		w.tardy = true
		w.mu.Unlock()
		return false
	}
}

// lag returns the difference between time since boot and the clock of events, not less than it is.
func lag() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return sinceBoot() - ts.Nano()
}
