package history

import (
	"math/bits"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Burst is a micro-burst: sends of one pair without silence between them. It started in (At−Within, At], its last send
// was at Last. Sends saturates at 2^19−1, Bytes at 2^44−1 (17 TB). Failed is set when every attempt in it failed.
type Burst struct {
	At      boottime.Time
	Last    boottime.Time
	Within  time.Duration
	Bytes   uint64
	Sends   uint32
	Quality send.Quality
	Failed  bool
}

// packed is a Burst in 16 bytes: time since origin in units of 2^16 ns (46 bits reach past the year 2100 even counted from
// 1970), uncertainty and duration as logarithmic codes, quality; and failed, bytes, sends.
type packed struct {
	time uint64 // at:46 within:8 duration:8 quality:2
	size uint64 // failed:1 bytes:44 sends:19
}

const (
	tick     = 16 // log2 of the time unit in ns: 65.5 µs, well under a jiffy
	maxBytes = 1<<44 - 1
	maxSends = 1<<19 - 1
	// origin is ten years before boot: what a restored history holds of the time before a reboot lies there.
	origin = -boottime.Time(10 * 365 * 24 * time.Hour)
)

func pack(b Burst) packed {
	at := uint64(max(b.At-origin, 0)) >> tick & (1<<46 - 1)
	p := packed{time: at<<18 | uint64(logCode(b.Within))<<10 | uint64(logCode(b.Last.Sub(b.At)))<<2 | uint64(b.Quality&3)}
	p.size = min(b.Bytes, maxBytes)<<19 | min(uint64(b.Sends), maxSends)
	if b.Failed {
		p.size |= 1 << 63
	}
	return p
}

func (p packed) unpack() Burst {
	at := p.at()
	return Burst{
		At:      at,
		Last:    at.Add(logValue(uint8(p.time >> 2))),
		Within:  logValue(uint8(p.time >> 10)),
		Bytes:   p.size >> 19 & maxBytes,
		Sends:   uint32(p.size & maxSends),
		Quality: send.Quality(p.time & 3),
		Failed:  p.size>>63 == 1,
	}
}

func (p packed) at() boottime.Time { return boottime.Time(p.time>>18<<tick) + origin }

// logCode maps a duration to 8 bits: 0 for less than 65.5 µs, then eight steps an octave (9 % wide), rounded down,
// saturating at 73 h. Rounding down keeps the end of a burst before the start of the next.
func logCode(d time.Duration) uint8 {
	v := uint64(max(d, 0)) >> (tick - 3)
	if v < 8 {
		return 0
	}
	octave := bits.Len64(v) - 4
	return uint8(min(octave*8+int(v>>octave&7)+1, 255))
}

// logValue is the least duration with that code.
func logValue(code uint8) time.Duration {
	if code == 0 {
		return 0
	}
	octave, step := int(code-1)/8, uint64(code-1)%8
	return time.Duration((8 + step) << octave << (tick - 3))
}
