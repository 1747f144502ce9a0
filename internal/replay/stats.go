package replay

import (
	"fmt"
	"time"
)

// maxKept bounds how many bad lines are kept with their reason; the rest are only counted.
const maxKept = 20

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

// BadLine is a line that could not be read, or the place where a file broke off.
type BadLine struct {
	File string
	Line int
	Err  error
}

// Error names the place first, as compilers do.
func (b BadLine) Error() string { return fmt.Sprintf("%s:%d: %v", b.File, b.Line, b.Err) }

func (b BadLine) Unwrap() error { return b.Err }

// Stats counts what became of the input. Every line that is neither blank nor a header is in Rows, Bad or Skipped.
type Stats struct {
	Rows    uint64 // connections and flows that became records
	Bad     uint64
	Skipped [numSkips]uint64 // by Skip
	Late    uint64           // rows older than one already given out: the reordering window was too small for them
	// BadLines are the first few bad lines.
	BadLines []BadLine
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

func (s *Stats) bad(file string, line int, err error) {
	s.Bad++
	if len(s.BadLines) < maxKept {
		s.BadLines = append(s.BadLines, BadLine{file, line, err})
	}
}
