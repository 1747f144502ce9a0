// Package coverage is the monitoring coverage test: harmless senders in the shapes of what the analytic is about, and the
// judgement whether the tables yielded reviewable evidence of each. It starts processes of its own only, sends bytes without
// meaning to addresses of its own or to a sink that was named, and is bounded in count and time. It asks nobody itself.
package coverage

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// Shape is one kind of suspicious sender.
type Shape struct {
	Name string
	// What it imitates, and the technique of ATT&CK that is.
	What, Technique string
	// Scope of the candidate it must yield: destination or process.
	Scope string
	// Tool is the program that sends: "" for a copy of our own, else curl or python3.
	Tool string
	// Each: a new process for every check-in, this far apart; 0 for one process.
	Each time.Duration
	// Sender is what a process does. Its address is filled in by Place.
	Sender simulate.SenderConfig
	// Ports is how many destinations it needs.
	Ports int
	// Addresses are where they are.
	Addresses []string
}

// Shapes are all kinds. Compressed time has a check-in every second or two; real time has one a minute.
func Shapes(compressed bool, watch time.Duration) []Shape {
	every := func(short, long time.Duration) time.Duration {
		if compressed {
			return short
		}
		return long
	}
	tcp := func(interval time.Duration, jitter float64, size int, reconnect bool) simulate.SenderConfig {
		return simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp4", Interval: interval, Jitter: jitter, Size: size, Reconnect: reconnect, Count: 10_000, For: watch}
	}
	once := func(size int) simulate.SenderConfig {
		return simulate.SenderConfig{Shape: simulate.Once, Network: "tcp4", Size: size, Count: 1, For: watch}
	}
	dns := tcp(every(1400*time.Millisecond, 30*time.Second), 0.05, 44, false)
	dns.Network = "udp4"
	chunks := tcp(every(900*time.Millisecond, 5*time.Second), 0, 64<<10, false)
	chunks.Shape = simulate.Chunks
	return []Shape{
		{Name: "timer-curl", What: "a timer that starts curl", Technique: "T1053", Scope: "destination", Tool: "curl",
			Each: every(2*time.Second, time.Minute), Sender: once(180), Ports: 1},
		{Name: "python-loop", What: "a python script that connects, sends and sleeps", Technique: "T1059.006", Scope: "destination", Tool: "python3",
			Sender: tcp(every(1700*time.Millisecond, 45*time.Second), 0, 222, true), Ports: 1},
		{Name: "jittered-implant", What: "an implant on one connection, 20 % of jitter", Technique: "T1071", Scope: "destination",
			Sender: tcp(every(1900*time.Millisecond, time.Minute), 0.2, 151, false), Ports: 1},
		{Name: "chunked-exfiltration", What: "chunks of 64 KiB at one pace over one connection", Technique: "T1030", Scope: "destination", Sender: chunks, Ports: 1},
		{Name: "udp-dns", What: "datagrams of the size of DNS questions", Technique: "T1071.004", Scope: "destination", Sender: dns, Ports: 1},
		{Name: "short-lived", What: "a new process for each check-in, gone in milliseconds", Technique: "T1029", Scope: "destination",
			Each: every(2300*time.Millisecond, time.Minute), Sender: once(96), Ports: 1},
		{Name: "rotating-destinations", What: "one rhythm over many servers", Technique: "T1008", Scope: "process",
			Sender: tcp(every(1100*time.Millisecond, 20*time.Second), 0.1, 133, true), Ports: 8},
	}
}

// basePort is the first of those that the shapes use on a sink.
const basePort = 42_700

// Ports is how many ports a sink needs.
func Ports() (n int) {
	for _, s := range Shapes(true, time.Second) {
		n += s.Ports
	}
	return n
}

// Place gives every shape its destinations: at one host on consecutive ports from first on, or, where hosts are several, each
// at the next one. first 0 means the usual.
func Place(shapes []Shape, hosts []netip.Addr, first uint16) error {
	if len(hosts) == 0 {
		return fmt.Errorf("coverage: no address to send to")
	}
	if first == 0 {
		first = basePort
	}
	if int(first)+Ports() > 1<<16 {
		return fmt.Errorf("coverage: port %d leaves no room for %d more", first, Ports()-1)
	}
	port := first
	for i := range shapes {
		s := &shapes[i]
		s.Addresses = nil
		for n := range s.Ports {
			s.Addresses = append(s.Addresses, netip.AddrPortFrom(hosts[n%len(hosts)], port).String())
			port++
		}
		s.Sender.Address, s.Sender.Seed = s.Addresses[0], uint64(i+1)
	}
	return nil
}
