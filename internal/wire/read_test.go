package wire

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/osquery/osquery-go/gen/osquery"
	"github.com/stretchr/testify/require"
)

// maxFuzzed bounds what a message may announce: osquery-go's decoder makes room for it at once.
const maxFuzzed = 4 << 10

func reader() *Reader {
	return &Reader{Rows: NewColumns([]string{"n", "word", "unread", "x"}).Rows([]string{"n", "word", "x"})}
}

func protocolOver(b []byte) thrift.TProtocol {
	memory := &thrift.TMemoryBuffer{Buffer: bytes.NewBuffer(b)}
	return thrift.NewTBinaryProtocolConf(thrift.NewTBufferedTransport(memory, 64), &thrift.TConfiguration{MaxMessageSize: maxFuzzed})
}

// believing is a protocol for osquery-go, which makes room for what is announced, whatever that is.
type believing struct{ thrift.TProtocol }

func (b believing) ReadListBegin(ctx context.Context) (thrift.TType, int, error) {
	kind, size, err := b.TProtocol.ReadListBegin(ctx)
	if err == nil && (size < 0 || size > maxFuzzed) {
		err = errors.New("cannot be")
	}
	return kind, size, err
}

func (b believing) ReadMapBegin(ctx context.Context) (thrift.TType, thrift.TType, int, error) {
	keys, values, size, err := b.TProtocol.ReadMapBegin(ctx)
	if err == nil && (size < 0 || size > maxFuzzed) {
		err = errors.New("cannot be")
	}
	return keys, values, size, err
}

// encoded is a response as osquery-go writes it.
func encoded(t testing.TB, response *osquery.ExtensionResponse) []byte {
	memory := thrift.NewTMemoryBuffer()
	require.NoError(t, (&osquery.ExtensionCallResult{Success: response}).Write(context.Background(), thrift.NewTBinaryProtocolConf(memory, nil)))
	return memory.Bytes()
}

func maps(r *Rows) osquery.ExtensionPluginResponse { return Answer{Rows: r}.Response().Response }

func TestReaderHoldsWhatIsUsed(t *testing.T) {
	long := strings.Repeat("longer than the buffer ", 100)
	a := reader()
	require.NoError(t, a.Read(t.Context(), protocolOver(encoded(t, &osquery.ExtensionResponse{Status: &osquery.ExtensionStatus{Code: 3, Message: "m"}, Response: []map[string]string{
		{"n": "7", "word": long, "unread": "u", "x": "1.5"}, {}, {"n": "", "word": ""}, {long: "1", "word": "w"}, {"n": "7", "word": "w"},
	}}))))
	require.Equal(t, &osquery.ExtensionStatus{Code: 3, Message: "m"}, a.Status)
	require.Equal(t, osquery.ExtensionPluginResponse{{"n": "7", "word": long, "x": "1.5"}, {}, {"n": "", "word": ""}, {"word": "w"}, {"n": "7", "word": "w"}}, maps(a.Rows))
}

func TestReaderWantsABuffer(t *testing.T) {
	require.ErrorContains(t, reader().Read(t.Context(), thrift.NewTBinaryProtocolConf(thrift.NewTMemoryBuffer(), nil)), "TMemoryBuffer")
}

// FuzzReader holds the reader to osquery-go's own: both read the same rows, or neither reads any.
func FuzzReader(f *testing.F) {
	f.Add(encoded(f, &osquery.ExtensionResponse{Status: &osquery.ExtensionStatus{Message: "OK"}, Response: []map[string]string{{"n": "1", "word": "w", "x": "0.5"}, {}, {"n": "1", "word": "w", "x": "0.25"}}}))
	f.Add(encoded(f, &osquery.ExtensionResponse{Status: &osquery.ExtensionStatus{Code: 1}, Response: []map[string]string{{"unread": strings.Repeat("x", 99)}}}))
	f.Add([]byte{thrift.STRUCT, 0, 0, thrift.LIST, 0, 2, thrift.MAP, 0x7f, 0xff, 0xff, 0xff, 11, 11, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte("\x0c\x00\x00\x0f\x00\x02\x0d\x80\x00\x030"))
	f.Add([]byte("\x0c\x00\x00\x0f\x00\x02\x0d\x00\x00\x00\x01\x0b\x0b\x80\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxFuzzed {
			return
		}
		a := reader()
		got := a.Read(context.Background(), protocolOver(b))
		want := osquery.NewExtensionCallResult()
		if err := want.Read(context.Background(), believing{protocolOver(b)}); err != nil {
			require.Error(t, got, "osquery-go says: %v", err)
			return
		}
		require.NoError(t, got)
		if want.Success == nil {
			want.Success = &osquery.ExtensionResponse{}
		}
		require.Equal(t, want.Success.Status, a.Status)
		require.Len(t, maps(a.Rows), len(want.Success.Response))
		for i, row := range maps(a.Rows) {
			held := map[string]string{}
			for k, v := range want.Success.Response[i] {
				if slices.Contains(a.Rows.Columns(), k) {
					held[k] = v
				}
			}
			require.Equal(t, held, row)
		}
	})
}
