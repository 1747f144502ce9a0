package main

import (
	"strings"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	gen "github.com/osquery/osquery-go/gen/osquery"
	"github.com/stretchr/testify/require"
)

// TestEachAnswerIsEncodedWithin: what is written lies between one begin and one end, and is what a plain transport would carry.
func TestEachAnswerIsEncodedWithin(t *testing.T) {
	began, ended := 0, 0
	carried := thrift.NewTMemoryBuffer()
	out, err := encoding{func() func() {
		require.Equal(t, began, ended)
		began++
		return func() { ended++ }
	}}.GetTransport(carried)
	require.NoError(t, err)
	plain := thrift.NewTMemoryBuffer()
	for i := range 3 {
		answer := gen.ExtensionResponse{Status: &gen.ExtensionStatus{Message: "OK"},
			Response: []map[string]string{{"reason": strings.Repeat("x", 100_000)}}}
		require.NoError(t, answer.Write(t.Context(), thrift.NewTBinaryProtocolConf(out, nil)))
		require.Equal(t, [2]int{i + 1, i}, [2]int{began, ended})
		require.NoError(t, out.Flush(t.Context()))
		require.Equal(t, [2]int{i + 1, i + 1}, [2]int{began, ended})
		require.NoError(t, answer.Write(t.Context(), thrift.NewTBinaryProtocolConf(plain, nil)))
	}
	require.NoError(t, out.Flush(t.Context()), "nothing was written")
	require.Equal(t, 3, ended)
	require.Equal(t, plain.Bytes(), carried.Bytes())
}
