package bpf

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// lone returns slots that no program shares.
func lone(slots int) *streams {
	return &streams{slots: make([]byte, recordSize*(slots+1)), pending: make([]byte, pendingSize(uint32(slots))),
		tick: 4 * time.Millisecond, idle: time.Second}
}

// occupy writes a stream into a slot as the programs do.
func (s *streams) occupy(slot uint32, born uint64) {
	record := makeRecord(Sent, unix.AF_INET, unix.IPPROTO_UDP)
	binary.NativeEndian.PutUint64(record[atBorn:], born)
	copy(s.slots[recordSize*int(slot):], record)
}

func makeReport(slot uint32, born, at, bytes, sends uint64) []byte {
	b := make([]byte, reportSize)
	ne := binary.NativeEndian
	ne.PutUint32(b[reportKind:], uint32(Sent))
	ne.PutUint32(b[reportSlot:], slot)
	for member, value := range map[int]uint64{reportBorn: born, reportTime: at, reportBytes: bytes, reportSends: sends,
		reportLength: 7, reportPrevious: at / 2, reportTicks: 3} {
		ne.PutUint64(b[member:], value)
	}
	return b
}

func TestReportOfAStream(t *testing.T) {
	s := lone(4)
	s.occupy(2, 100)
	var e Event
	require.True(t, s.sent(&e, makeReport(2, 100, 1e9, 70, 10)))
	require.Equal(t, Sent, e.Kind)
	require.Equal(t, uint32(2), e.Stream)
	require.Equal(t, netip.MustParseAddrPort("192.0.2.1:443"), e.Remote)
	require.Equal(t, int32(12), e.Owner.PID)
	require.Equal(t, []uint64{70, 10, 7}, []uint64{e.Bytes, e.Sends, e.Size})
	require.Equal(t, int64(1e9/2+4*4e6), e.Previous, "three ticks after the report, at the latest")

	for name, report := range map[string][]byte{
		"no slot":           makeReport(0, 100, 1e9, 1, 1),
		"beyond the slots":  makeReport(5, 100, 1e9, 1, 1),
		"far beyond":        makeReport(1<<32-1, 100, 1e9, 1, 1),
		"a stream before":   makeReport(2, 99, 1e9, 1, 1),
		"nobody's slot":     makeReport(3, 100, 1e9, 1, 1),
		"the slot's memory": makeReport(3, 0, 1e9, 1, 1),
	} {
		require.False(t, s.sent(&e, report), name)
	}
}

func TestLatest(t *testing.T) {
	s := lone(1)
	for name, tt := range map[string]struct {
		report      int64
		ticks       uint64
		now, latest int64
	}{
		"never":                      {0, 5, 1e9, 0},
		"in the tick of the report":  {1e9, 0, 2e9, 1e9 + 4e6},
		"later":                      {1e9, 2, 2e9, 1e9 + 12e6},
		"just now":                   {1e9, 250, 2e9, 2e9},
		"beside another thread":      {1e9, ^uint64(0), 2e9, 1e9 + 4e6},
		"a number nobody would keep": {1e9, 1 << 62, 2e9, 2e9},
		"a report of the future":     {3e9, 0, 2e9, 2e9},
	} {
		require.Equal(t, tt.latest, s.latest(tt.report, tt.ticks, tt.now), name)
	}
}

// What is shared with the programs is read as what it may be: anything.
func FuzzReport(f *testing.F) {
	f.Add(makeReport(1, 100, 1e9, 70, 10), makeRecord(Sent, unix.AF_INET, unix.IPPROTO_UDP), uint32(1))
	f.Add(makeReport(7, 0, 0, 0, 0), makeRecord(Closed, unix.AF_INET6, unix.IPPROTO_TCP), uint32(0))
	f.Fuzz(func(t *testing.T, report, record []byte, word uint32) {
		s := lone(4)
		for slot := range 5 {
			copy(s.slots[recordSize*slot:recordSize*(slot+1)], record)
			binary.NativeEndian.PutUint32(s.pending[4*slot:], word)
		}
		var e Event
		if len(report) == reportSize && s.sent(&e, report) {
			require.True(t, e.Stream >= 1 && e.Stream <= 4)
		}
		if len(record) >= recordSize && e.decode(record) && e.Kind == Closed {
			s.ended(&e, record)
			require.LessOrEqual(t, len(s.closed), 1)
		}
		s.told(1e9, func(e *Event) { require.True(t, e.Stream >= 1 && e.Stream <= 4 && e.At <= 1e9) })
		require.LessOrEqual(t, len(s.known), 5)
	})
}
