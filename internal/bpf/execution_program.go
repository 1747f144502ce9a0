package bpf

import (
	"errors"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// program is where the members of kernel structures lie that tell which program a task runs.
type program struct {
	mm, nsproxy, cgroups, fs, realParent field // struct task_struct
	netNS                                field // struct nsproxy
	exe, argStart, argEnd, stack         field // struct mm_struct
	fileDentry, fileMount                field // struct file
	pwdDentry, pwdMount                  field // struct fs_struct
	dentryParent, name, hash             field // struct dentry
	mount, root, mountParent, mountpoint field // struct mount
	unified                              field // struct css_set
	node                                 field // struct cgroup
	nodeName, nodeParent                 field // struct kernfs_node
}

// programFields reads the layout from the kernel's BTF.
func programFields() (*program, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, err
	}
	p := new(program)
	for _, want := range []struct {
		to       *field
		in, path string
	}{
		{&p.mm, "task_struct", "mm"}, {&p.nsproxy, "task_struct", "nsproxy"}, {&p.cgroups, "task_struct", "cgroups"},
		{&p.fs, "task_struct", "fs"}, {&p.realParent, "task_struct", "real_parent"}, {&p.netNS, "nsproxy", "net_ns"},
		{&p.exe, "mm_struct", "exe_file"}, {&p.argStart, "mm_struct", "arg_start"}, {&p.argEnd, "mm_struct", "arg_end"},
		{&p.stack, "mm_struct", "start_stack"}, {&p.fileDentry, "file", "f_path.dentry"}, {&p.fileMount, "file", "f_path.mnt"},
		{&p.pwdDentry, "fs_struct", "pwd.dentry"}, {&p.pwdMount, "fs_struct", "pwd.mnt"},
		{&p.dentryParent, "dentry", "d_parent"}, {&p.name, "dentry", "d_name.name"}, {&p.hash, "dentry", "d_hash.pprev"},
		{&p.mount, "mount", "mnt"}, {&p.root, "mount", "mnt.mnt_root"}, {&p.mountParent, "mount", "mnt_parent"},
		{&p.mountpoint, "mount", "mnt_mountpoint"}, {&p.unified, "css_set", "dfl_cgrp"}, {&p.node, "cgroup", "kn"},
		{&p.nodeName, "kernfs_node", "name"},
	} {
		if *want.to, err = find(spec, want.in, want.path); err != nil {
			return nil, err
		}
	}
	var renamed error // since 6.15
	if p.nodeParent, err = find(spec, "kernfs_node", "parent"); err != nil {
		if p.nodeParent, renamed = find(spec, "kernfs_node", "__parent"); renamed != nil {
			return nil, errors.Join(err, renamed)
		}
	}
	return p, nil
}

// Registers of executionProgram.
const (
	record = asm.R6 // the scratch record
	inner  = asm.R7 // the dentry or node whose name is next
	outer  = asm.R8 // its struct mount
	end    = asm.R9 // of the text so far
)

// Places on its stack.
const (
	fetched  = -8 // what follow reads
	second   = -16
	elements = -24 // how many names of a path were taken
)

