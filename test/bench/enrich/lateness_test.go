// Package enrich_test measures what finding out about processes costs those who wait for samples.
package enrich_test

import (
	"bufio"
	"context"
	_ "embed"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/attribution"
	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/checkpoint"
	"github.com/beaconwatch/beaconwatch/internal/enrichment"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/source"
	"github.com/beaconwatch/beaconwatch/test/need"
)

const (
	// period is the distance of samples: a fifth of the sensor's default, so that a period late is five times less.
	period = 20 * time.Millisecond
	// rate is how many processes begin in a second, watch for how long.
	rate  = 1000
	watch = 4 * time.Second
	// programs are the files they run.
	programs = 20
)

// flood is a program in C, so that starting a process costs as little as it can: it starts them at the rate and prints their
// PIDs. Each connects to a port and stays for 50 ms, every tenth as another program.
//
//go:embed testdata/flood.c
var flood []byte

// lateness is how much later than a period after the last each sample ended.
type lateness []time.Duration

func (l lateness) percentile(p float64) time.Duration {
	sorted := slices.Sorted(slices.Values(l))
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}

// outcome is what one flood did.
type outcome struct {
	late              lateness
	samples, tooLate  uint64
	processes         int
	met, facts, drops uint64
	cpu               time.Duration
}

// sense watches a flood, with or without enrichment.
func sense(t testing.TB, enriched bool, binaries []string) outcome {
	var o outcome
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go accept(listener)

	record := checkpoint.NewFirstSeen(checkpoint.FirstSeenConfig{})
	var resolver *attribution.Resolver
	enricher, err := enrichment.New(enrichment.Config{
		Process: func(id process.ID) (process.Info, bool) { return resolver.Process(id) },
		FirstSeen: func(f process.File) (time.Time, bool) {
			seen := record.SawFile(f)
			return seen.First, seen.Initial
		},
	})
	require.NoError(t, err)
	config := attribution.Config{}
	if enriched {
		config.Met = enricher.Meet
	}
	resolver, err = attribution.New(config)
	require.NoError(t, err)
	tcp, err := source.NewTCP(source.TCPConfig{MinPeriod: period, Budget: 1})
	if err != nil {
		need.Skip(t, "%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	run := func(part func(context.Context) error) {
		parts.Go(func() { require.NoError(t, part(ctx)) })
	}
	run(resolver.Run)
	if enriched {
		run(enricher.Run)
	}
	run(func(ctx context.Context) error { return tcp.Run(ctx, func(send.Send) {}) })
	require.Eventually(t, func() bool { return tcp.Stats().Samples > 5 }, 10*time.Second, time.Millisecond)
	before, began := tcp.Stats(), cpuTime(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.processes = run1000(t, listener.Addr().(*net.TCPAddr).Port, binaries, resolver)
	}()
	o.late = observe(tcp, done)
	after := tcp.Stats()
	o.cpu = cpuTime(t) - began
	o.samples, o.tooLate = after.Samples-before.Samples, after.LateSamples-before.LateSamples
	known := enricher.Stats()
	o.facts, o.drops = known.Examined, known.Dropped
	owners := resolver.Stats()
	o.met = uint64(owners.Processes) + owners.EvictedProcesses
	cancel()
	parts.Wait()
	return o
}

// observe notes when samples end until done.
func observe(tcp *source.TCP, done <-chan struct{}) lateness {
	var late lateness
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	samples, last := tcp.Stats().Samples, time.Now()
	for {
		select {
		case <-done:
			return late
		case now := <-tick.C:
			if s := tcp.Stats().Samples; s > samples {
				late = append(late, now.Sub(last)-period*time.Duration(s-samples))
				samples, last = s, now
			}
		}
	}
}

// run1000 floods, and has each process found as the sender of something as soon as it is there, as the eBPF source does. It
// returns how many processes there were.
func run1000(t testing.TB, port int, binaries []string, r *attribution.Resolver) (n int) {
	args := append([]string{strconv.Itoa(port), strconv.Itoa(rate), strconv.Itoa(int(watch / time.Second))}, binaries[1:]...)
	cmd := exec.Command(binaries[0], args...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return 0
	}
	for lines := bufio.NewScanner(out); lines.Scan(); n++ {
		pid, err := strconv.ParseInt(lines.Text(), 10, 32)
		if err != nil {
			t.Error(err)
		}
		r.OwnerOf(&send.Send{Socket: send.Socket{Cookie: uint64(n + 1)}, Sender: int32(pid), At: boottime.Now()})
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	return n
}

// accept holds every connection until its other end closes.
func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}()
	}
}

