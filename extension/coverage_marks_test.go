package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

func TestMarksAreOfProcessesNotOfNames(t *testing.T) {
	var m coverageMarks
	require.Empty(t, m.of(process.ID{PID: 7, StartTicks: 1}))
	m.set("r1", []process.ID{{PID: 7, StartTicks: 1}})
	require.Equal(t, "r1", m.of(process.ID{PID: 7, StartTicks: 1}))
	require.Empty(t, m.of(process.ID{PID: 7, StartTicks: 2}), "the same PID, another life")
	require.Empty(t, m.of(process.ID{PID: 8, StartTicks: 1}), "a child")
	m.set("r2", nil)
	require.Empty(t, m.of(process.ID{PID: 7, StartTicks: 1}))
	require.Equal(t, "r2", m.run())
}

func TestOnlyTrustedRunsAreRead(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	path := coverageRunPath(socket)
	require.NoError(t, writeCoverageRun(socket, "r1", []process.ID{{PID: 7, StartTicks: 1}}))
	run, err := readCoverageRun(path)
	require.NoError(t, err)
	require.Equal(t, "r1", run.Run)
	require.Len(t, run.Processes, 1)

	require.NoError(t, os.Chmod(path, 0o666))
	_, err = readCoverageRun(path)
	require.ErrorContains(t, err, "others may write it")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Symlink("/etc/hostname", path))
	_, err = readCoverageRun(path)
	require.Error(t, err, "a link leads anywhere")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err = readCoverageRun(path)
	require.ErrorContains(t, err, "coverage run "+path)
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(path, 65534, 65534))
		_, err = readCoverageRun(path)
		require.ErrorContains(t, err, "others may write it")
	}
}
