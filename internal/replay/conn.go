package replay

import (
	"bytes"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// row is one connection, ready to become records.
type row struct {
	host  string
	send  send.Send     // of kind Data or Failed
	open  bool          // seen from its start, so an Open comes before the Data
	ended boottime.Time // about when the line was written
}

// connReader turns the fields of a conn.log row into what was sent. One per file: it learns how finely the file's clock
// is written.
type connReader struct {
	addresses *addresses
	clock     grid
}

// read fills out from f. A Skip other than kept says why a well-formed row does not count; an error names the column.
func (c *connReader) read(f *fields, out *row) (Skip, error) {
	if f[fieldState] == nil || f[fieldPath] != nil && string(f[fieldPath]) != "conn" {
		return OtherLog, nil // every row of conn.log has a conn_state, no row of another log has
	}
	for _, r := range required {
		if f[r.field] == nil {
			return kept, fmt.Errorf("no %s", r.name)
		}
	}
	orig, err := c.addresses.get(f[fieldOrigH])
	if err != nil {
		return kept, fmt.Errorf("id.orig_h: %w", err)
	}
	resp, err := c.addresses.get(f[fieldRespH])
	if err != nil {
		return kept, fmt.Errorf("id.resp_h: %w", err)
	}
	*out = row{host: orig.text, send: send.Send{Quality: send.Aggregated}}
	if err := c.times(f, out); err != nil {
		return kept, err
	}
	if err := out.counts(f); err != nil {
		return kept, err
	}
	protocol, ok := protocolOf(f[fieldProto], resp.addr)
	if !ok {
		return Transport, nil
	}
	if err := out.ends(f, protocol, orig.addr, resp.addr); err != nil {
		return kept, err
	}
	if !orig.here(f[fieldLocalOrig]) {
		return NotLocal, nil
	}
	return out.fate(f), nil
}

// times reads the start of the connection and when it ended. A stamp that was cut to a second (or a millisecond) stands
// for an instant up to that much later.
func (c *connReader) times(f *fields, out *row) error {
	at, err := parseTime(f[fieldTS])
	if err == nil && at == 0 {
		err = errRange // the zero Time means "unknown"
	}
	if err != nil {
		return fmt.Errorf("ts: %q %w", clip(f[fieldTS]), err)
	}
	c.clock.fit(at)
	out.send.Within = time.Duration(c.clock)
	out.send.At = boottime.Time(at).Add(out.send.Within)
	out.ended = boottime.Time(at)
	if f[fieldDuration] != nil {
		d, err := parseSeconds(f[fieldDuration])
		if err != nil {
			return fmt.Errorf("duration: %q %w", clip(f[fieldDuration]), err)
		}
		out.ended = out.ended.Add(min(d, maxSeconds*time.Second-at))
	}
	return nil
}

func (r *row) counts(f *fields) (err error) {
	for _, c := range []struct {
		to   *uint64
		from field
		name string
	}{{&r.send.Bytes, fieldOrigBytes, "orig_bytes"}, {&r.send.Received, fieldRespBytes, "resp_bytes"}} {
		if f[c.from] == nil {
			continue
		}
		if *c.to, err = parseBytes(f[c.from]); err != nil {
			return fmt.Errorf("%s: %q %w", c.name, clip(f[c.from]), err)
		}
	}
	return nil
}

// ends sets both ends of the socket. ICMP has a type and a code where the ports are; a destination has neither.
func (r *row) ends(f *fields, protocol send.Protocol, orig, resp netip.Addr) error {
	remote, err := parsePort(f[fieldRespP])
	if err != nil {
		return fmt.Errorf("id.resp_p: %q %w", clip(f[fieldRespP]), err)
	}
	var local uint16
	if f[fieldOrigP] != nil {
		if local, err = parsePort(f[fieldOrigP]); err != nil {
			return fmt.Errorf("id.orig_p: %q %w", clip(f[fieldOrigP]), err)
		}
	}
	if protocol == send.ICMP || protocol == send.ICMPv6 {
		local, remote = 0, 0
	}
	r.send.Socket = send.Socket{
		Protocol: protocol,
		Local:    netip.AddrPortFrom(orig, local),
		Remote:   netip.AddrPortFrom(resp, remote),
	}
	return nil
}

// fate reads conn_state. For TCP it says whether anybody answered; a capture that sees one direction only has S0 for
// established connections too, so an attempt whose originator sent payload ('D' in history) did not fail. Without TCP
// there is no attempt that can fail, but a flow in which only the far end spoke did not start here.
func (r *row) fate(f *fields) Skip {
	state := string(f[fieldState])
	if r.send.Socket.Protocol != send.TCP {
		if state == "SHR" {
			return Inbound
		}
		r.send.Kind, r.open = send.Data, true
		return kept
	}
	var errno syscall.Errno
	switch state {
	case "REJ":
		errno = syscall.ECONNREFUSED
	case "RSTRH": // the far end answered, then reset
		errno = syscall.ECONNRESET
	case "S0", "SH", "RSTOS0": // nobody answered
		errno = syscall.ETIMEDOUT
	}
	if errno != 0 && !bytes.ContainsRune(f[fieldHistory], 'D') {
		r.send.Kind, r.send.Errno = send.Failed, errno
		r.send.Bytes, r.send.Received = 0, 0
		return kept
	}
	r.send.Kind, r.open = send.Data, state != "OTH" // OTH: met in midstream
	return kept
}

// protocolOf reads proto, for ICMP with the help of the address family.
func protocolOf(name []byte, resp netip.Addr) (send.Protocol, bool) {
	switch string(name) {
	case "tcp":
		return send.TCP, true
	case "udp":
		return send.UDP, true
	case "icmp":
		if resp.Is6() {
			return send.ICMPv6, true
		}
		return send.ICMP, true
	case "sctp":
		return send.SCTP, true
	}
	return 0, false
}

// maxEpochSeconds tells seconds from milliseconds: a stamp beyond it (the year 5138 in seconds) is in milliseconds,
// which is how Zeek writes JSON with LogAscii::json_timestamps = TS_MILLIS.
const maxEpochSeconds = 100_000_000_000

// parseTime reads a time stamp: seconds since the epoch with a fraction, whole milliseconds, or ISO 8601.
func parseTime(text []byte) (time.Duration, error) {
	if len(text) > 10 && text[10] == 'T' {
		at, err := time.Parse(time.RFC3339Nano, string(text))
		if err != nil {
			return 0, errNumber
		}
		if s := at.Unix(); s < 0 || s > maxSeconds {
			return 0, errRange
		}
		return time.Duration(at.UnixNano()), nil
	}
	if len(text) >= 12 && bytes.IndexByte(text, '.') < 0 {
		if n, err := parseBytes(text); err == nil && n > maxEpochSeconds && n < maxSeconds*1000 {
			return time.Duration(n) * time.Millisecond, nil
		}
	}
	return parseSeconds(text)
}
