package replay

import (
	"cmp"
	"net/netip"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// flowRecords gives the sends of one flow as records.
type flowRecords struct {
	record Record
	sends  []FlowSend // still to come
}

// begin takes the flow the input holds, which must stay until its sends are given out.
func (f *flowRecords) begin(in *input) {
	flow := &in.flow
	protocol, remote, name := parseDestination(flow.Destination)
	if !remote.Addr().IsValid() {
		line := uint64(in.number)<<40 | uint64(in.lines.Number)
		remote = netip.AddrPortFrom(placeholder(line), remote.Port())
	}
	f.record = Record{
		Host:     cmp.Or(flow.Host, flow.Name()),
		Process:  flow.Process,
		Hostname: name,
		Send: send.Send{
			Socket: send.Socket{Protocol: protocol, Remote: remote},
			Kind:   send.Data,
			Within: flow.Resolution,
		},
	}
	f.sends = flow.Sends
}

// next sets out to the next send, and reports whether there was one.
func (f *flowRecords) next(out *Record) bool {
	if len(f.sends) == 0 {
		return false
	}
	s := f.sends[0]
	f.sends = f.sends[1:]
	f.record.Send.At = boottime.Time(s.At+f.record.Send.Within) + 1
	f.record.Send.Bytes = s.Bytes
	*out = f.record
	return true
}