// executionProgram is attached to tp_btf/sched_process_exec(task, pid, bprm), which the task itself calls when it has become
// another program. It walks over names and pointers of the kernel with probe_read_kernel alone, so that whatever it meets cannot
// hurt, and notes them innermost first. It needs no more than Linux 5.8.
func executionProgram(f *fields, p *program, x *Executions) asm.Instructions {
	c := &code{fields: f}
	c.add(asm.StoreImm(asm.RFP, fetched, 0, asm.Word))
	c.lookup(x.scratch, asm.RFP, fetched)
	c.add(asm.JEq.Imm(asm.R0, 0, exit), asm.Mov.Reg(record, asm.R0))
	c.zero(record, 0, atText)
	c.told(record, 0)
	c.task(inner)
	c.follow(inner, inner, f.groupLeader)
	c.follow(inner, inner, f.startBoottime)
	c.add(asm.StoreMem(record, atStart, inner, asm.DWord))
	c.now()
	c.add(asm.StoreMem(record, atTime, asm.R0, asm.DWord))

	c.task(inner)
	c.follow(inner, inner, p.nsproxy)
	c.follow(inner, inner, p.netNS)
	c.follow(inner, inner, f.netInode)
	c.add(asm.StoreMem(record, atNetNS, inner, asm.Word))
	c.task(inner)
	c.follow(inner, inner, p.realParent)
	c.follow(inner, inner, f.tgid)
	c.add(asm.StoreMem(record, atParent, inner, asm.Word))

	c.task(inner)
	c.follow(inner, inner, p.mm)
	c.follow(outer, inner, p.stack)
	c.add(asm.StoreMem(record, atStack, outer, asm.DWord))
	c.follow(inner, inner, p.exe)
	c.path(p, p.fileDentry, p.fileMount, "path", pathDeleted)
	c.mark(atPathEnd)
	c.task(inner)
	c.follow(inner, inner, p.fs)
	c.path(p, p.pwdDentry, p.pwdMount, "cwd", cwdDeleted)
	c.mark(atCwdEnd)
	c.task(inner)
	c.follow(inner, inner, p.cgroups)
	c.follow(inner, inner, p.unified)
	c.follow(inner, inner, p.node)
	c.group(p)
	c.mark(atCgroupEnd)
	c.arguments(p)

	c.add(asm.LoadMem(end, record, atEnd, asm.Half), asm.JGT.Imm(end, textSize, exit))
	c.add(asm.LoadMapPtr(asm.R1, x.ring.FD()), asm.Mov.Reg(asm.R2, record), asm.Mov.Reg(asm.R3, end),
		asm.Add.Imm(asm.R3, atText), asm.Mov.Imm(asm.R4, unix.BPF_RB_NO_WAKEUP), asm.FnRingbufOutput.Call(),
		asm.JEq.Imm(asm.R0, 0, exit))
	c.count(x.counters, 0, fetched, exit)
	return c.end(0)
}

// task sets reg to the address of the current task, to be followed. With its type, which only 5.11 gives, it could be read.
func (c *code) task(reg asm.Register) {
	c.add(asm.FnGetCurrentTask.Call(), asm.Mov.Reg(reg, asm.R0))
}

// follow sets reg to the member of the structure at base, 0 if it cannot be read.
func (c *code) follow(reg, base asm.Register, f field) {
	c.fetch(base, f.offset, fetched)
	c.add(asm.LoadMem(reg, asm.RFP, fetched, f.size))
}

// fetch reads 8 bytes at base+at to the stack.
func (c *code) fetch(base asm.Register, at, to int16) {
	c.add(asm.Mov.Reg(asm.R3, base), asm.Add.Imm(asm.R3, int32(at)))
	c.stack(asm.R1, to)
	c.add(asm.Mov.Imm(asm.R2, 8), asm.FnProbeReadKernel.Call())
}

// flag sets a flag of the text.
func (c *code) flag(flag int32) {
	c.add(asm.LoadMem(asm.R1, record, atTextFlags, asm.Half), asm.Or.Imm(asm.R1, flag),
		asm.StoreMem(record, atTextFlags, asm.R1, asm.Half))
}

// mark notes where the text ends so far.
func (c *code) mark(at int16) {
	c.add(asm.LoadMem(asm.R1, record, atEnd, asm.Half), asm.StoreMem(record, at, asm.R1, asm.Half))
}

// take appends the name at the address in R3 to the text, and jumps if that fails. The end is kept in memory: the verifier, which
// would follow every value it can have, forgets it there.
func (c *code) take(fails string) {
	c.add(asm.LoadMem(end, record, atEnd, asm.Half), asm.JGT.Imm(end, maxText, fails), asm.Mov.Reg(asm.R1, record), asm.Add.Imm(asm.R1, atText), asm.Add.Reg(asm.R1, end),
		asm.Mov.Imm(asm.R2, maxName), asm.FnProbeReadKernelStr.Call(), asm.JSLT.Imm(asm.R0, 1, fails),
		asm.JSGT.Imm(asm.R0, maxName, fails), asm.Add.Reg(end, asm.R0), asm.StoreMem(record, atEnd, end, asm.Half))
}

