package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// pseudoTerminal returns both ends of a pseudo-terminal (pty(7)).
func pseudoTerminal(t *testing.T) (master, slave *os.File) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		need.Skip(t, "no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

func TestProgressIsShownOnATerminalAndWiped(t *testing.T) {
	master, slave := pseudoTerminal(t)
	drawn := make(chan struct{}, 1000)
	hide := showProgress(slave, func() string {
		drawn <- struct{}{}
		return "scored 7 flows"
	})
	<-drawn
	hide()
	var seen strings.Builder
	for buf := make([]byte, 256); !strings.HasSuffix(seen.String(), "flows\r\x1b[K"); {
		n, err := master.Read(buf)
		require.NoError(t, err)
		seen.Write(buf[:n])
	}
	require.True(t, strings.HasPrefix(seen.String(), "\r\x1b[Kscored 7 flows"), "%q", seen.String())
}

func TestProgressIsSilentElsewhere(t *testing.T) {
	var out bytes.Buffer
	showProgress(&out, func() string { return "x" })()
	require.Empty(t, out.String())
	file, err := os.Create(t.TempDir() + "/out")
	require.NoError(t, err)
	defer file.Close()
	showProgress(file, func() string { return "x" })()
	info, err := file.Stat()
	require.NoError(t, err)
	require.Zero(t, info.Size())
}

func TestShare(t *testing.T) {
	require.Equal(t, ", 50 % of 2.0 MiB", share(1<<20, 2<<20))
	require.Equal(t, ", 100 % of 1.0 MiB", share(3<<20, 1<<20), "a file that grew")
	require.Equal(t, ", 1.5 MiB read", share(3<<19, 0))
}
