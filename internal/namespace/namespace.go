// Package namespace keeps up with the network namespaces of the host (network_namespaces(7)) other than the caller's own: it
// finds those that processes are in, has each watched as long as there are any, and tells the watchers when nothing can have
// changed, so that an idle one costs one look at its counts of sockets. It does not watch sockets itself.
//
// Not found are namespaces that no process has as its own: only bound to a file (ip-netns(8)), held by a descriptor, or entered
// by single threads.
package namespace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/netns"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/pulse"
)

// Namespace is one that is to be watched.
type Namespace struct {
	Inode uint64
	// PID was in it when it was found.
	PID int32
	// Found says that it was there when the Watcher began to run.
	Found bool
	// File is an open descriptor of it, valid until the watch has ended.
	File *os.File
	// Gate tells when sockets come or go in it.
	Gate *netns.Gate
}

// Config of a Watcher. Watch is required.
type Config struct {
	// Watch is called, on a goroutine of its own, for each namespace that is entered, and must return when ctx ends. It may
	// return before: then the namespace costs nothing more.
	Watch func(ctx context.Context, n Namespace)
	// Max bounds the namespaces that are watched, or were and still exist. Default 128.
	Max int
	// Every is the time between two looks at the counts of sockets, default 500 ms; Discover the least time between two looks
	// for namespaces, default 1 s, and Rest the same while none is watched, default Discover. The latter two take Share of one core
	// at most, default 0.002.
	Every, Discover, Rest time.Duration
	Share                 float64
	// Spare, if not nil, reports whether namespaces are to be found and entered only: nobody looks at their counts, so what rests
	// there goes on resting.
	Spare func() bool
	// Root is where the proc file system is mounted. Default /proc.
	Root string
}

// Bounds of what is found: maxFound namespaces are told apart; of namespaces made in a loop, perSecond are entered in the long run
// and patient more only if a second look still finds them.
const (
	maxFound  = 4096
	perSecond = 2
	patient   = 16
)

// Stats is what a Watcher knows of itself.
type Stats struct {
	// Found are the namespaces there are, the caller's own left out, Watched those that are watched, or were and have nothing more
	// to watch. Truncated: there are more than are told apart.
	Found, Watched int
	Truncated      bool
	// Hidden counts the processes that do not show theirs, at the last look.
	Hidden int
	// Entered and Left count namespaces, Refused attempts to enter that failed although the namespace was there.
	Entered, Left, Refused uint64
	// LastError is why the latest failed.
	LastError error
}

// Watcher keeps up with namespaces while it runs. Only Stats may be called from other goroutines.
type Watcher struct {
	config Config
	fs     procfs.FS
	own    uint64

	buffer  procfs.Buffer
	found   []procfs.NetNS
	strange map[uint64]bool // found and not watched, at the last look
	inside  map[uint64]*inside
	tokens  float64
	began   bool // a first look was made

	mu    sync.Mutex
	stats Stats // guarded by mu
}

// New returns a Watcher that does nothing until Run.
func New(c Config) (*Watcher, error) {
	if c.Max == 0 {
		c.Max = 128
	}
	if c.Every == 0 {
		c.Every = 500 * time.Millisecond
	}
	if c.Discover == 0 {
		c.Discover = time.Second
	}
	if c.Rest == 0 {
		c.Rest = c.Discover
	}
	if c.Share == 0 {
		c.Share = 0.002
	}
	if c.Spare == nil {
		c.Spare = func() bool { return false }
	}
	if c.Watch == nil || c.Max < 0 || c.Max > maxFound || c.Every < time.Millisecond || c.Discover < c.Every ||
		c.Rest < c.Discover || c.Share < 0 || c.Share > 1 {
		return nil, fmt.Errorf("namespace: %d watched, looks every %v, %v and %v, share %v: a watch function, at most %d, at least 1 ms and "+
			"each no rarer than the next, in (0, 1]", c.Max, c.Every, c.Discover, c.Rest, c.Share, maxFound)
	}
	var own unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &own); err != nil {
		return nil, fmt.Errorf("namespace: own: %w", err)
	}
	return &Watcher{config: c, fs: procfs.New(c.Root), own: own.Ino}, nil
}

// Run keeps up until ctx ends, then waits for the watches to end. It may be called again afterwards.
func (w *Watcher) Run(ctx context.Context) error {
	w.inside, w.strange = make(map[uint64]*inside), make(map[uint64]bool)
	w.tokens, w.began = float64(w.config.Max), false
	defer w.leaveAll()
	var due time.Time
	last := time.Now()
	for {
		if now := time.Now(); !now.Before(due) {
			w.tokens = min(w.tokens+perSecond*now.Sub(last).Seconds(), float64(w.config.Max))
			last = now
			cost, err := w.discover(ctx)
			if err != nil {
				return err
			}
			pace := w.config.Rest
			if w.watching() {
				pace = w.config.Discover
			}
			due = now.Add(pulse.After(max(pace, time.Duration(float64(cost)/w.config.Share))))
		}
		if !w.config.Spare() {
			w.look()
		}
		wait := w.config.Every
		if !w.watching() {
			wait = max(wait, time.Until(due))
		}
		if !pulse.Wait(ctx, wait) {
			return nil
		}
	}
}

