// Package bpf watches sends from inside the kernel: who opens TCP connections and what they carried (inet_sock_set_state), each
// send call of every IP socket (sock_send_length), where unconnected UDP datagrams go (cgroup/sendmsg4 and 6) and, on request,
// who spoke first (cgroup/recvmsg4 and 6). It loads programs, decodes their records and counts what was lost. It does not
// interpret: totals are the kernel's, and what of them was told before is the caller's business.
//
// The programs are assembled at run time from the layout in the kernel's own BTF: no compiler, no object file, nothing that
// depends on the kernel version. Whether a program is granted is found out by attaching it. They watch all network
// namespaces, and end with the Tracer or its process, however it ends.
package bpf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// License is what the programs declare to the kernel, which lends some functions to free programs only.
const License = "Dual MIT/GPL"

// Config says what to watch. The zero Config watches connections only.
type Config struct {
	// Sends asks for send calls too. Where the kernel refuses, connections alone are watched; see Tracer.Missing.
	Sends bool
	// Cgroup is the root of a cgroup2 hierarchy, for the destinations of unconnected UDP sockets of the processes in it.
	Cgroup string
	// Ring is the size of the ring of records in bytes, a power of two of at least a page, default 4 MiB (23 000 records).
	Ring int
	// MaxStreams bounds the streams whose sends are folded, default 16 384 (5 MiB of the kernel's); sends of further ones are
	// reported one by one and counted as Untracked.
	MaxStreams int
	// Window is the least distance of two reports of a stream, in whole jiffies, default 20 ms, at most 1 s; Idle after how
	// long without sends Flush has the kernel forget a stream, default 10 s.
	Window, Idle time.Duration

	tick   time.Duration // a jiffy
	settle time.Duration // how long after Hear a first is not certain, for what it answers may have been there before
}

func (c *Config) setDefaults() error {
	if c.Ring == 0 {
		c.Ring = 4 << 20
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = 1 << 14
	}
	if c.Window == 0 {
		c.Window = 20 * time.Millisecond
	}
	if c.Idle == 0 {
		c.Idle = 10 * time.Second
	}
	if c.settle == 0 {
		c.settle = min(c.Idle, 5*time.Second)
	}
	c.tick = Jiffy()
	if c.Ring < os.Getpagesize() || c.Ring > 1<<30 || c.Ring&(c.Ring-1) != 0 || c.MaxStreams < 1 || c.MaxStreams > 1<<22 ||
		c.Window < 0 || c.Window > time.Second || c.Idle <= c.Window {
		return fmt.Errorf("bpf: ring %d, %d streams, window %v, idle %v: a power of two of a page to 1 GiB, in [1, 2^22], "+
			"in [0, 1 s], longer than the window", c.Ring, c.MaxStreams, c.Window, c.Idle)
	}
	return nil
}

// The parts of a Tracer, as Missing names them.
const (
	States    = "tp_btf/inet_sock_set_state"
	SendCalls = "tp_btf/sock_send_length"
	Peers4    = "cgroup/sendmsg4"
	Peers6    = "cgroup/sendmsg6"
	Hears4    = "cgroup/recvmsg4"
	Hears6    = "cgroup/recvmsg6"
)

// Refusal is a part the kernel did not grant.
type Refusal struct {
	Part  string
	Errno syscall.Errno // ENOENT: there is no such thing in this kernel
	Err   error
}

// Error names the part and the kernel's reason. To a missing privilege the library adds guesses about memory limits.
func (r *Refusal) Error() string {
	if r.Errno == unix.EPERM {
		return fmt.Sprintf("bpf: %s: %v", r.Part, r.Errno)
	}
	return fmt.Sprintf("bpf: %s: %v", r.Part, r.Err)
}

// Unwrap makes errors.Is match the errno.
func (r *Refusal) Unwrap() []error { return []error{r.Errno, r.Err} }

func refuse(part string, err error) *Refusal {
	r := &Refusal{Part: part, Err: err}
	switch {
	case errors.As(err, &r.Errno):
	case errors.Is(err, btf.ErrNotFound):
		r.Errno = unix.ENOENT
	default:
		r.Errno = unix.EOPNOTSUPP
	}
	return r
}

