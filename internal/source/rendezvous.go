package source

import (
	"sync"
	"time"
)

// rendezvous lets others wait until a goroutine has handled all that was there when they asked. Before it looks for what is there
// the goroutine asks whether somebody waits; if so, and once all is handled, it lets them go.
type rendezvous struct {
	mu   sync.Mutex
	done chan struct{} // nil if nobody waits; guarded by mu
}

// wait waits, not longer than patience. wake ends the goroutine's wait for more to come.
func (r *rendezvous) wait(patience time.Duration, wake func()) {
	r.mu.Lock()
	if r.done == nil {
		r.done = make(chan struct{})
	}
	done := r.done
	r.mu.Unlock()
	wake()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// awaited reports whether somebody waits.
func (r *rendezvous) awaited() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done != nil
}

// release lets go who waits.
func (r *rendezvous) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done != nil {
		close(r.done)
		r.done = nil
	}
}
