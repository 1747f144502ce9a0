package history

import (
	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Totals are the counters of a pair or a flow. Counters only grow; First and Last are the instants of the earliest and
// latest report. Quality is the worst of any report.
type Totals struct {
	First, Last boottime.Time
	Connections uint64
	Failed      uint64
	Sends       uint64
	Bytes       uint64
	Received    uint64
	Quality     send.Quality
}

func (t *Totals) add(sd *send.Send) {
	if t.First == 0 || sd.At < t.First {
		t.First = sd.At
	}
	t.Last = max(t.Last, sd.At)
	t.Received += sd.Received
	t.Bytes += sd.Bytes
	t.Quality = max(t.Quality, sd.Quality)
	switch sd.Kind {
	case send.Open:
		t.Connections++
	case send.Failed:
		t.Failed++
	}
	if sd.Bytes > 0 || sd.Kind == send.Data {
		t.Sends += uint64(max(sd.Sends, 1))
	}
}
