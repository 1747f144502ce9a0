package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadRows: numbers larger than a float holds are kept, for they are compared.
func TestReadRows(t *testing.T) {
	rows, err := readRows([]byte(`[{"level":"L2","bytes":9007199254740993,"score":0.5,"pid":null}]`))
	require.NoError(t, err)
	require.Equal(t, []map[string]string{{"level": "L2", "bytes": "9007199254740993", "score": "0.5", "pid": ""}}, rows)
	_, err = readRows([]byte(`{"level":"L2"}`))
	require.Error(t, err)
}
