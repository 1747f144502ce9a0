package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/jsonscan"
	"github.com/beaconwatch/beaconwatch/internal/logfile"
)

// format is what the lines of a file are.
type format uint8

const (
	formatUnknown format = iota
	formatTSV
	formatJSON // some JSON, no line has yet told which
	formatZeekJSON
	formatFlows
)

// outcome is what one line of an input gave.
type outcome uint8

const (
	nothing outcome = iota // blank, header or bad
	skipped                // a well-formed row that does not count; row.ended is set
	aRow                   // in row
	aFlow                  // in flow
)

var errFormat = errors.New("neither a conn.log of Zeek (TSV or JSON) nor flows in JSON Lines")

// input is one file among those of a Reader, with the last thing that was read from it.
type input struct {
	path   string
	number int // its place among the paths
	start  boottime.Time
	format format
	header header
	conn   connReader
	stats  *Stats
	file   *logfile.File
	lines  *logfile.Lines
	row    row
	flow   Flow
	ready  bool // row or flow is waiting to be taken
}

// begin opens the file at its start. What is read is counted in done, what becomes of the lines in stats.
func (in *input) begin(stdin io.Reader, stats *Stats, done *atomic.Int64) (err error) {
	if in.file, err = logfile.Open(in.path, stdin, done); err != nil {
		return err
	}
	in.lines = logfile.NewLines(in.file, MaxFlowLine)
	in.stats, in.header, in.format, in.ready = stats, newHeader(), formatUnknown, false
	in.conn.clock = coarsest
	return nil
}

func (in *input) close() {
	if in.file != nil {
		in.file.Close()
	}
	in.file, in.lines = nil, nil
}

// advance reads on to the next row or flow. At the end of the file, or where it breaks off, it is io.EOF.
func (in *input) advance() error {
	for in.ready = false; !in.ready; {
		got, err := in.step()
		if err != nil {
			return err
		}
		in.ready = got == aRow || got == aFlow
	}
	return nil
}

// step reads one line. Its errors are io.EOF and, before the format is known, errFormat; a file that breaks off is
// reported as a bad line and has ended.
func (in *input) step() (outcome, error) {
	line, err := in.lines.Next()
	switch {
	case err == io.EOF:
		return nothing, err
	case errors.Is(err, logfile.ErrTooLong):
		return in.bad(err), nil
	case err != nil:
		in.bad(err)
		return nothing, io.EOF
	case len(bytes.TrimSpace(line)) == 0:
		return nothing, nil
	}
	if in.format == formatUnknown {
		if err := in.detect(line); err != nil {
			return nothing, err
		}
	}
	if in.format == formatTSV && isHeader(line) {
		if err := in.header.read(line); err != nil {
			return in.bad(err), nil
		}
		return nothing, nil
	}
	return in.decode(line), nil
}

func (in *input) bad(err error) outcome {
	in.stats.Fault(in.path, in.lines.Number, err)
	return nothing
}

// detect tells the format by how the first line begins.
func (in *input) detect(line []byte) error {
	switch {
	case isHeader(line):
		in.format, in.lines.Limit = formatTSV, MaxLogLine
	case bytes.TrimLeft(line, " \t")[0] == '{':
		in.format = formatJSON
	default:
		return errFormat
	}
	return nil
}

// decode reads a line of data into row or flow and counts it.
func (in *input) decode(line []byte) outcome {
	skip, err := kept, error(nil)
	if in.format == formatJSON {
		err = in.tell(line)
	}
	var f fields
	switch {
	case err != nil:
	case in.format == formatFlows:
		err = in.flow.Decode(line)
	case in.format == formatTSV && in.header.foreign:
		skip = OtherLog
	case in.format == formatTSV:
		if err = in.header.row(line, &f); err == nil {
			skip, err = in.conn.read(&f, &in.row)
		}
	default:
		if err = jsonRow(line, &f); err == nil {
			skip, err = in.conn.read(&f, &in.row)
		}
	}
	switch {
	case err != nil:
		return in.bad(err)
	case skip != kept:
		in.stats.Skipped[skip]++
		return skipped
	}
	in.stats.Rows++
	if in.format == formatFlows {
		in.stats.Resolution = max(in.stats.Resolution, in.flow.Resolution)
		return aFlow
	}
	return aRow
}

// tell finds out whether JSON lines are flows or rows of Zeek, by the first name that only one of them has.
func (in *input) tell(line []byte) error {
	s := jsonscan.Scanner{Text: line}
	if err := s.Expect('{'); err != nil {
		return err
	}
	for n := 0; ; n++ {
		more, err := s.Next('}', n)
		if err != nil {
			return err
		}
		if !more {
			return fmt.Errorf("%w: no sends, no id.orig_h", errFormat)
		}
		name, err := s.Key()
		if err != nil {
			return err
		}
		switch string(name) {
		case "sends":
			in.format = formatFlows
			return nil
		case "id.orig_h", "ts", "_path":
			in.format, in.lines.Limit = formatZeekJSON, MaxLogLine
			return nil
		}
		if _, err := s.Value(); err != nil {
			return err
		}
	}
}
