package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// maps are what the programs share. They are kept here as long as the programs run: a map known to a program only by its
// descriptor would be closed with the last reference to it in Go.
type maps struct {
	sockets  *ebpf.Map // socket storage: the record of a connection opened by this host, or of a datagram socket that sends
	index    *ebpf.Map // key of a stream → its slot
	slots    *ebpf.Map // the records of streams, shared with us
	pending  *ebpf.Map // a word for each slot, shared with us: 1 if no report has told of its totals; word 0: of any
	free     *ebpf.Map // a stack of the slots nobody uses
	crowd    *ebpf.Map // thread → where its sendmsg under way goes
	firsts   *ebpf.Map // socket and peer → whose their first datagram was
	counters *ebpf.Map // per CPU
	barrier  *ebpf.Map // see quiesce
	ring     *ebpf.Map
	asleep   *ebpf.Map // a word, shared with us: not 0 while every record is to wake the reader
}

// counter is an index of maps.counters.
type counter int64

const (
	lost      counter = iota // records that found the ring full
	untracked                // sends that found no slot
	unstored                 // connections the kernel gave no socket storage
	counters
)

func newMaps(cfg Config) (m *maps, err error) {
	m = new(maps)
	defer func() {
		if err != nil {
			m.close()
			m = nil
		}
	}()
	make := func(to **ebpf.Map, spec ebpf.MapSpec) {
		if err != nil {
			return
		}
		if *to, err = ebpf.NewMap(&spec); err != nil {
			err = fmt.Errorf("map %s: %w", spec.Name, err)
		}
	}
	// the first is one whose refusal is the kernel's own: before others the library probes, and hides the errno
	make(&m.ring, ebpf.MapSpec{Name: "bw_events", Type: ebpf.RingBuf, MaxEntries: uint32(cfg.Ring)})
	make(&m.counters, ebpf.MapSpec{Name: "bw_counters", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8,
		MaxEntries: uint32(counters)})
	make(&m.asleep, ebpf.MapSpec{Name: "bw_asleep", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE})
	make(&m.sockets, ebpf.MapSpec{Name: "bw_sockets", Type: ebpf.SkStorage, KeySize: 4, ValueSize: recordSize,
		Flags: unix.BPF_F_NO_PREALLOC, Key: signed32, Value: words(recordSize)})
	if !cfg.Sends {
		return m, err
	}
	streams := uint32(cfg.MaxStreams)
	make(&m.index, ebpf.MapSpec{Name: "bw_index", Type: ebpf.Hash, KeySize: keySize, ValueSize: 4, MaxEntries: streams})
	make(&m.slots, ebpf.MapSpec{Name: "bw_slots", Type: ebpf.Array, KeySize: 4, ValueSize: recordSize, MaxEntries: streams + 1,
		Flags: unix.BPF_F_MMAPABLE})
	make(&m.pending, ebpf.MapSpec{Name: "bw_pending", Type: ebpf.Array, KeySize: 4, ValueSize: pendingSize(streams), MaxEntries: 1,
		Flags: unix.BPF_F_MMAPABLE})
	make(&m.free, ebpf.MapSpec{Name: "bw_free", Type: ebpf.Stack, ValueSize: 4, MaxEntries: streams})
	inner := ebpf.MapSpec{Name: "bw_nothing", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1}
	make(&m.barrier, ebpf.MapSpec{Name: "bw_barrier", Type: ebpf.ArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 1,
		InnerMap: &inner})
	if cfg.Cgroup != "" {
		make(&m.crowd, ebpf.MapSpec{Name: "bw_crowd", Type: ebpf.LRUHash, KeySize: 8, ValueSize: peerSize,
			MaxEntries: maxCrowd})
		make(&m.firsts, ebpf.MapSpec{Name: "bw_firsts", Type: ebpf.LRUHash, KeySize: firstSize, ValueSize: 8,
			MaxEntries: maxFirsts})
	}
	for slot := streams; slot > 0 && err == nil; slot-- { // 0 stands for none
		err = m.free.Update(nil, slot, ebpf.UpdateAny)
	}
	return m, err
}

// Socket storage demands types for its key and value.
var signed32 = &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}

func words(size uint32) btf.Type {
	word := &btf.Int{Name: "unsigned long", Size: 8}
	return &btf.Struct{Name: "words", Size: size, Members: []btf.Member{
		{Name: "word", Type: &btf.Array{Index: signed32, Type: word, Nelems: size / 8}}}}
}

// forgetSends closes what only the programs for sends use.
func (m *maps) forgetSends() error {
	var errs []error
	for _, one := range []**ebpf.Map{&m.index, &m.slots, &m.pending, &m.free, &m.barrier, &m.crowd, &m.firsts} {
		if *one != nil {
			errs = append(errs, (*one).Close())
			*one = nil
		}
	}
	return errors.Join(errs...)
}

func (m *maps) close() error {
	errs := []error{m.forgetSends()}
	for _, one := range []*ebpf.Map{m.sockets, m.counters, m.ring, m.asleep} {
		if one != nil {
			errs = append(errs, one.Close())
		}
	}
	return errors.Join(errs...)
}

// count returns the sum of a counter over all CPUs.
func (m *maps) count(which counter) (uint64, error) {
	var each []uint64
	if err := m.counters.Lookup(uint32(which), &each); err != nil {
		return 0, err
	}
	var sum uint64
	for _, n := range each {
		sum += n
	}
	return sum, nil
}

// quiesce returns when every run of a program that was under way has ended. That is what the kernel promises of an update of a
// map of maps (maybe_wait_bpf_programs, kernel/bpf/syscall.c).
func (m *maps) quiesce() error {
	nothing, err := ebpf.NewMap(&ebpf.MapSpec{Name: "bw_nothing", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		return err
	}
	return errors.Join(m.barrier.Update(uint32(0), nothing, ebpf.UpdateAny), nothing.Close())
}
