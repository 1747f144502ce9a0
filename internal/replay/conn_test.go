package replay

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// connection returns the fields of an ordinary TLS connection, changed by pairs of field and value.
func connection(changes map[field]string) *fields {
	f := fields{
		fieldTS: []byte("1700000000.250000"), fieldOrigH: []byte("10.0.0.5"), fieldOrigP: []byte("50000"),
		fieldRespH: []byte("192.0.2.7"), fieldRespP: []byte("443"), fieldProto: []byte("tcp"),
		fieldDuration: []byte("2.5"), fieldOrigBytes: []byte("151"), fieldRespBytes: []byte("4000"),
		fieldState: []byte("SF"), fieldHistory: []byte("ShADadFf"),
	}
	for at, value := range changes {
		f[at] = []byte(value)
		if value == "" {
			f[at] = nil
		}
	}
	return &f
}

func newConnReader(local ...string) *connReader {
	var prefixes []netip.Prefix
	for _, p := range local {
		prefixes = append(prefixes, netip.MustParsePrefix(p))
	}
	return &connReader{addresses: newAddresses(prefixes)}
}

func TestConnection(t *testing.T) {
	var got row
	skip, err := newConnReader().read(connection(nil), &got)
	require.NoError(t, err)
	require.Equal(t, kept, skip)
	at := boottime.Time(1700000000250 * time.Millisecond)
	require.Equal(t, row{
		host: "10.0.0.5", open: true, ended: at.Add(2500 * time.Millisecond),
		send: send.Send{
			Socket: send.Socket{Protocol: send.TCP, Local: netip.MustParseAddrPort("10.0.0.5:50000"),
				Remote: netip.MustParseAddrPort("192.0.2.7:443")},
			Kind: send.Data, At: at, Bytes: 151, Received: 4000, Quality: send.Aggregated,
		},
	}, got)
}

func TestFate(t *testing.T) {
	tests := []struct {
		proto, state, history string
		kind                  send.Kind
		open                  bool
		errno                 syscall.Errno
		skip                  Skip
	}{
		{"tcp", "SF", "ShADadFf", send.Data, true, 0, kept},
		{"tcp", "S1", "ShADad", send.Data, true, 0, kept},
		{"tcp", "S2", "ShADF", send.Data, true, 0, kept},
		{"tcp", "S3", "ShADf", send.Data, true, 0, kept},
		{"tcp", "RSTO", "ShADR", send.Data, true, 0, kept},
		{"tcp", "RSTR", "ShADr", send.Data, true, 0, kept},
		{"tcp", "SHR", "^hf", send.Data, true, 0, kept},
		{"tcp", "OTH", "DadA", send.Data, false, 0, kept},
		{"tcp", "S0", "S", send.Failed, false, syscall.ETIMEDOUT, kept},
		{"tcp", "SH", "SF", send.Failed, false, syscall.ETIMEDOUT, kept},
		{"tcp", "RSTOS0", "SR", send.Failed, false, syscall.ETIMEDOUT, kept},
		{"tcp", "REJ", "Sr", send.Failed, false, syscall.ECONNREFUSED, kept},
		{"tcp", "RSTRH", "^hr", send.Failed, false, syscall.ECONNRESET, kept},
		{"tcp", "S0", "", send.Failed, false, syscall.ETIMEDOUT, kept},
		{"tcp", "S0", "SADF", send.Data, true, 0, kept}, // one direction captured
		{"udp", "S0", "D", send.Data, true, 0, kept},    // syslog and its like
		{"udp", "SF", "Dd", send.Data, true, 0, kept},
		{"udp", "SHR", "^d", 0, false, 0, Inbound},
		{"icmp", "OTH", "", send.Data, true, 0, kept},
	}
	for _, tt := range tests {
		t.Run(tt.proto+" "+tt.state+" "+tt.history, func(t *testing.T) {
			var got row
			skip, err := newConnReader().read(connection(map[field]string{fieldProto: tt.proto, fieldState: tt.state,
				fieldHistory: tt.history}), &got)
			require.NoError(t, err)
			require.Equal(t, tt.skip, skip)
			if skip != kept {
				return
			}
			require.Equal(t, tt.kind, got.send.Kind)
			require.Equal(t, tt.open, got.open)
			require.Equal(t, tt.errno, got.send.Errno)
			if tt.kind == send.Failed {
				require.Zero(t, got.send.Bytes)
			}
		})
	}
}

func TestHere(t *testing.T) {
	tests := []struct {
		name, orig, localOrig string
		local                 []string
		want                  Skip
	}{
		{"local_orig says so", "203.0.113.9", "T", nil, kept},
		{"local_orig says so in JSON", "203.0.113.9", "true", nil, kept},
		{"local_orig says no", "10.0.0.5", "F", nil, NotLocal},
		{"nobody says: RFC 1918", "172.16.3.4", "", nil, kept},
		{"nobody says: RFC 4193", "fd00::5", "", nil, kept},
		{"nobody says: public", "203.0.113.9", "", nil, NotLocal},
		{"listed", "203.0.113.9", "", []string{"198.51.100.0/24", "203.0.113.0/24"}, kept},
		{"listed, whatever the log says", "203.0.113.9", "F", []string{"203.0.113.9/32"}, kept},
		{"not listed, the log says so", "10.0.0.5", "T", []string{"203.0.113.0/24"}, kept},
		{"not listed: a list replaces the private ranges", "10.0.0.5", "", []string{"203.0.113.0/24"}, NotLocal},
		{"mapped", "::ffff:10.0.0.5", "", []string{"10.0.0.0/8"}, kept},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			skip, err := newConnReader(tt.local...).read(connection(map[field]string{fieldOrigH: tt.orig,
				fieldLocalOrig: tt.localOrig}), new(row))
			require.NoError(t, err)
			require.Equal(t, tt.want, skip)
		})
	}
}

