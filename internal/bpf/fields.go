package bpf

import (
	"fmt"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// field is where a member of a kernel structure lies in it.
type field struct {
	offset int16
	size   asm.Size
}

// fields are the members of kernel structures the programs read, as this kernel's BTF has them.
type fields struct {
	// struct sock
	family, localPort, remotePort, local4, remote4, netns, cookie field
	local6, remote6                                               field // zero in a kernel without IPv6
	protocol, err, userlocks                                      field
	// struct net
	netInode field
	// struct tcp_sock
	bytesSent, bytesRetrans, bytesReceived, totalRetrans field
	isMPTCP                                              field // zero in a kernel without MPTCP
	// struct task_struct
	tgid, groupLeader, startBoottime field
	call                             call
}

// kernelFields reads the layout from the kernel's BTF.
func kernelFields() (*fields, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, err
	}
	f := new(fields)
	for _, want := range []struct {
		to       *field
		in, path string
		optional bool
	}{
		{&f.family, "sock", "__sk_common.skc_family", false},
		{&f.localPort, "sock", "__sk_common.skc_num", false},
		{&f.remotePort, "sock", "__sk_common.skc_dport", false},
		{&f.local4, "sock", "__sk_common.skc_rcv_saddr", false},
		{&f.remote4, "sock", "__sk_common.skc_daddr", false},
		{&f.local6, "sock", "__sk_common.skc_v6_rcv_saddr", true},
		{&f.remote6, "sock", "__sk_common.skc_v6_daddr", true},
		{&f.netns, "sock", "__sk_common.skc_net", false},
		{&f.cookie, "sock", "__sk_common.skc_cookie.counter", false},
		{&f.protocol, "sock", "sk_protocol", false},
		{&f.err, "sock", "sk_err", false},
		{&f.userlocks, "sock", "sk_userlocks", false},
		{&f.netInode, "net", "ns.inum", false},
		{&f.bytesSent, "tcp_sock", "bytes_sent", false},
		{&f.bytesRetrans, "tcp_sock", "bytes_retrans", false},
		{&f.bytesReceived, "tcp_sock", "bytes_received", false},
		{&f.totalRetrans, "tcp_sock", "total_retrans", false},
		{&f.isMPTCP, "tcp_sock", "is_mptcp", true},
		{&f.tgid, "task_struct", "tgid", false},
		{&f.groupLeader, "task_struct", "group_leader", false},
		{&f.startBoottime, "task_struct", "start_boottime", false},
	} {
		got, err := find(spec, want.in, want.path)
		switch {
		case err == nil:
			*want.to = got
		case !want.optional:
			return nil, err
		}
	}
	f.call = callFields(spec)
	return f, nil
}

// find returns where path, names joined by dots, lies in the structure name.
func find(spec *btf.Spec, name, path string) (field, error) {
	var s *btf.Struct
	if err := spec.TypeByName(name, &s); err != nil {
		return field{}, fmt.Errorf("struct %s: %w", name, err)
	}
	offset, size, ok := member(s.Members, path)
	if !ok || offset > 1<<15-1 {
		return field{}, fmt.Errorf("struct %s: %s: %w", name, path, btf.ErrNotFound)
	}
	width := asm.DWord
	switch size {
	case 1:
		width = asm.Byte
	case 2:
		width = asm.Half
	case 4:
		width = asm.Word
	}
	return field{int16(offset), width}, nil
}

// member looks path up in members and, as C does, in their anonymous structures and unions.
func member(members []btf.Member, path string) (offset, size uint32, ok bool) {
	for _, m := range members {
		inner := membersOf(m.Type)
		switch {
		case m.Name == "":
			if offset, size, ok = member(inner, path); ok {
				return m.Offset.Bytes() + offset, size, true
			}
		case m.Name == path:
			n, err := btf.Sizeof(m.Type)
			return m.Offset.Bytes(), uint32(n), err == nil
		case len(path) > len(m.Name) && path[:len(m.Name)] == m.Name && path[len(m.Name)] == '.':
			if offset, size, ok = member(inner, path[len(m.Name)+1:]); ok {
				return m.Offset.Bytes() + offset, size, true
			}
		}
	}
	return 0, 0, false
}

func membersOf(t btf.Type) []btf.Member {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		return t.Members
	case *btf.Union:
		return t.Members
	}
	return nil
}
