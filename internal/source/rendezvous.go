package source

import (
	"sync"
	"time"
)

// rendezvous lets others wait until a goroutine has handled all that was there when they asked. The goroutine takes who waits,
// looks for what is there, and lets them go once all is handled.
type rendezvous struct {
	mu   sync.Mutex    // guards everything below
	done chan struct{} // nil if nobody waits
	over bool          // the goroutine will not come any more
}

// wait waits, not longer than patience, and reports whether it came to that. wake ends the goroutine's wait for more to come.
func (r *rendezvous) wait(patience time.Duration, wake func()) (met bool) {
	r.mu.Lock()
	if r.over {
		r.mu.Unlock()
		return false
	}
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
		return true
	case <-timer.C:
		return false
	}
}

// awaited reports whether somebody waits.
func (r *rendezvous) awaited() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done != nil
}

// take returns how to let go who waits now. Who comes later is not among them, and waits for the next time.
func (r *rendezvous) take() (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done := r.done
	r.done = nil
	return func() {
		if done != nil {
			close(done)
		}
	}
}

// end says that the goroutine will not come any more: nobody is waiting, nor will be.
func (r *rendezvous) end() {
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.take()()
}
