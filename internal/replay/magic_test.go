package replay

import (
	"bytes"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

func gzipped(t testing.TB, text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func zstandard(t testing.TB, text []byte) []byte {
	w, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	return w.EncodeAll(text, nil)
}

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
		{"gzip", gzipped(t, text), text},
		{"gzip members", append(gzipped(t, text), gzipped(t, text)...), twice},
		{"zstd", zstandard(t, text), text},
		{"zstd frames", append(zstandard(t, text), zstandard(t, text)...), twice},
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
	for name, whole := range map[string][]byte{"gzip": gzipped(t, text), "zstd": zstandard(t, text)} {
		t.Run(name, func(t *testing.T) {
			r, err := decompress(bytes.NewReader(whole[:len(whole)-6]))
			require.NoError(t, err)
			_, err = io.ReadAll(r)
			require.Error(t, err)
		})
	}
}
