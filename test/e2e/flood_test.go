package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// wholeFlood makes TestFlood as large as the one that the sensor is made for.
var wholeFlood = flag.Bool("flood", false, "flood the sensor with 100 000 connections from 10 000 processes")

// wave is a process of a hostile user: it forks Processes children, each of which connects to PerProcess destinations of its
// own, counted from First, sends a few bytes to each and keeps all connections until the wave ends.
type wave struct {
	First                 netip.Addr
	Port                  uint16
	Processes, PerProcess int
}

// playWave makes the children without exec(2): ten thousand processes of a Go program would not fit into memory. A child may
// make system calls and nothing else, for it has none of the threads of the runtime.
func playWave() error {
	var w wave
	if err := json.NewDecoder(os.Stdin).Decode(&w); err != nil {
		return err
	}
	to := make([]unix.RawSockaddrInet4, w.PerProcess)
	hold, done := make([]int, 2), make([]int, 2)
	for _, p := range [][]int{hold, done} {
		if err := unix.Pipe(p); err != nil {
			return err
		}
	}
	addr := w.First
	for range w.Processes {
		for i := range to {
			to[i] = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: w.Port<<8 | w.Port>>8, Addr: addr.As4()}
			addr = addr.Next()
		}
		if errno := fork(to, hold, done); errno != 0 {
			return fmt.Errorf("fork: %w", errno)
		}
	}
	for n, buffer := 0, make([]byte, 4096); n < w.Processes; {
		read, err := unix.Read(done[0], buffer)
		if err != nil && err != unix.EINTR {
			return err
		}
		n += max(read, 0)
	}
	fmt.Println("all connected")
	<-context.Background().Done() // until it is killed: its end of hold closes, and the children end
	return nil
}

// fork makes one child. The parent returns at once.
//
//go:nosplit
func fork(to []unix.RawSockaddrInet4, hold, done []int) syscall.Errno {
	var payload [64]byte
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return errno
	}
	syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(hold[1]), 0, 0)
	for i := range to {
		fd, _, errno := syscall.RawSyscall(syscall.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0)
		if errno != 0 {
			continue
		}
		syscall.RawSyscall(syscall.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&to[i])), unix.SizeofSockaddrInet4)
		syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&payload)), 64)
	}
	syscall.RawSyscall(syscall.SYS_WRITE, uintptr(done[1]), uintptr(unsafe.Pointer(&payload)), 1)
	syscall.RawSyscall(syscall.SYS_READ, uintptr(hold[0]), uintptr(unsafe.Pointer(&payload)), 1)
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// playDrain accepts connections without a goroutine for each, and keeps the newest ten thousand of them.
func playDrain() error {
	var address string
	if err := json.NewDecoder(os.Stdin).Decode(&address); err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(int(file.Fd()), false); err != nil {
		return err
	}
	fmt.Println("listening")
	var kept [10_000]int
	for i := 0; ; {
		fd, _, err := unix.Accept(int(file.Fd()))
		switch err {
		case nil:
		case unix.EINTR, unix.ECONNABORTED:
			continue
		default:
			return err
		}
		if kept[i] != 0 {
			_ = unix.Close(kept[i]) // it was our own
		}
		kept[i] = fd
		i = (i + 1) % len(kept)
	}
}

// TestFlood: a hostile user opens many times more connections, to as many destinations, than the sensor can remember, while a
// beacon runs. It is found all the same, memory stays below the ceiling, and the query that looks for tampering tells.
func TestFlood(t *testing.T) {
	for level, interval := range map[string]time.Duration{
		"L3": 500 * time.Millisecond,
		"L0": time.Second, // with so many sockets a look costs more, and whose a short connection was may stay unknown
	} {
		t.Run(level, func(t *testing.T) { flood(t, level, interval) })
	}
}

func flood(t *testing.T, level string, interval time.Duration) {
	waves, processes, each := 20, 50, 20
	if *wholeFlood {
		waves, processes, each = 100, 100, 10
	}
	host, outside := network(t)
	outside.ip(t, "route add local 198.18.0.0/15 dev lo")
	drain := newActor(t, outside, "drain").play(t, "drain", "0.0.0.0:443")
	require.Eventually(t, func() bool { return contains(drain.out, "listening") }, patience, 10*time.Millisecond)
	s := newSensor(t, host, "--level", level)

	beacon := newActor(t, host, "beacon")
	beats := beacon.send(t, part{Hold: 100 * time.Millisecond, SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4), Reconnect: true,
		Interval: interval, Size: 151, Count: 1_000_000, For: lifetime}})
	require.Eventually(t, func() bool { return len(sentBy(t, beats)) >= 5 }, patience, 50*time.Millisecond)

	began := time.Now()
	first := netip.MustParseAddr("198.18.0.1")
	var crowd []*child
	for i := range waves {
		a := newActor(t, host, fmt.Sprintf("wave-%d", i))
		a.attr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
		crowd = append(crowd, a.play(t, "wave", wave{First: first, Port: 443, Processes: processes, PerProcess: each}))
		for range processes * each {
			first = first.Next()
		}
	}
	for _, c := range crowd {
		require.Eventually(t, func() bool { return contains(c.out, "all connected") }, lifetime, 50*time.Millisecond)
	}
	t.Logf("%d connections of %d processes in %s", waves*processes*each, waves*processes, time.Since(began))
	beaten := len(sentBy(t, beats))
	require.Eventually(t, func() bool { return len(sentBy(t, beats)) >= beaten+10 }, lifetime, 50*time.Millisecond)
	who := "path = " + quoted(beacon.path)
	if level == "L0" {
		who = "remote_address = " + quoted(public4)
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		rows := ask(c, s, "SELECT path, beats, score, interval_ms FROM beacon_candidates WHERE scope = 'destination' AND "+who+" ORDER BY score DESC")
		require.NotEmpty(c, rows)
		require.Greater(c, number(c, rows[0], "score"), 0.5, "%v", rows)
		require.InEpsilon(c, medianGap(sentBy(t, beats)), number(c, rows[0], "interval_ms"), 0.2)
		require.LessOrEqual(c, memoryOf(c, s.pid(), "VmRSS"), ceiling)
	}, lifetime, 100*time.Millisecond) // at L0 most of its check-ins are nobody's while sampling gives way
	tampering, err := os.ReadFile("../../packs/queries/beacon_sensor_tampering.sql")
	require.NoError(t, err)
	findings := ask(t, s, string(tampering))
	require.True(t, slices.ContainsFunc(findings, func(f map[string]string) bool { return f["finding"] == "evictions" }), "%v", findings)
	t.Log(one(t, s, "SELECT evictions, tracked_pairs, unattributed_sends, lost_events, resident_size FROM beacon_sensor_status"), findings)
	t.Logf("resident %d KiB, at most %d KiB", memoryOf(t, s.pid(), "VmRSS"), memoryOf(t, s.pid(), "VmHWM"))
	require.Less(t, memoryOf(t, s.pid(), "VmHWM"), watchdog)
	requireMute(t, s.pid())
	for _, c := range crowd {
		c.kill()
	}
}
