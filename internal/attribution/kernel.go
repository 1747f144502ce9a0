package attribution

import (
	"strconv"

	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// A socket is called the kernel's own (NFS, WireGuard, VXLAN …) if all of this holds: two scans of every process, each of
// which was shown every descriptor of the host, from the initial PID namespace, without a refusal and with the threads that
// have tables of their own, found no holder; the socket
// belongs to root; and it is open after the second, so that it did not merely outlive its process in a report. That is the
// most /proc can tell. A descriptor that is only registered with io_uring(7), or under way in a unix(7) message, is in no
// table either: "[kernel]" is a name, never an excuse. Every later full scan may still find a holder.

// open reports whether the socket is open now, by the socket table of its network namespace.
func (s *scanner) open(sock send.Socket) bool {
	owner := s.resident(sock.NetNS)
	if owner == "" {
		return false
	}
	for _, name := range procfs.NetTables(uint8(sock.Protocol)) {
		if s.listed(owner, name, sock.Inode) {
			return true
		}
	}
	return false
}

// listed reports whether a table has an open socket of root with the inode.
func (s *scanner) listed(owner, name string, inode uint64) bool {
	t, err := s.fs.OpenNetTable(owner, name)
	if err != nil {
		return false
	}
	defer t.Close()
	t.Rewind()
	for row := (procfs.NetSocket{}); t.Next(&row); {
		if row.Inode == inode {
			return row.UID == 0
		}
	}
	return false
}

// resident returns a process in the network namespace, "self" for the sensor's own, "" if none is known.
func (s *scanner) resident(netns uint64) string {
	if netns == 0 {
		return "self"
	}
	for pid := range s.processes {
		p, err := s.fs.OpenPID(pid)
		if err != nil {
			continue
		}
		inode, err := p.NetNS(&s.buffer)
		p.Close()
		if err == nil && inode == netns {
			return strconv.Itoa(int(pid))
		}
	}
	return ""
}