// path appends the names of the path in the structure at inner, as d_path (fs/d_path.c) goes: up through the parents, and from the
// root of each mount to where it is mounted. deleted is the first of its three flags.
func (c *code) path(p *program, dentry, mount field, unique string, deleted int32) {
	next, name, cut, done, kept := unique+" next", unique+" name", unique+" cut", unique+" done", unique+" kept"
	c.follow(outer, inner, mount)
	c.follow(inner, inner, dentry)
	c.add(asm.JEq.Imm(inner, 0, cut), asm.JEq.Imm(outer, 0, cut), asm.Sub.Imm(outer, int32(p.mount.offset)))
	c.follow(asm.R1, inner, p.hash)
	c.add(asm.JNE.Imm(asm.R1, 0, kept))
	c.follow(asm.R1, inner, p.dentryParent)
	c.add(asm.JEq.Reg(asm.R1, inner, kept)) // a root has no place in the hash
	c.flag(deleted)
	c.label(kept)
	c.add(asm.StoreImm(asm.RFP, elements, 0, asm.Word))

	c.label(next)
	c.add(asm.LoadMem(asm.R1, asm.RFP, elements, asm.Word), asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.RFP, elements, asm.R1, asm.Word), asm.JGT.Imm(asm.R1, maxElements, cut))
	c.follow(asm.R1, outer, p.root)
	c.add(asm.JNE.Reg(asm.R1, inner, name))
	c.fetch(outer, p.mountParent.offset, second)
	c.follow(inner, outer, p.mountpoint)
	c.add(asm.LoadMem(asm.R1, asm.RFP, second, asm.DWord), asm.JEq.Reg(asm.R1, outer, done), asm.Mov.Reg(outer, asm.R1),
		asm.Ja.Label(next))

	c.label(name)
	c.fetch(inner, p.dentryParent.offset, second)
	c.follow(asm.R3, inner, p.name)
	c.take(cut)
	c.add(asm.LoadMem(asm.R1, asm.RFP, second, asm.DWord), asm.Mov.Reg(asm.R2, inner), asm.Mov.Reg(inner, asm.R1),
		asm.JNE.Reg(asm.R1, asm.R2, next))
	c.flag(deleted << 1) // detached
	c.add(asm.Ja.Label(done))
	c.label(cut)
	c.flag(deleted << 2)
	c.label(done)
}

// group appends the names of the kernfs node at inner and those above it, but for the root.
func (c *code) group(p *program) {
	const next, cut, done = "group next", "group cut", "group done"
	c.add(asm.StoreImm(asm.RFP, elements, 0, asm.Word))
	c.label(next)
	c.add(asm.LoadMem(asm.R1, asm.RFP, elements, asm.Word), asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.RFP, elements, asm.R1, asm.Word), asm.JGT.Imm(asm.R1, maxElements, cut), asm.JEq.Imm(inner, 0, cut))
	c.follow(outer, inner, p.nodeParent)
	c.add(asm.JEq.Imm(outer, 0, done))
	c.follow(asm.R3, inner, p.nodeName)
	c.take(cut)
	c.add(asm.Mov.Reg(inner, outer), asm.Ja.Label(next))
	c.label(cut)
	c.flag(cgroupCut)
	c.label(done)
}

// arguments appends the command line.
func (c *code) arguments(p *program) {
	const whole, none = "arguments whole", "arguments none"
	c.add(asm.LoadMem(end, record, atEnd, asm.Half), asm.JGT.Imm(end, maxText+maxName, none))
	c.task(inner)
	c.follow(inner, inner, p.mm)
	c.follow(outer, inner, p.argEnd)
	c.follow(inner, inner, p.argStart)
	c.add(asm.Sub.Reg(outer, inner), asm.JLE.Imm(outer, maxArgs, whole))
	c.flag(argsCut)
	c.add(asm.Mov.Imm(outer, maxArgs))
	c.label(whole)
	c.add(asm.Mov.Reg(asm.R1, record), asm.Add.Imm(asm.R1, atText), asm.Add.Reg(asm.R1, end), asm.Mov.Reg(asm.R2, outer),
		asm.Mov.Reg(asm.R3, inner), asm.FnProbeReadUser.Call(), asm.JNE.Imm(asm.R0, 0, none))
	c.add(asm.Add.Reg(end, outer), asm.StoreMem(record, atEnd, end, asm.Half))
	c.label(none)
}
