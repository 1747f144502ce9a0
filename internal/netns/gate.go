package netns

import (
	"sync"
	"time"
)

// Gate lets whoever looks at the sockets of a network namespace rest while nothing changes there. One goroutine, which knows by
// something cheaper than a look, calls Same or Changed now and then; many may rest. A nil Gate is always changing.
type Gate struct {
	mu      sync.Mutex
	turn    uint64 // how often it has changed
	checked time.Duration
	waking  map[uint64]func()
	next    uint64
}

// Turn returns a number that is another one after each change.
func (g *Gate) Turn() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.turn
}

// Rests reports whether there was no change since that turn.
func (g *Gate) Rests(turn uint64) bool { return g != nil && g.Turn() == turn }

// Checked returns when it was last known that nothing had changed, in time since boot; 0 if it never was.
func (g *Gate) Checked() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.checked
}

// Same says that nothing has changed until that time.
func (g *Gate) Same(now time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.checked = now
}

// Changed says that something may have changed, and wakes who rests.
func (g *Gate) Changed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn++
	for _, wake := range g.waking {
		wake()
	}
}

// OnChange has f called at each change until stop is called. f must not block, nor call the Gate.
func (g *Gate) OnChange(f func()) (stop func()) {
	if g == nil {
		return func() {}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waking == nil {
		g.waking = make(map[uint64]func())
	}
	key := g.next
	g.next++
	g.waking[key] = f
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.waking, key)
	}
}