func TestProtocols(t *testing.T) {
	tests := []struct {
		proto, resp, port string
		want              send.Destination
		skip              Skip
	}{
		{"udp", "192.0.2.7", "53", send.Destination{Protocol: send.UDP, Remote: netip.MustParseAddrPort("192.0.2.7:53")}, kept},
		{"icmp", "192.0.2.7", "8", send.Destination{Protocol: send.ICMP, Remote: netip.MustParseAddrPort("192.0.2.7:0")}, kept},
		{"icmp", "2001:db8::7", "129", send.Destination{Protocol: send.ICMPv6,
			Remote: netip.MustParseAddrPort("[2001:db8::7]:0")}, kept},
		{"sctp", "192.0.2.7", "36412", send.Destination{Protocol: send.SCTP,
			Remote: netip.MustParseAddrPort("192.0.2.7:36412")}, kept},
		{"unknown_transport", "192.0.2.7", "0", send.Destination{}, Transport},
	}
	for _, tt := range tests {
		t.Run(tt.proto+" "+tt.resp, func(t *testing.T) {
			var got row
			skip, err := newConnReader().read(connection(map[field]string{fieldProto: tt.proto, fieldRespH: tt.resp,
				fieldRespP: tt.port}), &got)
			require.NoError(t, err)
			require.Equal(t, tt.skip, skip)
			require.Equal(t, tt.want, got.send.Socket.Destination())
		})
	}
}

func TestTimeStamps(t *testing.T) {
	tests := []struct {
		name, ts   string
		at, within time.Duration
	}{
		{"microseconds", "1700000000.123456", 1700000000123456 * time.Microsecond, 0},
		{"whole seconds", "1700000000", 1700000001 * time.Second, time.Second},
		{"whole seconds with zeros", "1700000000.000000", 1700000001 * time.Second, time.Second},
		{"TS_MILLIS", "1700000000123", 1700000000124 * time.Millisecond, time.Millisecond},
		{"TS_ISO8601", "2023-11-14T22:13:20.123456Z", 1700000000123456 * time.Microsecond, 0},
		{"ISO 8601 with a zone", "2023-11-15T00:13:20.123456+02:00", 1700000000123456 * time.Microsecond, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reader, got := newConnReader(), row{}
			reader.clock = coarsest
			_, err := reader.read(connection(map[field]string{fieldTS: tt.ts}), &got)
			require.NoError(t, err)
			require.Equal(t, boottime.Time(tt.at), got.send.At)
			require.Equal(t, tt.within, got.send.Within)
		})
	}
}

func TestConnectionRefuses(t *testing.T) {
	tests := []struct {
		name  string
		field field
		value string
		want  string
	}{
		{"no time", fieldTS, "", "no ts"},
		{"no time at all", fieldTS, "0.000000", `ts: "0.000000" is out of range`},
		{"a word for a time", fieldTS, "yesterday", `ts: "yesterday" is not a number`},
		{"a time before 1970", fieldTS, "-5", `ts: "-5" is negative`},
		{"a date that is none", fieldTS, "2023-13-14T22:13:20Z", `ts: "2023-13-14T22:13:20Z" is not a number`},
		{"a date too far", fieldTS, "9999-12-31T00:00:00Z", `ts: "9999-12-31T00:00:00Z" is out of range`},
		{"no originator", fieldOrigH, "", "no id.orig_h"},
		{"a name for an address", fieldOrigH, "host", `id.orig_h: "host" is not an address`},
		{"half an address", fieldRespH, "10.0.0", `id.resp_h: "10.0.0" is not an address`},
		{"a port too large", fieldRespP, "65536", `id.resp_p: "65536" is out of range`},
		{"a local port too large", fieldOrigP, "99999", `id.orig_p: "99999" is out of range`},
		{"negative bytes", fieldOrigBytes, "-1", `orig_bytes: "-1" is negative`},
		{"too many bytes", fieldRespBytes, "1e30", `resp_bytes: "1e30" is out of range`},
		{"a duration that is none", fieldDuration, "short", `duration: "short" is not a number`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newConnReader().read(connection(map[field]string{tt.field: tt.value}), new(row))
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestRowsOfOtherLogs(t *testing.T) {
	for name, changes := range map[string]map[field]string{"by _path": {fieldPath: "dns"}, "by columns": {fieldState: ""}} {
		skip, err := newConnReader().read(connection(changes), new(row))
		require.NoError(t, err, name)
		require.Equal(t, OtherLog, skip, name)
	}
}

func TestAddressTableIsBounded(t *testing.T) {
	a := newAddresses(nil)
	for i := range 3 * maxAddresses {
		_, err := a.get([]byte(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()))
		require.NoError(t, err)
		require.LessOrEqual(t, len(a.known), maxAddresses)
	}
}

func TestReadingAKnownAddressAllocatesNothing(t *testing.T) {
	h := headerOf(t, shortHeader)
	reader, line := newConnReader(), []byte("SF\t1700000000.5\tssl\t10.0.0.1\t192.0.2.1\t443\ttcp\t151")
	var f fields
	var out row
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if h.row(line, &f) != nil {
			t.Fail()
		}
		if skip, err := reader.read(&f, &out); skip != kept || err != nil {
			t.Fail()
		}
	}))
}
