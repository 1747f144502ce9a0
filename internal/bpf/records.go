package bpf

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	poll "github.com/beaconwatch/beaconwatch/internal/socket"
)

// records are what comes off a ring. They are waited for by the poller of Go's runtime, for the library's own wait is a call in which
// a thread blocks: the runtime looks after such a thread some sixty times in the first ten milliseconds of each wait.
type records struct {
	reader *ringbuf.Reader
	waiter *poll.Waiter
	record ringbuf.Record
	asleep []byte // the word of maps.asleep
}

// readRecords reads from the ring of m, which stays the caller's.
func readRecords(m *maps) (r *records, err error) {
	r = &records{record: ringbuf.Record{RawSample: make([]byte, 0, recordSize)}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
			r = nil
		}
	}()
	if r.asleep, err = unix.Mmap(m.asleep.FD(), 0, 8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return r, fmt.Errorf("share the word of the reader: %w", err)
	}
	if r.reader, err = ringbuf.NewReader(m.ring); err != nil {
		return r, err
	}
	r.reader.SetDeadline(time.Unix(1, 0)) // it never waits
	fd, err := unix.FcntlInt(uintptr(m.ring.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return r, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return r, errors.Join(err, unix.Close(fd))
	}
	r.waiter, err = poll.NewWaiterFor(fd, "bpf ring", r.any)
	return r, err
}

// sleep says whether every record shall end a wait.
func (r *records) sleep(asleep bool) {
	var word uint32
	if asleep {
		word = 1
	}
	(*atomic.Uint32)(unsafe.Pointer(&r.asleep[0])).Store(word)
}

// any reports whether a record is there.
func (r *records) any() bool { return r.reader.AvailableBytes() > 0 }

// next returns the next record, valid until the call after, or nil if none is there by the deadline.
func (r *records) next() ([]byte, error) {
	for {
		if !r.any() {
			if ready, err := r.waiter.Wait(); !ready && (err != nil || !r.any()) {
				return nil, err
			}
		}
		switch err := r.reader.ReadInto(&r.record); {
		case err == nil:
			return r.record.RawSample, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return nil, fmt.Errorf("bpf: read: %w", err)
		}
	}
}

func (r *records) close() error {
	if r == nil {
		return nil
	}
	var errs []error
	if r.waiter != nil {
		errs = append(errs, r.waiter.Close())
	}
	if r.reader != nil {
		errs = append(errs, r.reader.Close())
	}
	if r.asleep != nil {
		errs = append(errs, unix.Munmap(r.asleep))
	}
	return errors.Join(errs...)
}
