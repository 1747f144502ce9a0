package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// part is what a sending process shall do. It records each check-in on standard output.
type part struct {
	simulate.SenderConfig
	// Hold is how long the process keeps its connection before it closes it.
	Hold time.Duration
	// Name is what the process calls itself before it sends; its own name if empty.
	Name string
	// Mapped makes it reach an IPv4 address through an AF_INET6 socket.
	Mapped bool
}

func playSender() error {
	var p part
	if err := json.NewDecoder(os.Stdin).Decode(&p); err != nil {
		return err
	}
	if p.Name != "" { // PR_SET_NAME of prctl(2), for the first thread from any of them
		if err := os.WriteFile("/proc/self/comm", []byte(p.Name), 0); err != nil {
			return err
		}
	}
	p.Record = os.Stdout
	p.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dial := new(net.Dialer).DialContext
		if p.Mapped {
			dial = dialMapped
		}
		conn, err := dial(ctx, network, address)
		return held{conn, p.Hold}, err
	}
	return simulate.Run(context.Background(), p.SenderConfig)
}

// held is a connection that is kept for a while after its last payload.
type held struct {
	net.Conn
	hold time.Duration
}

func (h held) Close() error {
	if h.hold > 0 {
		<-time.After(h.hold)
	}
	return h.Conn.Close()
}

// dialMapped connects to ::ffff:a.b.c.d, which package net would turn into plain IPv4.
func dialMapped(_ context.Context, _, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "mapped")
	defer file.Close()
	if err := unix.Connect(fd, &unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())}); err != nil {
		return nil, err
	}
	return net.FileConn(file)
}

// actor is an executable of its own, and the processes it runs as.
type actor struct {
	path    string
	where   *namespace
	attr    syscall.SysProcAttr
	records []*child
	// arguments of its processes, which mean nothing to them, and what they are told they are executed as; path if empty
	arguments []string
	argv0     string
}

// newActor makes an executable with that name.
func newActor(t *testing.T, where *namespace, name string) *actor {
	t.Helper()
	a := &actor{path: filepath.Join(room(t), name), where: where}
	require.NoError(t, os.Link(filepath.Join(workshop, "actor"), a.path))
	return a
}

// send starts a process of the actor that sends.
func (a *actor) send(t *testing.T, p part) *child {
	t.Helper()
	return a.play(t, "sender", p)
}

// play starts a process of the actor in a role that reads its part from standard input.
func (a *actor) play(t *testing.T, role string, p any) *child {
	t.Helper()
	text, err := json.Marshal(p)
	require.NoError(t, err)
	cmd := exec.Command(a.path, a.arguments...)
	if a.argv0 != "" {
		cmd.Args[0] = a.argv0
	}
	cmd.Stdin = bytes.NewReader(text)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	attr := a.attr
	cmd.SysProcAttr = &attr
	c := launch(t, a.where, cmd)
	a.records = append(a.records, c)
	return c
}

// finish waits until every process of the actor has ended well.
func (a *actor) finish(t *testing.T, limit time.Duration) {
	t.Helper()
	for _, c := range a.records {
		require.Zero(t, c.wait(t, limit), "%s", c.errors)
	}
}

// sent is the actor's record so far, over all its processes in the order they started.
func (a *actor) sent(t *testing.T) []simulate.Sent {
	t.Helper()
	var all []simulate.Sent
	for _, c := range a.records {
		all = append(all, sentBy(t, c)...)
	}
	return all
}

// sentBy is the record of one process.
func sentBy(t *testing.T, c *child) []simulate.Sent {
	t.Helper()
	var all []simulate.Sent
	for line := range strings.Lines(c.out.String()) {
		var s simulate.Sent
		require.NoError(t, json.Unmarshal([]byte(line), &s), line)
		all = append(all, s)
	}
	return all
}

// bytesOf sums a record.
func bytesOf(record []simulate.Sent) (sum int) {
	for _, s := range record {
		sum += s.Bytes
	}
	return sum
}

// medianGap is the median distance between the check-ins of a record, in milliseconds.
func medianGap(record []simulate.Sent) float64 {
	var gaps []float64
	for i := 1; i < len(record); i++ {
		gaps = append(gaps, float64(record[i].UnixNano-record[i-1].UnixNano)/1e6)
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// sink opens a far end for TCP at address in a namespace until the test ends, and returns address and port.
func sink(t *testing.T, where *namespace, address string) string {
	t.Helper()
	return sinkFor(t, where, "tcp", address)
}

// sinkFor is sink for another network, as net.Listen has them.
func sinkFor(t *testing.T, where *namespace, network, address string) string {
	t.Helper()
	var s *simulate.Sink
	var err error
	where.do(t, func() { s, err = simulate.Listen(t.Context(), network, net.JoinHostPort(address, "0")) })
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return s.Addr().String()
}

// portOf is the port of an address.
func portOf(t *testing.T, address string) string {
	t.Helper()
	to, err := netip.ParseAddrPort(address)
	require.NoError(t, err)
	return strconv.Itoa(int(to.Port()))
}

// quoted writes an SQL string.
func quoted(s string) string { return fmt.Sprintf("'%s'", strings.ReplaceAll(s, "'", "''")) }
