package protocol

import (
	"context"
	"runtime"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	gen "github.com/osquery/osquery-go/gen/osquery"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/table"
	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// nowhere is a transport that takes everything: what is left is what the extension does by itself.
type nowhere struct {
	*thrift.TMemoryBuffer
	bytes int
}

func (n *nowhere) Write(b []byte) (int, error) {
	n.bytes += len(b)
	return len(b), nil
}

// answer answers SELECT * from the candidates in rows, or in the maps that osquery-go's server wants, and returns how many bytes
// that is on the wire.
func answer(t testing.TB, candidates table.Table, maps bool) int {
	a := wire.Ask(context.Background(), candidates, gen.ExtensionPluginRequest{"action": "generate", "context": `{"constraints":[]}`})
	if maps {
		a = wire.Answer{Status: a.Status, Maps: a.Response().Response}
	}
	n := &nowhere{TMemoryBuffer: thrift.NewTMemoryBuffer()}
	p := thrift.NewTBinaryProtocolConf(thrift.NewTBufferedTransport(n, 16<<10), nil)
	require.NoError(t, a.Write(context.Background(), p))
	require.NoError(t, p.Flush(context.Background()))
	return n.bytes
}

// BenchmarkAnswer is the extension's part of a query: what osqueryd's watchdog sees.
func BenchmarkAnswer(b *testing.B) {
	candidates := table.All(filled(b, pairs))[0]
	for _, way := range []struct {
		name string
		maps bool
	}{{"rows", false}, {"maps", true}} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				b.SetBytes(int64(answer(b, candidates, way.maps)))
			}
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// maxBytes is the most that the extension may allocate for a byte on the wire: the values, and where they lie. It is 0.9; in maps it
// is 3.4.
const maxBytes = 1.2

// TestWhatAnAnswerCosts holds the extension's part of a query to what it writes. Memory counts twice here: the sensor's has a ceiling.
func TestWhatAnAnswerCosts(t *testing.T) {
	candidates := table.All(filled(t, pairs))[0]
	allocated := func(maps bool) float64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		bytes := answer(t, candidates, maps)
		runtime.ReadMemStats(&after)
		return float64(after.TotalAlloc-before.TotalAlloc) / float64(bytes)
	}
	answer(t, candidates, false) // once to warm up
	rows, maps := allocated(false), allocated(true)
	t.Logf("allocated for a byte on the wire: in rows %.2f, in maps %.2f", rows, maps)
	require.Less(t, rows, maxBytes)
	require.Less(t, 2*rows, maps)
}