// watching reports whether anybody wants to know when sockets come or go.
func (w *Watcher) watching() bool {
	for _, i := range w.inside {
		if i.counts != nil {
			return true
		}
	}
	return false
}

// Stats returns the counters of now.
func (w *Watcher) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

func (w *Watcher) note(f func(*Stats)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.stats)
}

// discover finds out which namespaces there are, leaves those that are gone and enters new ones. It returns the CPU time that
// finding them took.
func (w *Watcher) discover(ctx context.Context) (cost time.Duration, err error) {
	var scan procfs.NetNSScan
	runtime.LockOSThread()
	cost = -threadTime()
	w.found, err = w.fs.AppendNetNS(w.found[:0], maxFound, &scan, &w.buffer)
	cost += threadTime()
	runtime.UnlockOSThread()
	if err != nil {
		return 0, fmt.Errorf("namespace: %w", err)
	}
	there := make(map[uint64]bool, len(w.found))
	for _, n := range w.found {
		there[n.Inode] = true
	}
	delete(there, w.own)
	for inode, i := range w.inside {
		if !there[inode] && !(scan.Truncated && w.in(i.PID, inode)) {
			w.leave(i)
		}
	}
	strange := make(map[uint64]bool)
	for _, again := range [...]bool{true, false} { // first those that the last look found as well
		for _, n := range w.found {
			if n.Inode != w.own && w.inside[n.Inode] == nil && w.strange[n.Inode] == again {
				w.consider(ctx, n, again)
				strange[n.Inode] = w.inside[n.Inode] == nil
			}
		}
	}
	w.strange, w.began = strange, true
	w.note(func(s *Stats) {
		s.Found, s.Watched, s.Truncated, s.Hidden = len(there), len(w.inside), scan.Truncated, scan.Refused
	})
	return cost, nil
}

// threadTime is the CPU time the calling thread has used.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// consider enters a namespace if there is room, and the time for it.
func (w *Watcher) consider(ctx context.Context, n procfs.NetNS, again bool) {
	if len(w.inside) >= w.config.Max || w.tokens < 1 || !again && w.tokens < patient && w.began {
		return
	}
	w.tokens--
	i, err := w.enter(n)
	if err != nil {
		if w.in(n.PID, n.Inode) {
			w.note(func(s *Stats) { s.Refused++; s.LastError = err })
		}
		return
	}
	i.Found = !w.began
	w.inside[n.Inode] = i
	w.note(func(s *Stats) { s.Entered++ })
	i.watch(ctx, w.config.Watch)
}

// in reports whether a process is in a namespace.
func (w *Watcher) in(pid int32, inode uint64) bool {
	p, err := w.fs.OpenPID(pid)
	if err != nil {
		return false
	}
	defer p.Close()
	now, err := p.NetNS(&w.buffer)
	return err == nil && now == inode
}

// look sees whether sockets came or went.
func (w *Watcher) look() {
	for _, i := range w.inside {
		i.look()
	}
}

// leave ends the watch of a namespace and waits for it.
func (w *Watcher) leave(i *inside) {
	i.stop()
	<-i.done
	i.close()
	delete(w.inside, i.Inode)
	w.note(func(s *Stats) { s.Left++ })
}

func (w *Watcher) leaveAll() {
	for _, i := range w.inside {
		i.stop()
	}
	for _, i := range w.inside {
		w.leave(i)
	}
	w.note(func(s *Stats) { s.Watched = 0 })
}

// errMoved is returned for a process that has moved to another namespace since it was found.
var errMoved = errors.New("namespace: the process has moved on")

// enter opens a namespace through a process in it, and what counts its sockets.
func (w *Watcher) enter(n procfs.NetNS) (*inside, error) {
	file, err := os.Open(w.config.path(n.PID))
	if err != nil {
		return nil, fmt.Errorf("namespace: %w", err)
	}
	i := &inside{Namespace: Namespace{Inode: n.Inode, PID: n.PID, File: file, Gate: &netns.Gate{}}, done: make(chan struct{})}
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil || st.Ino != n.Inode {
		return nil, errors.Join(errMoved, err, file.Close())
	}
	err = netns.Do(int(file.Fd()), func() (err error) {
		i.counts, err = w.fs.OpenSockstat("thread-self")
		return err
	})
	if errors.Is(err, unix.EPERM) { // it may be looked at all the same
		if i.counts, err = w.fs.OpenSockstat(strconv.Itoa(int(n.PID))); err == nil && !w.in(n.PID, n.Inode) {
			err = errors.Join(errMoved, i.counts.Close())
		}
	}
	if err == nil {
		err = i.counts.ReadInto(&i.last)
	}
	if err != nil {
		i.close()
		return nil, errors.Join(fmt.Errorf("namespace: %w", err), file.Close())
	}
	i.last.TimeWait = 0
	return i, nil
}

func (c *Config) path(pid int32) string {
	root := c.Root
	if root == "" {
		root = "/proc"
	}
	return fmt.Sprintf("%s/%d/ns/net", root, pid)
}
