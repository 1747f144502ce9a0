package procfs

import (
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// netEnds are what tells sockets apart: a local port may be in use for several destinations.
type netEnds struct {
	local, remote netip.AddrPort
}

// readTable reads a whole pass.
func readTable(t *testing.T, table *NetTable) map[netEnds]NetSocket {
	t.Helper()
	found := map[netEnds]NetSocket{}
	var s NetSocket
	table.Rewind()
	for table.Next(&s) {
		found[netEnds{s.Local, s.Remote}] = s
	}
	require.NoError(t, table.Err())
	return found
}

func TestNetTableOfThisHost(t *testing.T) {
	table, err := New("").OpenNetTable("self", "tcp")
	require.NoError(t, err)
	defer table.Close()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	local := l.Addr().(*net.TCPAddr).AddrPort()
	listener := netEnds{local, netip.AddrPortFrom(netip.IPv4Unspecified(), 0)}
	require.EqualValues(t, 10, readTable(t, table)[listener].State, "a listener")
	var clients []net.Conn
	for range 100 { // more than one read of the kernel gives
		c, err := net.Dial("tcp4", l.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		clients = append(clients, c)
	}
	found := readTable(t, table)
	for _, c := range clients {
		s, ok := found[netEnds{c.LocalAddr().(*net.TCPAddr).AddrPort(), local}]
		require.True(t, ok)
		require.EqualValues(t, 1, s.State)
		require.NotZero(t, s.Inode)
	}
	l.Close()
	require.NotContains(t, readTable(t, table), listener, "a further pass sees the present")
	require.Zero(t, table.Malformed())
}

func TestReadingANetTableAllocatesNothing(t *testing.T) {
	table, err := New("").OpenNetTable("self", "tcp")
	require.NoError(t, err)
	defer table.Close()
	var s NetSocket
	require.Zero(t, testing.AllocsPerRun(20, func() {
		table.Rewind()
		for table.Next(&s) {
		}
	}))
}

func TestNetTableOfARottenFile(t *testing.T) {
	littleEndian(t)
	content := strings.Join([]string{"  sl  local_address rem_address   st", rowTCP, "garbage",
		"9: 0100007F:0001", strings.Repeat("x", 100<<10), rowTCP6, rowRaw[:40]}, "\n")
	table := openFixture(t, content)
	require.Len(t, readTable(t, table), 2)
	require.NotZero(t, table.Malformed())
	before := table.Malformed()
	require.Len(t, readTable(t, table), 2, "and again")
	require.Equal(t, 2*before, table.Malformed())
}

func TestNetTableWithoutRows(t *testing.T) {
	require.Empty(t, readTable(t, openFixture(t, "")))
	require.Empty(t, readTable(t, openFixture(t, "  sl  local_address\n")))
}

func TestNetTableThatIsNotThere(t *testing.T) {
	_, err := New(t.TempDir()).OpenNetTable("self", "udplite")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func openFixture(t *testing.T, content string) *NetTable {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "self", "net"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "self", "net", "tcp"), []byte(content), 0o644))
	table, err := New(root).OpenNetTable("self", "tcp")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, table.Close()) })
	return table
}
