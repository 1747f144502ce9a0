package beacon

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// FuzzScore builds flows of any shape from the input: times of any sign and size, any order, repeated, with and without
// the optional columns.
func FuzzScore(f *testing.F) {
	f.Add([]byte{}, int64(0))
	f.Add([]byte("60 seconds, 60 seconds, 60 seconds, 60 seconds, 60 seconds"), int64(time.Second))
	huge := binary.LittleEndian.AppendUint64(nil, math.MaxUint64)
	f.Add(append(huge, make([]byte, 400)...), int64(math.MaxInt64))
	regular := []byte{}
	for i := range 40 {
		regular = binary.LittleEndian.AppendUint64(regular, uint64(i)*uint64(time.Minute)<<4|7)
	}
	f.Add(regular, int64(-1))
	s, err := NewScorer(Config{RepeatFrequencyThreshold: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte, resolution int64) {
		var flow Series
		for ; len(data) >= 8; data = data[8:] {
			word := binary.LittleEndian.Uint64(data)
			flow.At = append(flow.At, time.Duration(word>>(word&7)))
			flow.Bytes = append(flow.Bytes, word>>(word&63))
			flow.Last = append(flow.Last, time.Duration(word*word))
			flow.Within = append(flow.Within, time.Duration(word>>20))
			flow.Failed = append(flow.Failed, word&9 == 9)
		}
		requireSound(t, s.Score(Series{At: flow.At}))
		requireSound(t, s.Score(Series{At: flow.At, Bytes: flow.Bytes, Last: flow.Last}))
		flow.Resolution = time.Duration(resolution)
		requireSound(t, s.Score(flow))
	})
}
