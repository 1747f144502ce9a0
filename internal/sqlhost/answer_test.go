package sqlhost

import (
	"bytes"
	"context"
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/osquery/osquery-go/gen/osquery"
	"github.com/stretchr/testify/require"
)

var answerColumns = []column{{name: "n", kind: typeBigint}, {name: "word", kind: typeText}, {name: "unread", kind: typeText}, {name: "x", kind: typeDouble}}

func answerReading() *reading { return newReading(answerColumns, plan{used: 0b1011}) }

// maxFuzzed bounds what a message may announce: osquery-go's decoder makes room for it at once.
const maxFuzzed = 4 << 10

func protocolOver(b []byte) thrift.TProtocol {
	memory := &thrift.TMemoryBuffer{Buffer: bytes.NewBuffer(b)}
	return thrift.NewTBinaryProtocolConf(thrift.NewTBufferedTransport(memory, 64), &thrift.TConfiguration{MaxMessageSize: maxFuzzed})
}

// wire is a response as osquery-go writes it.
func wire(t testing.TB, response *osquery.ExtensionResponse) []byte {
	memory := thrift.NewTMemoryBuffer()
	require.NoError(t, (&osquery.ExtensionCallResult{Success: response}).Write(context.Background(), thrift.NewTBinaryProtocolConf(memory, nil)))
	return memory.Bytes()
}

func TestAnswerHoldsWhatTheStatementReads(t *testing.T) {
	long := strings.Repeat("longer than the buffer ", 100)
	a := answer{reads: answerReading()}
	require.NoError(t, a.Read(t.Context(), protocolOver(wire(t, &osquery.ExtensionResponse{Status: &osquery.ExtensionStatus{Code: 3, Message: "m"}, Response: []map[string]string{
		{"n": "7", "word": long, "unread": "u", "x": "1.5"}, {}, {"n": "", "word": ""}, {long: "1", "word": "w"}, {"n": "7", "word": "w"},
	}}))))
	require.Equal(t, &osquery.ExtensionStatus{Code: 3, Message: "m"}, a.status)
	require.Equal(t, [][]driver.Value{{int64(7), long, 1.5}, {nil, nil, nil}, {nil, "", nil}, {nil, "w", nil}, {int64(7), "w", nil}}, a.rows)
}

// FuzzAnswer holds the decoder to osquery-go's own: both read the same rows, or neither reads any.
func FuzzAnswer(f *testing.F) {
	f.Add(wire(f, &osquery.ExtensionResponse{Status: &osquery.ExtensionStatus{Message: "OK"}, Response: []map[string]string{{"n": "1", "word": "w", "x": "0.5"}, {}, {"n": "1", "word": "w", "x": "0.25"}}}))
	f.Add(wire(f, &osquery.ExtensionResponse{Status: &osquery.ExtensionStatus{Code: 1}, Response: []map[string]string{{"unread": strings.Repeat("x", 99)}}}))
	f.Add([]byte{thrift.STRUCT, 0, 0, thrift.LIST, 0, 2, thrift.MAP, 0x7f, 0xff, 0xff, 0xff, 11, 11, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxFuzzed {
			return
		}
		a := answer{reads: answerReading()}
		got := a.Read(context.Background(), protocolOver(b))
		want := osquery.NewExtensionCallResult()
		if err := want.Read(context.Background(), protocolOver(b)); err != nil {
			require.Error(t, got, "osquery-go says: %v", err)
			return
		}
		require.NoError(t, got)
		if want.Success == nil {
			want.Success = &osquery.ExtensionResponse{}
		}
		require.Equal(t, want.Success.Status, a.status)
		rows := a.reads.rows(want.Success.Response)
		require.Len(t, a.rows, len(rows))
		for i := range rows {
			require.Equal(t, rows[i], a.rows[i])
		}
	})
}
