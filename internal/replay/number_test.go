package replay

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseSeconds(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
		err  error
	}{
		{"0", 0, nil},
		{"1700000000.123456", 1700000000123456 * time.Microsecond, nil},
		{"1.5", 1500 * time.Millisecond, nil},
		{"14.602999999999999", 14603 * time.Millisecond, nil},
		{"0.9999999999", time.Second, nil},
		{"0.0000000004", 0, nil},
		{"0.12345678949", 123456789, nil},
		{"1e3", 1000 * time.Second, nil},
		{"1.7E9", 1700000000 * time.Second, nil},
		{"-0.0", 0, nil},
		{"4000000000", 4000000000 * time.Second, nil},
		{"4000000001", 0, errRange},
		{"1e400", 0, errRange},
		{"99999999999999999999999999", 0, errRange},
		{"-1", 0, errNegative},
		{"", 0, errNumber},
		{"-", 0, errNumber},
		{"NaN", 0, errNumber},
		{"Inf", 0, errNumber},
		{"0x10", 0, errNumber},
		{"1_000", 0, errNumber},
		{"1.2.3", 0, errNumber},
		{"12a", 0, errNumber},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := parseSeconds([]byte(tt.text))
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.want, got)
		})
	}
}

// The fast path must agree with exact arithmetic to the nanosecond, the tenth digit rounding.
func TestParseSecondsIsExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		text := strconv.FormatInt(random.Int64N(maxSeconds), 10) + "." + strconv.FormatUint(random.Uint64(), 10)
		exact, ok := new(big.Rat).SetString(text)
		require.True(t, ok)
		exact.Mul(exact, big.NewRat(int64(time.Second), 1))
		exact.Add(exact, big.NewRat(1, 2))
		want := new(big.Int).Div(exact.Num(), exact.Denom()).Int64()
		got, err := parseSeconds([]byte(text))
		require.NoError(t, err)
		require.Equal(t, want, int64(got), text)
	}
}

func TestParseBytes(t *testing.T) {
	tests := []struct {
		text string
		want uint64
		err  error
	}{
		{"0", 0, nil},
		{"1448", 1448, nil},
		{"120.0", 120, nil},
		{"120.5", 121, nil},
		{"1e3", 1000, nil},
		{"1125899906842624", maxBytes, nil},
		{"1125899906842625", 0, errRange},
		{"18446744073709551616", 0, errRange},
		{"99999999999999999999999999999999", 0, errRange},
		{"-5", 0, errNegative},
		{"", 0, errNumber},
		{"many", 0, errNumber},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := parseBytes([]byte(tt.text))
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestParsePort(t *testing.T) {
	got, err := parsePort([]byte("65535"))
	require.NoError(t, err)
	require.Equal(t, uint16(math.MaxUint16), got)
	_, err = parsePort([]byte("65536"))
	require.ErrorIs(t, err, errRange)
}

func TestGrid(t *testing.T) {
	tests := []struct {
		name string
		at   []time.Duration
		want time.Duration
	}{
		{"whole seconds", []time.Duration{0, 5 * time.Second, 60 * time.Second}, time.Second},
		{"milliseconds", []time.Duration{0, 1500 * time.Millisecond}, time.Millisecond},
		{"microseconds", []time.Duration{time.Second, 1500001 * time.Microsecond}, 0},
		{"never coarser again", []time.Duration{1, 2 * time.Second}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clock := coarsest
			for _, at := range tt.at {
				clock.fit(at)
			}
			require.Equal(t, tt.want, time.Duration(clock))
		})
	}
}
