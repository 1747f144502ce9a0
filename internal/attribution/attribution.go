// Package attribution says which process owns a socket and what that process is. It reads /proc only for sockets it has
// never seen, remembers answers by socket cookie until the socket closes, and describes processes off the hot path. It
// names an owner only where it saw one holding the socket; everything else is unattributed and counted, never guessed.
//
// A socket may be held by several processes (a child inherits its parent's descriptors). The owner is then the oldest
// holder found, by start and then by PID, init excepted: descriptors are handed down, so the oldest is the likeliest to
// have opened the socket, and it stays the same while children come and go, where the youngest would name whatever a shell
// runs next. A source that knows the sender (eBPF) overrules this for each send.
package attribution

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// Config of a Resolver; the zero value watches this host with the defaults.
type Config struct {
	// Root is where the proc file system is mounted. Default /proc.
	Root string
	// Redact takes secrets out of a command line before it is kept. nil keeps command lines as they are.
	Redact func(cmdline string) string
	// Met is told of each process that is found to own a socket, and again when it runs another program, with what is known
	// so far. It is called on the hot path with a lock held: it must return at once and not call back. May be nil.
	Met func(process.Info)
	// Executions, if not nil, opens where the kernel tells of programs as they are executed, and returns nil if there is no such
	// place. It is called by Run, which closes what it returns.
	Executions func() Executions
	// MaxProcesses bounds the processes described, ended ones included, and apart from these those that were witnessed
	// without having owned a socket yet. Default 4096 of each.
	MaxProcesses int
	// MaxText bounds the text kept about them, in bytes. Default 6 MiB for each.
	MaxText int
	// MaxSockets bounds the sockets remembered, and with a factor of four the descriptors indexed. Default 32768.
	MaxSockets int
	// KeepExited is how long a process that has ended can still be described; the last one of each program is kept while there
	// is room. Default 30 min.
	KeepExited time.Duration
	// FullScanEvery is the least time between two scans of all descriptors of the host. Default 5 s.
	FullScanEvery time.Duration
	// Share is the share of one core that looking for owners may take in the long run; looking is put off beyond it. A
	// second's worth may be spent at once. Following process events may take as much again, and loses events beyond it.
	// Default 0.05.
	Share float64
}

// Resolver finds and remembers owners. It is safe for concurrent use; one goroutine should be in Run.
type Resolver struct {
	config   Config
	fs       procfs.FS
	counters counters
	// unified: only the unified hierarchy of control groups is in use.
	unified bool
	// halvings are how often Share is halved.
	halvings atomic.Int32
	hurry    atomic.Bool // see Hurry
	// wake tells Run that a process awaits its description.
	wake chan struct{}
	// began is the origin of now.
	began time.Time
	// tidied is when the index was last swept for no need of room, by now; for the goroutine in Run.
	tidied int64
	// scans counts finished full scans, nextScan is when the next may begin, by now.
	scans    atomic.Uint32
	nextScan atomic.Int64

	// scanning is held by whoever looks for an owner. It guards what follows and is taken before mu.
	scanning sync.Mutex
	scanner  scanner
	// completed: the last full scan saw every descriptor of the host.
	completed bool

	// witness follows process events while Run runs.
	witness witness

	// mu guards what is remembered; it is never held while /proc is read.
	mu        sync.RWMutex
	sockets   sockets
	processes processes
	lineage   lineage
}

// New returns a resolver that has read nothing yet. It fails only for a configuration out of range.
func New(c Config) (*Resolver, error) {
	if c.MaxProcesses < 0 || c.MaxText < 0 || c.MaxSockets < 0 || c.KeepExited < 0 || c.FullScanEvery < 0 || c.Share < 0 || c.Share > 1 {
		return nil, errors.New("attribution: limits must not be negative and the share at most 1")
	}
	setDefault(&c.Root, "/proc")
	setDefault(&c.MaxProcesses, 4096)
	setDefault(&c.MaxText, 6<<20)
	setDefault(&c.MaxSockets, 1<<15)
	setDefault(&c.KeepExited, 30*time.Minute)
	setDefault(&c.FullScanEvery, 5*time.Second)
	setDefault(&c.Share, 0.05)
	if c.Redact == nil {
		c.Redact = func(cmdline string) string { return cmdline }
	}
	r := &Resolver{config: c, fs: procfs.New(c.Root), began: time.Now(), wake: make(chan struct{}, 1)}
	r.unified = r.fs.Unified()
	r.sockets.limit = c.MaxSockets
	r.processes.limit, r.processes.textLimit = c.MaxProcesses, c.MaxText
	r.lineage.limit, r.lineage.textLimit = c.MaxProcesses, c.MaxText
	r.witness = witness{r: r, budget: newBudget(c.Share, &r.halvings), receive: receiveBuffer}
	r.scanner = newScanner(r.fs, 4*c.MaxSockets, newBudget(c.Share, &r.halvings), &r.counters)
	return r, nil
}

func setDefault[T comparable](v *T, value T) {
	var unset T
	if *v == unset {
		*v = value
	}
}

// Hurry has processes that have ended forgotten after keepKin instead of Config.KeepExited, as long as it is so: there is too little
// memory for them.
func (r *Resolver) Hurry(yes bool) { r.hurry.Store(yes) }

// Ease halves the share of one core so many times.
func (r *Resolver) Ease(halvings int) { r.halvings.Store(int32(halvings)) }

// now is the clock of what is remembered: nanoseconds since New. It is not sinceBoot because that is a system call, which
// would be most of the cost of an answer.
func (r *Resolver) now() int64 { return int64(time.Since(r.began)) }

// Process returns what is known of a process that has owned a socket, now or before it ended. Parents and user name
// follow a moment after the first send. ok is false for a process never seen, or forgotten since it ended.
func (r *Resolver) Process(id process.ID) (info process.Info, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e, ok := r.processes.byID[id]
	if !ok {
		return process.Info{}, false
	}
	return *e.info, true
}
