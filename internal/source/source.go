// Package source turns kernel readers into sources of sends, one file each: what was sent, on which socket, when and how
// surely. It does not know who sent it (attribution), keeps no history, and never guesses bytes a kernel does not count.
//
// A source is made by its New function, which fails with ErrRefused when the kernel will not serve it, and is run once by
// Run, which blocks until its context ends. Exactly one source should own a protocol at a time.
package source

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Emit receives the sends of a source. It is called on the source's own goroutine, one call at a time; time spent in it
// delays the next sample, which is counted. Sends of one source arrive in the order they were learnt, which is nearly but
// not exactly the order of At.
type Emit = func(send.Send)

// ErrRefused marks errors of a kernel that does not serve a source: no such interface, no privilege, a security policy.
// Trying the same again soon is pointless; the next source should take the protocol over.
var ErrRefused = errors.New("refused by the kernel")

// RefusedError is an ErrRefused with the kernel's reason.
type RefusedError struct {
	Source string
	Errno  syscall.Errno
}

// Error names the source and the reason.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s: %v: %v", e.Source, ErrRefused, e.Errno)
}

// Unwrap makes errors.Is match both ErrRefused and the errno.
func (e *RefusedError) Unwrap() []error { return []error{ErrRefused, e.Errno} }

// refused wraps err as a RefusedError if the kernel gave an errno, else returns it prefixed by the source's name.
func refused(source string, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return &RefusedError{Source: source, Errno: errno}
	}
	return fmt.Errorf("%s: %w", source, err)
}

// Stats is what a source knows about itself; counters only grow. It is a copy, safe to keep.
type Stats struct {
	// Name is the source ("sock_diag", "proc"), Protocol what it watches ("tcp", "udp", "raw,udplite"), NetNS the inode of
	// its network namespace (0 = the sensor's own).
	Name     string
	Protocol string
	NetNS    uint64
	// Active is true while Run samples. RefusedErrno is why it ended, 0 if it did not or ended on request.
	Active       bool
	RefusedErrno syscall.Errno
	// Events counts emitted sends, Bytes their payload. Lost counts events known to be lost (at least one for each
	// Gap), Gaps the moments at which an unknown number may have been (a full receive buffer, a broken dump).
	Events, Bytes, Lost, Gaps uint64
	// Samples counts complete passes over all sockets, LateSamples those which began more than a period too late,
	// HotSamples the passes in between that read only sockets known to be active, one by one, ExactReads the readings those took.
	Samples, LateSamples, HotSamples, ExactReads uint64
	// SamplePeriod is the present distance of complete passes, MaxGap the longest so far.
	SamplePeriod, MaxGap time.Duration
	// Resolution is the best timing this source can give: one jiffy for tcp_info.
	Resolution time.Duration
	// Quality is the best this source can give; each send states its own.
	Quality send.Quality
	// Sockets are those tracked now. Untracked counts readings of sockets there was no room for, TakenOver sockets that
	// were there before the source started.
	Sockets, Untracked, TakenOver uint64
	// Passive counts sockets opened from elsewhere, which yield no sends. Unconnected are those without a remote address
	// now, about which nothing can be said. NoDestination counts connections that ended with their destination already erased
	// (SO_LINGER 0, a blocking connect that failed) before any sample saw it,
	// Malformed undecodable kernel messages or rows.
	Passive, Unconnected, NoDestination, Malformed uint64
}

// ledger keeps a source's Stats: counters belong to the goroutine in Run, which publishes them now and then.
type ledger struct {
	counters Stats

	mu        sync.Mutex
	published Stats // guarded by mu
}

// Stats returns the counters as last published; safe for concurrent use.
func (l *ledger) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.published
}

func (l *ledger) publish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.published = l.counters
}

// pacing notes the timing of p, which paces the complete passes.
func (l *ledger) pacing(p *pace) {
	l.counters.LateSamples, l.counters.SamplePeriod, l.counters.MaxGap = p.late, p.period(), p.maxGap
}

// during publishes Active around run and the errno run ended with.
func (l *ledger) during(run func() error) error {
	l.counters.Active = true
	l.publish()
	err := run()
	l.counters.Active = false
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		l.counters.RefusedErrno = errno
	}
	l.publish()
	return err
}
