package procfs

import (
	"bytes"
	"strconv"
)

// Exe returns the executable of the process as the kernel says it, proc_pid_exe(5): with " (deleted)" if the file has been
// unlinked, as "/memfd:name (deleted)" if it never had one.
func (p PID) Exe(b *Buffer) (string, error) {
	link, err := p.readlink("exe", b)
	return string(link), err
}

// Cwd returns the working directory of the process, proc_pid_cwd(5).
func (p PID) Cwd(b *Buffer) (string, error) {
	link, err := p.readlink("cwd", b)
	return string(link), err
}

// NetNS returns the inode of the network namespace of the process, network_namespaces(7).
func (p PID) NetNS(b *Buffer) (uint64, error) {
	link, err := p.readlink("ns/net", b)
	if err != nil {
		return 0, err
	}
	inode, ok := bracketed(link, "net:[")
	if !ok {
		return 0, pidError("ns/net", ErrGone)
	}
	return inode, nil
}

// Socket returns the inode of the socket behind descriptor fd of the process; ok is false if there is none.
func (p PID) Socket(fd int32, b *Buffer) (inode uint64, ok bool) {
	link, err := p.readlink("fd/"+strconv.Itoa(int(fd)), b)
	if err != nil {
		return 0, false
	}
	return socketInode(link)
}

// socketInode decodes the target of a socket descriptor, "socket:[4711]", proc_pid_fd(5).
func socketInode(link []byte) (uint64, bool) { return bracketed(link, "socket:[") }

// bracketed decodes prefix, a decimal number and a closing bracket.
func bracketed(link []byte, prefix string) (uint64, bool) {
	if len(link) <= len(prefix)+1 || string(link[:len(prefix)]) != prefix || link[len(link)-1] != ']' {
		return 0, false
	}
	return decimal(link[len(prefix) : len(link)-1])
}

// decimal decodes a number of digits only.
func decimal(digits []byte) (uint64, bool) {
	const most = ^uint64(0)
	var n uint64
	for _, d := range digits {
		if d < '0' || d > '9' || n > most/10 {
			return 0, false
		}
		v := uint64(d - '0')
		if n*10 > most-v {
			return 0, false
		}
		n = n*10 + v
	}
	return n, len(digits) > 0
}

// trimNUL cuts what follows the first NUL.
func trimNUL(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
