package inventory

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Subject is what a verdict is about: a program, where it talks to, and in which rhythm.
type Subject struct {
	Process process.Info
	// Facts about the process and its executable. Unexaminable: nobody could examine it, as with recorded traffic, so that
	// their absence says nothing.
	Facts        process.Facts
	Unexaminable bool
	// Targets is the destination, or all of the program's where the series is over all of them. Forgotten: there were more.
	Targets   []Target
	Forgotten bool
	Rhythm    Rhythm
	// First and Last are the first and latest send of the series, Now the time of the verdict.
	First, Last, Now time.Time
	// NewProgram and NewDestination: first seen on this host within the last Recent, and not in the first day of the record.
	NewProgram, NewDestination bool
	// Listens: the program has a listening socket that is not loopback. Peers is how many destinations it ever had.
	Listens bool
	Peers   int
}

// Rhythm is what scoring found, as far as a verdict needs it.
type Rhythm struct {
	// Found: the score is above the threshold. Sufficient: there are enough beats to conclude it. Uniform: so do sizes.
	Found, Sufficient, Uniform bool
	// Period is the middle of the band of intervals, Second that of another one; 0 where there is none.
	Period, Second time.Duration
}

// of is how many destinations the rhythm is the sum of.
func (s *Subject) of() int { return max(len(s.Targets), 1) }

// foreign reports whether the path of the executable is one of another root than the host's, so that it names another file
// here.
func (s *Subject) foreign() bool { return s.Facts.Elsewhere || s.Process.ContainerID != "" }

// deleted and memfd are told by the path, as the kernel writes it: proc_pid_exe(5), memfd_create(2); or by a later look.
func (s *Subject) deleted() bool {
	path := s.Process.Program.Path
	return !s.memfd() && (s.Facts.Unlinked || len(path) > len(deletedSuffix) && path[len(path)-len(deletedSuffix):] == deletedSuffix)
}

func (s *Subject) memfd() bool {
	path := s.Process.Program.Path
	return len(path) >= 7 && path[:7] == "/memfd:"
}

// kernel reports whether the socket is the kernel's own: there is no executable to ask about.
func (s *Subject) kernel() bool { return s.Process.Program.Path == process.Kernel }

// ciphertextPorts are those registered by IANA for protocols over TLS (and 22 for SSH), or in wide use for it; over UDP
// QUIC and DTLS use the same ones.
var ciphertextPorts = map[uint16]bool{22: true, 443: true, 465: true, 563: true, 636: true, 853: true, 989: true, 990: true,
	992: true, 993: true, 994: true, 995: true, 2376: true, 4433: true, 5061: true, 5223: true, 5228: true, 5671: true,
	5986: true, 6443: true, 6514: true, 6697: true, 8443: true, 8883: true, 9443: true, 10250: true}

// ciphertext reports whether all targets are on ports where payloads are encrypted.
func (s *Subject) ciphertext() bool {
	return len(s.Targets) > 0 && all(s.Targets, func(t Target) bool {
		p := t.Destination.Protocol
		return (p == send.TCP || p == send.UDP) && ciphertextPorts[t.Destination.Remote.Port()]
	})
}
