package beacon

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func lost(f Series) Series {
	f.Failed = make([]bool, len(f.At))
	for i := range f.Failed {
		f.Failed[i] = true
	}
	return f
}

func TestFailedConnections(t *testing.T) {
	syn := at(0, 0, 1, 3, 7, 15, 31, 63) // tcp_syn_retries = 6
	tests := []struct {
		name   string
		flow   Series
		beats  int
		beacon bool
	}{
		{"SYN repeats are one attempt", lost(syn), 1, false},
		{"hammering a dead server every second is one attempt", lost(renewal(300, exactly(1), constant(0))), 1, false},
		{"hammering every half second with jitter", lost(renewal(300, jittered(source(1), .5, .3), constant(0))), 1, false},
		{"a beacon to a dead server is a beacon", lost(renewal(30, exactly(60), constant(0))), 30, true},
		{"the same sends that succeeded", renewal(30, exactly(2), constant(100)), 30, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := newScorer(t).Score(tt.flow)
			requireSound(t, res)
			require.Equal(t, tt.beats, res.Beats)
			require.Equal(t, tt.beacon, res.Score >= DefaultThreshold, res.Reason())
			if tt.flow.Failed != nil {
				require.Equal(t, 1.0, res.FailedShare)
				require.Contains(t, res.ReasonCodes(), "failed_connections")
				require.Contains(t, res.Reason(), "100 % of attempts failed")
			}
		})
	}
}

func TestFailedShareCountsAttempts(t *testing.T) {
	f := renewal(40, exactly(60), constant(100))
	f.Failed = make([]bool, 40)
	f.Failed[3], f.Failed[20] = true, true
	require.Equal(t, .05, newScorer(t).Score(f).FailedShare)
}

func TestARetryThatSucceedsIsANewBeat(t *testing.T) {
	f := at(100, 0, 1, 3, 7, 60, 120)
	f.Failed = []bool{true, true, true, false, false, false}
	require.Equal(t, 4, newScorer(t).Score(f).Beats)
}
