package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// killsVariable is how often TestKilledSensorLeavesNothing kills, default 20; make test-kills does it 100 times.
const killsVariable = "BEACONWATCH_KILLS"

// TestKilledSensorLeavesNothing: the sensor is killed with -9 in the middle of traffic and started again, many times. None of the
// programs, maps and links it held outlives it, no descriptors add up, and it keeps no namespace.
func TestKilledSensorLeavesNothing(t *testing.T) {
	kills := 20
	if n, err := strconv.Atoi(os.Getenv(killsVariable)); err == nil {
		kills = n
	}
	host, outside := network(t)
	to, toUDP := sink(t, outside, public4), sinkFor(t, outside, "udp", public4)
	busy := newActor(t, host, "busy")
	keepBusy := func() { // a process lives for 100 s at most
		for _, p := range []simulate.SenderConfig{{Network: "tcp", Address: to, Reconnect: true}, {Network: "udp", Address: toUDP}} {
			p.Shape, p.Interval, p.Size, p.Count, p.For = simulate.Beat, 2*time.Millisecond, 100, 1_000_000, lifetime-10*time.Second
			busy.send(t, part{SenderConfig: p})
		}
	}
	dir := room(t)
	short := newNamespace(t) // one that is to go; its end of the pair goes with it
	host.ip(t, "link add w0 type veth peer name w1 netns %s", short.path())
	short.ip(t, "link set lo up")
	inside := newActor(t, short, "inside").send(t, part{SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "udp",
		Address: "127.0.0.1:9", Interval: 10 * time.Millisecond, Size: 10, Count: 1_000_000, For: lifetime}})
	var all objects
	var first int
	for i := range kills {
		if i%40 == 0 {
			keepBusy()
		}
		s := startSensor(t, nil, dir, "--level", "L3")
		s.standsOn(t, "L3")
		require.Eventually(t, func() bool { // it works
			return number(t, one(t, s, "SELECT sum(events) AS n FROM beacon_sensor_sources WHERE source = 'ebpf'"), "n") > 0
		}, patience, 10*time.Millisecond)
		now := heldBy(t, s.pid())
		require.NotEmpty(t, now.programs)
		require.NotEmpty(t, now.links)
		require.False(t, now.gone())
		all.add(now)
		if i == 0 {
			first = now.descriptors
		}
		require.InDelta(t, first, now.descriptors, 20, "what a sensor holds open at its start does not add up")
		s.kill()
	}
	require.Eventually(t, all.gone, patience, 50*time.Millisecond, "the kernel still holds %v", &all)
	inside.kill()
	require.NoError(t, short.file.Close())
	require.Eventually(t, func() bool {
		var err error
		host.do(t, func() { _, err = net.InterfaceByName("w0") })
		return err != nil
	}, patience, 50*time.Millisecond, "a namespace is still there")
	t.Logf("killed %d times: %d programs, %d maps and %d links are gone", kills, len(all.programs), len(all.maps), len(all.links))
}

// objects is what a process holds of the kernel's three kinds of BPF objects, and how many descriptors in all.
type objects struct {
	programs    []ebpf.ProgramID
	maps        []ebpf.MapID
	links       []link.ID
	descriptors int
}

// heldBy reads /proc/PID/fdinfo (proc_pid_fdinfo(5)).
func heldBy(t *testing.T, pid int) (h objects) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fdinfo", pid)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	h.descriptors = len(entries)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		require.NoError(t, err)
		ids := map[string]uint64{}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, ":")
			if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32); err == nil {
				ids[name] = n
			}
		}
		switch { // a link also tells its program's id
		case ids["link_id"] > 0:
			h.links = append(h.links, link.ID(ids["link_id"]))
		case ids["prog_id"] > 0:
			h.programs = append(h.programs, ebpf.ProgramID(ids["prog_id"]))
		case ids["map_id"] > 0:
			h.maps = append(h.maps, ebpf.MapID(ids["map_id"]))
		}
	}
	return h
}

func (h *objects) add(more objects) {
	h.programs = append(h.programs, more.programs...)
	h.maps = append(h.maps, more.maps...)
	h.links = append(h.links, more.links...)
}

// gone reports whether the kernel has none of them any more; it frees them some time after their last descriptor.
func (h *objects) gone() bool {
	left := objects{programs: leftOf(h.programs, ebpf.NewProgramFromID), maps: leftOf(h.maps, ebpf.NewMapFromID),
		links: leftOf(h.links, link.NewFromID)}
	return len(left.programs)+len(left.maps)+len(left.links) == 0
}

// leftOf opens objects by their ids, and returns those that are there.
func leftOf[ID any, O interface{ Close() error }](ids []ID, open func(ID) (O, error)) (left []ID) {
	for _, id := range ids {
		if o, err := open(id); err == nil {
			_ = o.Close()
			left = append(left, id)
		}
	}
	return left
}
