package logfile

import (
	"github.com/beaconwatch/beaconwatch/internal/logfile/logfiletest"

	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecompress(t *testing.T) {
	text := []byte("some lines\nof text\n")
	twice := append(bytes.Clone(text), text...)
	tests := []struct {
		name     string
		in, want []byte
	}{
		{"plain", text, text},
		{"empty", nil, nil},
		{"short", []byte("{}"), []byte("{}")},
		{"byte order mark", append([]byte("\xef\xbb\xbf"), text...), text},
		{"gzip", logfiletest.Gzip(t, text), text},
		{"gzip members", append(logfiletest.Gzip(t, text), logfiletest.Gzip(t, text)...), twice},
		{"zstd", logfiletest.Zstd(t, text), text},
		{"zstd frames", append(logfiletest.Zstd(t, text), logfiletest.Zstd(t, text)...), twice},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := decompress(bytes.NewReader(tt.in))
			require.NoError(t, err)
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, string(tt.want), string(got))
			require.NoError(t, r.Close())
		})
	}
}

func TestDecompressNamesForeignFiles(t *testing.T) {
	for magic, want := range map[string]string{
		"\xd4\xc3\xb2\xa1\x02\x00\x04\x00": "a packet capture: make a conn.log of it first (zeek -r FILE)",
		"PK\x03\x04\x14\x00\x00\x00":       "a zip archive: unpack it first",
	} {
		_, err := decompress(bytes.NewReader([]byte(magic)))
		require.EqualError(t, err, want)
	}
}

func TestTruncatedCompressionIsAnError(t *testing.T) {
	text := bytes.Repeat([]byte("a line that repeats\n"), 1000)
	for name, whole := range map[string][]byte{"gzip": logfiletest.Gzip(t, text), "zstd": logfiletest.Zstd(t, text)} {
		t.Run(name, func(t *testing.T) {
			r, err := decompress(bytes.NewReader(whole[:len(whole)-6]))
			require.NoError(t, err)
			_, err = io.ReadAll(r)
			require.Error(t, err)
		})
	}
}
