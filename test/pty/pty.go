// Package pty gives tests a terminal, pty(7): what a program does there it does for a person.
package pty

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// patience is how long Expect waits.
const patience = 10 * time.Second

// Terminal is a pseudo-terminal. Slave is the end for the program, Master that of the person.
type Terminal struct {
	Master, Slave *os.File

	t    testing.TB
	mu   sync.Mutex // guards seen
	seen bytes.Buffer
	more chan struct{} // something has been seen
}

// New returns a terminal of that size, which is closed when the test ends.
func New(t testing.TB, columns, rows uint16) *Terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		need.Skip(t, "no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { slave.Close() })
	term := &Terminal{Master: master, Slave: slave, t: t, more: make(chan struct{}, 1)}
	go term.watch()
	return term
}

// watch reads what is written until nobody has the other end open.
func (term *Terminal) watch() {
	buffer := make([]byte, 4096)
	for {
		n, err := term.Master.Read(buffer)
		term.mu.Lock()
		term.seen.Write(buffer[:n])
		term.mu.Unlock()
		select {
		case term.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// Type types keys.
func (term *Terminal) Type(keys string) {
	term.t.Helper()
	_, err := term.Master.WriteString(keys)
	require.NoError(term.t, err)
}

// Expect waits until text is written, and returns what was up to its end and has not been returned before.
func (term *Terminal) Expect(text string) string {
	term.t.Helper()
	late := time.After(patience)
	for {
		term.mu.Lock()
		seen := term.seen.String()
		if i := strings.Index(seen, text); i >= 0 {
			term.seen.Next(i + len(text))
			term.mu.Unlock()
			return seen[:i+len(text)]
		}
		term.mu.Unlock()
		select {
		case <-term.more:
		case <-late:
			term.t.Fatalf("%q is not in %q", text, seen)
		}
	}
}
