// Package replay reads recorded traffic and gives it back as the sends a live source would have seen: conn.log of Zeek,
// tab-separated or JSON, and our own flows in JSON Lines, plain, gzip or zstd, told apart by content and never by name.
// It does not score, and it keeps no history: memory is bounded whatever the size of the files.
//
// A conn.log has one row for each connection, however long that lasted, so a long connection is one send at its start
// with all its payload, and a rhythm inside it cannot be seen. "Here" is where local_orig says so; see Config.Local.
package replay

import (
	"io"
	"net/netip"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Config says how to read. The zero Config is usable.
type Config struct {
	// Local lists our own networks. A connection left from here if its originator is in one of them; otherwise if
	// local_orig is true; and where neither this list nor local_orig says anything, if the originator has a private
	// address (RFC 1918, RFC 4193). Rows of other originators are skipped and counted.
	Local []netip.Prefix
	// Reorder is how many rows of conn.log are held back to bring them from the order of their ends, in which Zeek
	// writes them, to the order of their starts; 0 means 131 072 (about 27 MB).
	Reorder int
	// Stdin is what the path "-" reads; nil means the standard input of the process.
	Stdin io.Reader
}

// Record is a send and what the file tells about its origin. Times count nanoseconds since the Unix epoch
// (boottime.Recorded); those of a flow whose file counts from the start of the capture are a nanosecond later than
// written, because the zero Time means "unknown".
type Record struct {
	// Host is the originating address in conn.log, and in our own format the host, or the id of the flow without one.
	Host string
	// Process is the path of the program where the file knows it, otherwise empty.
	Process string
	// Hostname is the destination where the file has a name and no address for it; the address of the socket is then
	// one of the discard prefix 100::/64 (RFC 6666), another for each line.
	Hostname string
	Send     send.Send
}
