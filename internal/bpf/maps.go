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
	connections *ebpf.Map // socket storage: the record of a connection opened by this host
	streams     *ebpf.Map // key of a stream → its record
	peers       *ebpf.Map // socket storage: where a sendmsg under way goes
	crowd       *ebpf.Map // the same by thread
	counters    *ebpf.Map // per CPU
	flag        *ebpf.Map // one word: 1 if totals wait to be read
	ring        *ebpf.Map
}

// counter is an index of maps.counters.
type counter int64

const (
	lost      counter = iota // records that found the ring full
	untracked                // sends that found the table of streams full
	unstored                 // connections the kernel gave no socket storage
	counters
)

func newMaps(cfg Config, sends, peers bool) (m *maps, err error) {
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
	make(&m.connections, ebpf.MapSpec{Name: "bw_connections", Type: ebpf.SkStorage, KeySize: 4, ValueSize: recordSize,
		Flags: unix.BPF_F_NO_PREALLOC, Key: signed32, Value: words(recordSize)})
	if sends {
		make(&m.flag, ebpf.MapSpec{Name: "bw_flag", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
		make(&m.streams, ebpf.MapSpec{Name: "bw_streams", Type: ebpf.Hash, KeySize: keySize, ValueSize: recordSize,
			MaxEntries: uint32(cfg.MaxStreams)})
	}
	if peers {
		make(&m.peers, ebpf.MapSpec{Name: "bw_peers", Type: ebpf.SkStorage, KeySize: 4, ValueSize: peerSize,
			Flags: unix.BPF_F_NO_PREALLOC, Key: signed32, Value: words(peerSize)})
		make(&m.crowd, ebpf.MapSpec{Name: "bw_crowd", Type: ebpf.LRUHash, KeySize: 8, ValueSize: peerSize,
			MaxEntries: maxCrowd})
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

func (m *maps) close() error {
	var errs []error
	for _, one := range []*ebpf.Map{m.connections, m.streams, m.peers, m.crowd, m.flag, m.counters, m.ring} {
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

// lower takes the flag down and reports whether it was up.
func (m *maps) lower() (bool, error) {
	var up uint32
	if err := m.flag.Lookup(uint32(0), &up); err != nil || up == 0 {
		return false, err
	}
	return true, m.flag.Update(uint32(0), uint32(0), ebpf.UpdateAny)
}
