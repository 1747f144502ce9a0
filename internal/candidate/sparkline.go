package candidate

import (
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/history"
)

var blocks = []rune("▁▂▃▄▅▆▇█")

// sparkline draws the newest gaps between bursts, oldest first, against the interval: a steady beacon is a line at half
// height, a gap of twice the interval or more a full block.
func sparkline(bursts []history.Burst, interval time.Duration) string {
	const width = 20
	if interval <= 0 || len(bursts) < 2 {
		return ""
	}
	bursts = bursts[max(0, len(bursts)-width-1):]
	var b strings.Builder
	for i := 1; i < len(bursts); i++ {
		level := int(float64(bursts[i].At.Sub(bursts[i-1].At)) / float64(2*interval) * float64(len(blocks)))
		b.WriteRune(blocks[min(max(level, 0), len(blocks)-1)])
	}
	return b.String()
}