func cpuTime(t testing.TB) time.Duration {
	var u unix.Rusage
	require.NoError(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// programmes are the flood, and programs that differ in their file only.
func programmes(t testing.TB) (paths []string) {
	source, binary := filepath.Join(t.TempDir(), "flood.c"), filepath.Join(t.TempDir(), "flood")
	require.NoError(t, os.WriteFile(source, flood, 0o644))
	if out, err := exec.Command("cc", "-O2", "-static", "-o", binary, source).CombinedOutput(); err != nil {
		need.Skip(t, "needs a C compiler: %v: %s", err, out)
	}
	paths = append(paths, binary)
	text, err := os.ReadFile("/bin/sleep")
	require.NoError(t, err)
	for n := range programs {
		path := filepath.Join(t.TempDir(), "program"+strconv.Itoa(n))
		require.NoError(t, os.WriteFile(path, text, 0o755))
		paths = append(paths, path)
	}
	return paths
}

// rounds floods in turn with and without enrichment.
func rounds(t testing.TB, again func() bool) (with, without outcome) {
	binaries := programmes(t)
	for again() {
		with.add(sense(t, true, binaries))
		without.add(sense(t, false, binaries))
	}
	return with, without
}

func (o *outcome) add(more outcome) {
	o.late = append(o.late, more.late...)
	o.samples, o.tooLate = o.samples+more.samples, o.tooLate+more.tooLate
	o.processes, o.cpu = o.processes+more.processes, o.cpu+more.cpu
	o.met, o.facts, o.drops = o.met+more.met, o.facts+more.facts, o.drops+more.drops
}

// BenchmarkLateness floods the host with 1 000 processes a second, in turn with and without enrichment, and shows how late
// samples were: percentiles, and the share that began more than a period late.
func BenchmarkLateness(b *testing.B) {
	with, without := rounds(b, b.Loop)
	for name, o := range map[string]outcome{"": with, "-bare": without} {
		b.ReportMetric(float64(o.late.percentile(0.5).Microseconds())/1000, "ms-p50"+name)
		b.ReportMetric(float64(o.late.percentile(0.99).Microseconds())/1000, "ms-p99"+name)
		b.ReportMetric(100*float64(o.tooLate)/float64(o.samples), "%late"+name)
		b.ReportMetric(float64(o.cpu.Milliseconds()), "ms-cpu"+name)
	}
	b.ReportMetric(float64(with.processes), "processes")
	b.ReportMetric(float64(with.met), "owners")
	b.ReportMetric(float64(with.facts), "examined")
	b.ReportMetric(float64(with.drops), "dropped")
}

// TestEnrichmentDelaysNoSample: the 99th percentile stays below the sensor's default period, unless the host is so busy that
// it would not without enrichment either; and everybody met is examined. What a neighbour does to one round it does not to three.
func TestEnrichmentDelaysNoSample(t *testing.T) {
	binaries := programmes(t)
	var with outcome
	delayed := true
	for round := 0; delayed && round < 3; round++ {
		with = sense(t, true, binaries)
		bare := sense(t, false, binaries).late.percentile(0.99)
		late := with.late.percentile(0.99)
		t.Logf("p99 %v with enrichment, %v without; %d processes, %d owners, %d examined", late, bare, with.processes, with.met, with.facts)
		delayed = late >= max(5*period, 2*bare)
	}
	require.False(t, delayed)
	require.Zero(t, with.drops)
	require.GreaterOrEqual(t, with.facts, with.met*9/10)
	require.GreaterOrEqual(t, with.met, uint64(with.processes*8/10))
}
