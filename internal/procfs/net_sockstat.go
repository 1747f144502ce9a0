package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// SocketCounts is how many sockets of each protocol a network namespace has in use, IPv4 and IPv6 together: those that are
// bound or connected, so that data can be sent on them. TimeWait are the TCP connections in that state, which are not among
// TCP; some kernels count those of the whole host.
type SocketCounts struct {
	TCP, TimeWait, UDP, UDPLite, Raw uint64
}

// Idle reports whether no socket is in use, so that a dump would be empty but for TIME_WAIT.
func (c SocketCounts) Idle() bool { return c.TCP == 0 && c.UDP == 0 && c.UDPLite == 0 && c.Raw == 0 }

// Sockstat is /proc/PID/net/sockstat and sockstat6 kept open (proc_pid_net(5); printed by sockstat_seq_show in
// net/ipv4/proc.c and sockstat6_seq_show in net/ipv6/proc.c), a cheap gate before a dump. It goes on to show the namespace
// it was opened for when the process has ended, and keeps that namespace alive until it is closed. It is not safe for
// concurrent use.
type Sockstat struct {
	files  []*os.File
	buffer []byte
}

// errSockstat is returned for a file without the lines asked for.
var errSockstat = errors.New("malformed sockstat")

// maxSockstat bounds how much of each file is read; the longer one has about 250 bytes.
const maxSockstat = 4 << 10

// OpenSockstat opens the counts of the network namespace of owner, a PID or "self". Without IPv6 those of IPv4 are all.
func (root FS) OpenSockstat(owner string) (*Sockstat, error) {
	s := &Sockstat{buffer: make([]byte, maxSockstat)}
	for _, name := range []string{"sockstat", "sockstat6"} {
		file, err := os.Open(root.path(owner, "net", name))
		switch {
		case err == nil:
			s.files = append(s.files, file)
		case len(s.files) == 0 || !errors.Is(err, fs.ErrNotExist):
			return nil, errors.Join(fmt.Errorf("procfs: sockstat: %w", err), s.Close())
		}
	}
	return s, nil
}

// ReadInto reads the counts of now into c. It allocates nothing and makes one call for each file, which the kernel shows whole
// (single_open).
func (s *Sockstat) ReadInto(c *SocketCounts) error {
	*c = SocketCounts{}
	for _, file := range s.files {
		n, err := unix.Pread(int(file.Fd()), s.buffer, 0)
		if err != nil {
			return fmt.Errorf("procfs: sockstat: %w", err)
		}
		if !c.add(s.buffer[:n]) {
			return fmt.Errorf("procfs: sockstat: %w", errSockstat)
		}
	}
	return nil
}

// Close closes the files.
func (s *Sockstat) Close() error {
	var errs []error
	for _, file := range s.files {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// add adds the counts of one file: lines of a protocol, a colon, and names with values. It is false without TCP and UDP.
func (c *SocketCounts) add(text []byte) bool {
	tcp, udp := false, false
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte{'\n'})
		protocol, values, ok := bytes.Cut(line, []byte(": "))
		if !ok {
			continue
		}
		var to *uint64
		switch string(bytes.TrimSuffix(protocol, []byte{'6'})) {
		case "TCP":
			to, tcp = &c.TCP, true
			if n, ok := valueOf(values, "tw"); ok {
				c.TimeWait += n
			}
		case "UDP":
			to, udp = &c.UDP, true
		case "UDPLITE":
			to = &c.UDPLite
		case "RAW":
			to = &c.Raw
		default:
			continue
		}
		n, ok := valueOf(values, "inuse")
		if !ok {
			return false
		}
		*to += n
	}
	return tcp && udp
}

// valueOf finds the number behind a name in "name value name value".
func valueOf(values []byte, name string) (uint64, bool) {
	for len(values) > 0 {
		var key, value []byte
		key, values, _ = bytes.Cut(values, []byte{' '})
		value, values, _ = bytes.Cut(values, []byte{' '})
		if string(key) == name {
			n, ok := decimal(value)
			return n, ok && n <= 1<<32
		}
	}
	return 0, false
}
