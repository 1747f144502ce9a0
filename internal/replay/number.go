package replay

import (
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/jsonscan"
)

// maxSeconds bounds an instant or duration: the year 2096, which a history can still hold.
const maxSeconds = 4_000_000_000

// maxBytes bounds the bytes of one send: 1 PiB.
const maxBytes = 1 << 50

var (
	errNumber   = errors.New("is not a number")
	errNegative = errors.New("is negative")
	errRange    = errors.New("is out of range")
)

// parseSeconds reads decimal seconds exactly, to the nearest nanosecond; only a number with an exponent goes through
// floating point. The result is not negative.
func parseSeconds(text []byte) (time.Duration, error) {
	whole, fraction, scale := int64(0), int64(0), int64(time.Second)
	i := 0
	for ; i < len(text) && jsonscan.IsDigit(text[i]); i++ {
		if whole = whole*10 + int64(text[i]-'0'); whole > maxSeconds {
			return parseFloatSeconds(text)
		}
	}
	if i == 0 || i == len(text)-1 {
		return parseFloatSeconds(text)
	}
	if i < len(text) && text[i] == '.' {
		for i++; i < len(text) && jsonscan.IsDigit(text[i]); i++ {
			if scale > 1 {
				scale /= 10
				fraction += int64(text[i]-'0') * scale
			} else if scale == 1 {
				scale = 0 // the tenth digit rounds, the rest is below half a nanosecond
				fraction += int64(text[i]-'0') / 5
			}
		}
	}
	if i < len(text) {
		return parseFloatSeconds(text)
	}
	return time.Duration(whole*int64(time.Second) + fraction), nil
}

func parseFloatSeconds(text []byte) (time.Duration, error) {
	f, err := parseFloat(text)
	if err != nil {
		return 0, err
	}
	if f > maxSeconds {
		return 0, errRange
	}
	return time.Duration(math.Round(f * float64(time.Second))), nil
}

// parseBytes reads a count of bytes; a fraction, which only an average has, is rounded.
func parseBytes(text []byte) (uint64, error) {
	var n uint64
	for _, c := range text {
		if !jsonscan.IsDigit(c) || n > maxBytes {
			return parseFloatBytes(text)
		}
		n = n*10 + uint64(c-'0')
	}
	if len(text) == 0 {
		return 0, errNumber
	}
	if n > maxBytes {
		return 0, errRange
	}
	return n, nil
}

func parseFloatBytes(text []byte) (uint64, error) {
	f, err := parseFloat(text)
	if err != nil {
		return 0, err
	}
	if f > maxBytes {
		return 0, errRange
	}
	return uint64(math.Round(f)), nil
}

// parseFloat reads a decimal number that is finite and not negative.
func parseFloat(text []byte) (float64, error) {
	for _, c := range text { // no hexadecimal, no underscores, no words
		if !jsonscan.IsDigit(c) && c != '.' && c != '-' && c != '+' && c|0x20 != 'e' {
			return 0, errNumber
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || math.IsInf(f, 0):
		return 0, errRange
	case err != nil:
		return 0, errNumber
	case f < 0:
		return 0, errNegative
	}
	return f, nil
}

// parsePort reads a port number.
func parsePort(text []byte) (uint16, error) {
	n, err := parseBytes(text)
	if err != nil {
		return 0, err
	}
	if n > math.MaxUint16 {
		return 0, errRange
	}
	return uint16(n), nil
}

// grid tells how finely instants are written: it starts at whole seconds and falls to milliseconds, then to 0 (finer
// than matters), with the first instant that is not on the grid. A log of microseconds leaves the whole second at once:
// one instant in a million is on it.
type grid time.Duration

const coarsest = grid(time.Second)

func (g *grid) fit(t time.Duration) {
	for *g > 0 && t%time.Duration(*g) != 0 {
		if *g /= 1000; *g < grid(time.Millisecond) {
			*g = 0
		}
	}
}
