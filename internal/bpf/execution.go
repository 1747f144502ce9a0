package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
)

// Programs is the part that tells of executed programs.
const Programs = "tp_btf/sched_process_exec"

// Execution is a program a process has begun to run (execve(2)), as the kernel saw it at that moment: what /proc says only while
// the process lives.
type Execution struct {
	// Owner is the process, Parent its parent, NetNS the inode of its network namespace.
	Owner  Owner
	Parent int32
	NetNS  uint32
	// At is when, in nanoseconds on CLOCK_BOOTTIME.
	At int64
	// Stack tells one program of a process from the next, as the field start_stack of /proc/PID/stat does.
	Stack uint64
	// Path is the executable as /proc/PID/exe shows it to the host, " (deleted)" included; "" if it is too long or was not readable.
	// Cwd is the working directory in the same form.
	Path, Cwd string
	// Cgroup is the control group in the unified hierarchy (cgroup2), "/" for its root.
	Cgroup string
	// Args are the first arguments, as many as fit into 512 bytes.
	Args []string
}

// An execution has the first part of a record, up to atOpened, and then:
const (
	atParent     = 160 // u32
	atTextFlags  = 164 // u16
	atPathEnd    = 166 // u16, where the names of the path end in the text
	atCwdEnd     = 168 // u16
	atCgroupEnd  = 170 // u16
	atEnd        = 172 // u16, of the text
	atStack      = 176 // u64
	atText       = 184 // names, the innermost first, each with a NUL; then the arguments
	maxName      = 256 // of one element of a path, with its NUL (NAME_MAX)
	maxArgs      = 512
	maxText      = 2048 // beyond which no further name is begun
	textSize     = maxText + maxName + maxArgs
	maxElements  = 32 // of one path
	executionMax = atText + textSize
)

// Flags of an execution's text.
const (
	pathDeleted  = 1 << iota // the name was removed
	pathDetached             // the path begins nowhere: a memfd
	pathCut                  // it is not whole
	cwdDeleted
	cwdDetached
	cwdCut
	cgroupCut
	argsCut
)

// Executions tells of the programs that processes execute, on all of the host. It is used by one goroutine; Lost may be called
// by others.
type Executions struct {
	ring, scratch, counters *ebpf.Map
	program                 *ebpf.Program
	link                    link.Link
	reader                  *ringbuf.Reader
	record                  ringbuf.Record
	lost                    atomic.Uint64
}

// executionRing is the size of the ring in bytes: three thousand records of the usual length.
const executionRing = 1 << 20

// OpenExecutions attaches the program. It fails with a *Refusal if the kernel does not grant it.
func OpenExecutions() (*Executions, error) {
	unlock()
	x := &Executions{record: ringbuf.Record{RawSample: make([]byte, 0, executionMax)}}
	if err := x.open(); err != nil {
		return nil, errors.Join(refuse(Programs, err), x.Close())
	}
	return x, nil
}

func (x *Executions) open() (err error) {
	f, err := kernelFields()
	if err != nil {
		return err
	}
	p, err := programFields()
	if err != nil {
		return err
	}
	for to, spec := range map[**ebpf.Map]ebpf.MapSpec{
		&x.ring:     {Name: "bw_executions", Type: ebpf.RingBuf, MaxEntries: executionRing},
		&x.scratch:  {Name: "bw_execution", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: executionMax, MaxEntries: 1},
		&x.counters: {Name: "bw_lost", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: 1},
	} {
		if *to, err = ebpf.NewMap(&spec); err != nil {
			return fmt.Errorf("map %s: %w", spec.Name, err)
		}
	}
	if x.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "bw_exec", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp,
		AttachTo: "sched_process_exec", Instructions: executionProgram(f, p, x), License: License}); err != nil {
		return err
	}
	if x.link, err = link.AttachTracing(link.TracingOptions{Program: x.program, AttachType: ebpf.AttachTraceRawTp}); err != nil {
		return err
	}
	x.reader, err = ringbuf.NewReader(x.ring)
	return err
}

// Next decodes the next execution that is already there into e, and reports whether there was one; it never blocks. The strings
// are the caller's.
func (x *Executions) Next(e *Execution) (bool, error) {
	for {
		x.reader.SetDeadline(time.Unix(1, 0))
		switch err := x.reader.ReadInto(&x.record); {
		case err == nil:
			if e.decode(x.record.RawSample) {
				return true, nil
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false, x.count()
		default:
			return false, fmt.Errorf("bpf: read: %w", err)
		}
	}
}

// count reads how many executions found the ring full.
func (x *Executions) count() error {
	var each []uint64
	if err := x.counters.Lookup(uint32(0), &each); err != nil {
		return fmt.Errorf("bpf: counters: %w", err)
	}
	var sum uint64
	for _, n := range each {
		sum += n
	}
	x.lost.Store(sum)
	return nil
}

// Lost returns how many executions were not told because they were not read in time.
func (x *Executions) Lost() uint64 { return x.lost.Load() }

// Close detaches the program and frees what it kept.
func (x *Executions) Close() error {
	var errs []error
	if x.reader != nil {
		errs = append(errs, x.reader.Close())
	}
	if x.link != nil {
		errs = append(errs, x.link.Close())
	}
	if x.program != nil {
		errs = append(errs, x.program.Close())
	}
	for _, m := range []*ebpf.Map{x.ring, x.scratch, x.counters} {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("bpf: close: %w", err)
	}
	return nil
}

// decode fills e from a record. It is false for what no program of ours makes.
func (e *Execution) decode(b []byte) bool {
	if len(b) < atText {
		return false
	}
	u16 := func(at int) int { return int(binary.NativeEndian.Uint16(b[at:])) }
	u32 := func(at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
	u64 := func(at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }
	text, flags := b[atText:], u16(atTextFlags)
	pathEnd, cwdEnd, cgroupEnd, argsEnd := u16(atPathEnd), u16(atCwdEnd), u16(atCgroupEnd), u16(atEnd)
	if pathEnd > cwdEnd || cwdEnd > cgroupEnd || cgroupEnd > argsEnd || argsEnd > len(text) {
		return false
	}
	*e = Execution{Owner: Owner{PID: int32(u32(atPID)), UID: u32(atUID), Cgroup: u64(atCgroup),
		Start: int64(u64(atStart)), Comm: [16]byte(b[atComm:])}, Parent: int32(u32(atParent)), NetNS: u32(atNetNS),
		At: int64(u64(atTime)), Stack: u64(atStack)}
	e.Path = pathOf(text[:pathEnd], flags)
	e.Cwd = pathOf(text[pathEnd:cwdEnd], flags/cwdDeleted)
	if flags&cgroupCut == 0 {
		e.Cgroup = pathOf(text[cwdEnd:cgroupEnd], 0)
	}
	e.Args = argsOf(text[cgroupEnd:argsEnd], flags&argsCut != 0)
	return true
}

// pathOf joins names, the innermost first; "" if the path is not whole.
func pathOf(names []byte, flags int) string {
	if flags&pathCut != 0 {
		return ""
	}
	elements := strings.Split(strings.TrimSuffix(string(names), "\x00"), "\x00")
	slices.Reverse(elements)
	path := "/" + strings.Join(elements, "/")
	if flags&(pathDeleted|pathDetached) != 0 {
		path += " (deleted)"
	}
	return path
}

// argsOf splits arguments, the last of which is left out if it is not whole, unless it is alone.
func argsOf(text []byte, cut bool) []string {
	if len(text) == 0 {
		return nil
	}
	args := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	if cut && len(args) > 1 {
		args = args[:len(args)-1]
	}
	return args
}
