package replay

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/logfile"
)

// Skip is why a well-formed row was left out.
type Skip uint8

// NotLocal: the originator is not one of ours. Inbound: only the far end sent anything, so the flow did not start here.
// Transport: neither TCP, UDP, SCTP nor ICMP. OtherLog: a row of another Zeek log, told by its _path.
const (
	kept Skip = iota
	NotLocal
	Inbound
	Transport
	OtherLog
	numSkips
)

// String returns the reason as an operator reads it.
func (s Skip) String() string {
	switch s {
	case NotLocal:
		return "originator not local"
	case Inbound:
		return "inbound"
	case Transport:
		return "other transport"
	case OtherLog:
		return "row of another log"
	}
	return "kept"
}

// Stats counts what became of the input. Every line that is neither blank nor a header is in Rows, Bad or Skipped.
type Stats struct {
	logfile.Faults
	Rows    uint64           // connections and flows that became records
	Skipped [numSkips]uint64 // by Skip
	Late    uint64           // rows older than one already given out: the reordering window was too small for them
	// Resolution is the coarsest clock among the files: a second, a millisecond, or 0 for anything finer.
	Resolution time.Duration
}

// Lines returns how many lines were read.
func (s *Stats) Lines() uint64 {
	n := s.Rows + s.Bad
	for _, skipped := range s.Skipped {
		n += skipped
	}
	return n
}
