package replay

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/jsonscan"
)

// MaxFlowLine is the longest line of our flow format that is read: room for two million sends. A line of conn.log has
// MaxLogLine.
const (
	MaxFlowLine = 64 << 20
	MaxLogLine  = 1 << 20
)

// maxText bounds id, process, destination and host, which become keys.
const maxText = 4096

// FlowSend is one send of a recorded flow, At since whatever moment the file counts from.
type FlowSend struct {
	At    time.Duration
	Bytes uint64
}

// Flow is one line of our own format, JSON Lines:
//
//	{"id": "...", "sends": [[seconds, bytes], ...], "window_s": 3600, "resolution_ms": 1000,
//	 "process": "/usr/bin/x", "destination": "192.0.2.1:443", "host": "web1"}
//
// Only sends is required. Other members are passed over, except that dst, dport and proto stand in for a missing
// destination. Of a member given twice the last counts.
type Flow struct {
	ID         []byte     // a JSON string or number, ready to be written out again; nil without one
	Sends      []FlowSend // oldest first; sends of one instant in the order of the line
	Window     time.Duration
	Resolution time.Duration // of the clock, as declared; 0 if the line does not say
	Process    string
	Host       string
	// Destination is protocol://host:port, where protocol and port may be missing.
	Destination string
}

// Decode reads one line into f, whose memory it reuses; nothing in f points into line afterwards. Seconds may be unsorted
// and repeated, fractions of a byte are rounded, null bytes are 0; negative, infinite and missing numbers are errors, named
// by the position of the send. Where the JSON is sound but a value is wrong, f.ID is set even so, and where the JSON breaks it is set if
// it stood before the fault.
func (f *Flow) Decode(line []byte) error {
	*f = Flow{ID: f.ID[:0], Sends: f.Sends[:0]}
	d := flowDecoder{Scanner: jsonscan.Scanner{Text: line}, flow: f}
	err := d.object()
	if err == nil {
		err = d.End()
	}
	if len(f.ID) == 0 {
		f.ID = nil
	}
	switch {
	case err != nil:
		return err
	case d.fault != nil:
		return d.fault
	case !d.seen:
		return errors.New("no sends")
	}
	byTime := func(a, b FlowSend) int { return cmp.Compare(a.At, b.At) }
	if !slices.IsSortedFunc(f.Sends, byTime) {
		slices.SortStableFunc(f.Sends, byTime)
	}
	d.destination()
	return nil
}

// Name returns the id as plain text, empty without one.
func (f *Flow) Name() string {
	if len(f.ID) < 2 || f.ID[0] != '"' {
		return string(f.ID)
	}
	name, _ := jsonscan.Unquote(f.ID[1 : len(f.ID)-1])
	return name
}

// flowDecoder reads one line. Broken JSON ends it; a fault, which is a wrong value in sound JSON, is kept and the rest is
// still read, so that the line can be reported under its id.
type flowDecoder struct {
	jsonscan.Scanner
	flow              *Flow
	fault             error // the first
	seen              bool  // there were sends
	dst, dport, proto string
}

func (d *flowDecoder) wrong(err error) { d.fault = cmp.Or(d.fault, err) }

func (d *flowDecoder) object() error {
	if err := d.Expect('{'); err != nil {
		return err
	}
	for n := 0; ; n++ {
		more, err := d.Next('}', n)
		if err != nil || !more {
			return err
		}
		name, err := d.Key()
		if err != nil {
			return err
		}
		if string(name) == "sends" && d.Peek() == '[' {
			if err := d.sends(); err != nil {
				return err
			}
			continue
		}
		value, err := d.Value()
		if err != nil {
			return err
		}
		if err := d.member(name, value); err != nil {
			d.wrong(fmt.Errorf("%s %w", name, err))
		}
	}
}

// member takes in one value other than the sends; null is as good as absent.
func (d *flowDecoder) member(name []byte, value jsonscan.Token) (err error) {
	if value.Kind == 'n' {
		return nil
	}
	f := d.flow
	switch string(name) {
	case "id":
		f.ID, err = appendID(f.ID[:0], value)
	case "sends":
		err = errors.New("is not an array")
	case "window_s":
		f.Window, err = secondsOf(value)
	case "resolution_ms":
		f.Resolution, err = secondsOf(value)
		f.Resolution /= 1000
	case "process":
		f.Process, err = textOf(value)
	case "destination":
		f.Destination, err = textOf(value)
	case "host":
		f.Host, err = textOf(value)
	case "dst":
		d.dst, _ = textOf(value)
	case "proto":
		d.proto, _ = textOf(value)
	case "dport":
		d.dport = string(clip(value.Raw))
	}
	return err
}

// destination puts together what the line did not say outright.
func (d *flowDecoder) destination() {
	f := d.flow
	if f.Destination != "" || d.dst == "" {
		return
	}
	f.Destination = d.dst
	if d.dport != "" {
		f.Destination = net.JoinHostPort(d.dst, d.dport)
	}
	if d.proto != "" {
		f.Destination = d.proto + "://" + f.Destination
	}
}

// appendID appends the token as JSON, strings in one spelling.
func appendID(dst []byte, t jsonscan.Token) ([]byte, error) {
	if t.Kind == '0' && len(t.Raw) <= maxText {
		return append(dst, t.Raw...), nil
	}
	if t.Kind != '"' {
		return dst, errNotID
	}
	text, err := textOf(t)
	if err != nil {
		return dst, err
	}
	quoted, err := json.Marshal(text)
	return append(dst, quoted...), err
}
