package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLocateTakesTheNewestSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "bw-") // a socket's path may have 107 characters
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	pattern := filepath.Join(dir, "osquery-*.sock")
	_, err = locate(pattern)
	require.EqualError(t, err, "no socket fits "+pattern)

	now := time.Now()
	for name, age := range map[string]time.Duration{"osquery-1.sock": time.Hour, "osquery-2.sock": time.Minute, "other.sock": 0} {
		listener, err := net.Listen("unix", filepath.Join(dir, name))
		require.NoError(t, err)
		defer listener.Close()
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), now.Add(-age), now.Add(-age)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "osquery-3.sock"), nil, 0o600), "no socket, though the newest")
	for given, want := range map[string]string{pattern: "osquery-2.sock", filepath.Join(dir, "other.sock"): "other.sock"} {
		path, err := locate(given)
		require.NoError(t, err)
		require.Equal(t, filepath.Join(dir, want), path)
	}
	_, err = locate("[")
	require.ErrorContains(t, err, "syntax error in pattern")
	path, err := locate("/nowhere/osquery.em")
	require.NoError(t, err)
	require.Equal(t, "/nowhere/osquery.em", path, "a path that is no pattern is taken as it is")
}
