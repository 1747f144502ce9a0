package logfile

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxZstdWindow bounds the memory one zstd frame may ask for: that of zstd --long=27.
const maxZstdWindow = 128 << 20

var (
	gzipMagic = []byte{0x1f, 0x8b}             // RFC 1952
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd} // RFC 8878
	byteOrder = []byte{0xef, 0xbb, 0xbf}       // a UTF-8 byte order mark
)

// foreign are files people try, by how they begin, with what to do about them.
var foreign = []struct{ magic, advice string }{
	{"\xd4\xc3\xb2\xa1", "a packet capture: make a conn.log of it first (zeek -r FILE)"},
	{"\xa1\xb2\xc3\xd4", "a packet capture: make a conn.log of it first (zeek -r FILE)"},
	{"\x4d\x3c\xb2\xa1", "a packet capture: make a conn.log of it first (zeek -r FILE)"},
	{"\x0a\x0d\x0d\x0a", "a packet capture: make a conn.log of it first (zeek -r FILE)"},
	{"\xfd7zXZ\x00", "compressed by xz: decompress it first (xz -dc FILE | … -)"},
	{"BZh", "compressed by bzip2: decompress it first (bzip2 -dc FILE | … -)"},
	{"PK\x03\x04", "a zip archive: unpack it first"},
}

// decompress looks at how the stream begins and returns its plain text: gzip and zstd by their magic bytes, whatever the
// File is called, anything else as it is. The result must be closed; closing does not close r.
func decompress(r io.Reader) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	head, err := in.Peek(8)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if bytes.HasPrefix(head, gzipMagic) {
		return gzip.NewReader(in)
	}
	if bytes.HasPrefix(head, zstdMagic) {
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return nil, fmt.Errorf("%s", f.advice)
		}
	}
	if bytes.HasPrefix(head, byteOrder) {
		_, err = in.Discard(len(byteOrder))
	} else {
		err = nil
	}
	return io.NopCloser(in), err
}
