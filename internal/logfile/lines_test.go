package logfile

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestLineReader(t *testing.T) {
	long := strings.Repeat("x", 300<<10) // longer than the read buffer
	tests := []struct {
		name, text string
		limit      int
		want       []string // "!" for a line too long
	}{
		{"empty", "", 10, nil},
		{"ends", "a\nb\r\n\nc", 10, []string{"a", "b", "", "c"}},
		{"at the limit", "0123456789\n", 10, []string{"0123456789"}},
		{"over the limit", "0123456789a\nb\n", 10, []string{"!", "b"}},
		{"longer than the buffer", long + "\nb", 1 << 20, []string{long, "b"}},
		{"longer than buffer and limit", long + long + "\nb", 300 << 10, []string{"!", "b"}},
		{"too long at the end", "a\n" + long, 1000, []string{"a", "!"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := NewLines(strings.NewReader(tt.text), tt.limit)
			var got []string
			for {
				line, err := r.Next()
				if err == io.EOF {
					break
				}
				if errors.Is(err, ErrTooLong) {
					line = []byte("!")
				} else {
					require.NoError(t, err)
				}
				got = append(got, string(line))
				require.Equal(t, len(got), r.Number)
			}
			require.Equal(t, tt.want, got)
			require.LessOrEqual(t, cap(r.long), 2*(tt.limit+256<<10), "what is too long is not kept")
		})
	}
}

func TestLineReaderReportsABrokenStream(t *testing.T) {
	broken := errors.New("broken")
	r := NewLines(io.MultiReader(strings.NewReader("a\nhalf a li"), iotest.ErrReader(broken)), 100)
	line, err := r.Next()
	require.NoError(t, err)
	require.Equal(t, "a", string(line))
	_, err = r.Next()
	require.ErrorIs(t, err, broken, "half a line is no line")
	require.Equal(t, 2, r.Number)
}