// Tracer is the programs at work. Interrupt, Counters and Missing may be called concurrently with other methods.
type Tracer struct {
	cfg      Config
	maps     *maps
	programs []*ebpf.Program
	links    []link.Link
	cgroups  []link.Link // those of them that others can detach
	records  *records
	streams  *streams // nil if send calls are not watched

	mu      sync.Mutex
	missing []*Refusal // guarded by mu
}

// Open attaches the programs. It fails with a *Refusal if not even connections can be watched.
func Open(cfg Config) (*Tracer, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	fields, err := kernelFields()
	if err != nil {
		return nil, refuse(States, err)
	}
	unlock()
	t := &Tracer{cfg: cfg}
	if t.maps, err = newMaps(cfg); err != nil {
		return nil, refuse(States, err)
	}
	if cfg.Sends {
		t.openSends(fields)
	}
	if err := t.trace("inet_sock_set_state", statesProgram(fields, t.maps, cfg)); err != nil {
		return nil, errors.Join(refuse(States, err), t.Close())
	}
	if t.records, err = readRecords(t.maps); err != nil {
		return nil, errors.Join(refuse(States, err), t.Close())
	}
	return t, nil
}

// openSends attaches what watches send calls; refusals go to missing.
func (t *Tracer) openSends(f *fields) {
	streams, err := shareStreams(t.maps, t.cfg)
	if err == nil {
		err = t.trace("sock_send_length", sendsProgram(f, t.maps, t.cfg))
	}
	if err != nil {
		t.lack(refuse(SendCalls, errors.Join(err, streams.close(), t.maps.forgetSends())))
		return
	}
	t.streams = streams
	if t.cfg.Cgroup == "" {
		none := fmt.Errorf("no cgroup2 hierarchy: %w", unix.ENOENT)
		t.lack(refuse(Peers4, none))
		t.lack(refuse(Peers6, none))
		return
	}
	_ = t.intercept(Peers4, ebpf.AttachCGroupUDP4Sendmsg, peersProgram(t.maps, unix.AF_INET)) // Missing tells
	_ = t.intercept(Peers6, ebpf.AttachCGroupUDP6Sendmsg, peersProgram(t.maps, unix.AF_INET6))
}

// trace attaches instructions to a tracepoint.
func (t *Tracer) trace(to string, instructions asm.Instructions) error {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "bw_" + to[:10], Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp,
		AttachTo: to, Instructions: instructions, License: License})
	if err != nil {
		return err
	}
	t.programs = append(t.programs, p)
	l, err := link.AttachTracing(link.TracingOptions{Program: p, AttachType: ebpf.AttachTraceRawTp})
	if err != nil {
		return err
	}
	t.links = append(t.links, l)
	return nil
}

// intercept attaches instructions to what the processes in the cgroup send or receive. Missing tells of a refusal too.
func (t *Tracer) intercept(part string, how ebpf.AttachType, instructions asm.Instructions) error {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "bw_" + part[len("cgroup/"):], Type: ebpf.CGroupSockAddr, AttachType: how,
		Instructions: instructions, License: License})
	if err == nil {
		t.programs = append(t.programs, p)
		var l link.Link
		if l, err = link.AttachCgroup(link.CgroupOptions{Path: t.cfg.Cgroup, Attach: how, Program: p}); err == nil {
			t.links, t.cgroups = append(t.links, l), append(t.cgroups, l)
			return nil
		}
	}
	return t.lack(refuse(part, err))
}

func (t *Tracer) lack(r *Refusal) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.missing = append(t.missing, r)
	return r
}

// Sends reports whether send calls are watched.
func (t *Tracer) Sends() bool { return t.streams != nil }

// Missing returns the parts asked for that the kernel refused.
func (t *Tracer) Missing() []*Refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.missing)
}

// Close detaches the programs and frees what they kept. It may not be called beside Next.
func (t *Tracer) Close() error {
	var errs []error
	for _, l := range t.links {
		errs = append(errs, l.Close())
	}
	for _, p := range t.programs {
		errs = append(errs, p.Close())
	}
	errs = append(errs, t.records.close(), t.streams.close(), t.maps.close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("bpf: close: %w", err)
	}
	return nil
}
