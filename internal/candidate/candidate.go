// Package candidate ranks histories: it scores what changed, publishes an immutable ranked snapshot, and names each
// candidate in words that stay the same while the beacon does. It reads no sockets and writes no rows.
package candidate

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Scope says what a candidate's series is of.
type Scope uint8

// ByDestination is a program and one destination, ByProcess a program over all its destinations.
const (
	ByDestination Scope = iota
	ByProcess
)

// String returns the word of the scope column.
func (s Scope) String() string {
	if s == ByProcess {
		return "process"
	}
	return "destination"
}

// Candidate is one ranked series. It is immutable once published.
type Candidate struct {
	ID            uint64
	Scope         Scope
	Key           history.Key
	Destination   send.Destination // zero for ByProcess
	Socket        send.Socket      // the latest, zero for ByProcess
	Class         send.Class
	Process       process.ID // the one that sent last
	Processes     int
	Destinations  int // of the series
	Peers         int // destinations ever of the program
	Totals        history.Totals
	Result        beacon.Result
	Resolution    time.Duration // median timing uncertainty of the beats
	Sparkline     string
	Signature     string
	AlertID       string // names the case in other systems, together with the host: see alertID
	IntervalClass string
	SizeClass     string
	Verdict       inventory.Verdict

	program uint64
	begun   uint64
	settled settled
}

// alertID is the SHA-256 of a signature in hexadecimal: the same on every host and after every restart, and of one length, which
// signatures are not. Nothing here is looked up by it.
func alertID(signature string) string {
	sum := sha256.Sum256([]byte(process.Printable(signature, process.MaxText)))
	return hex.EncodeToString(sum[:])
}

// Signature names program and destination for people and for exceptions: no uid, no id, no time. An empty path reads
// "[unattributed]".
func Signature(k history.Key, scope Scope, d send.Destination) string {
	var b strings.Builder
	if k.Host != "" {
		b.WriteString(k.Host + ": ")
	}
	if k.Program.Path == "" {
		if k.Host == "" {
			b.WriteString("[unattributed] ")
		}
	} else {
		b.WriteString(k.Program.Path + " ")
	}
	if k.Program.Script != "" {
		b.WriteString(k.Program.Script + " ")
	}
	if k.Program.Workload != "" {
		b.WriteString("@" + k.Program.Workload + " ")
	}
	if scope == ByProcess {
		return b.String() + "*"
	}
	return b.String() + d.String()
}
