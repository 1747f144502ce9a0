package attribution

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	gopsutil "github.com/shirou/gopsutil/v3/net"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// BenchmarkOwnerHit is what every send of a known socket costs.
func BenchmarkOwnerHit(b *testing.B) {
	cmd, sockets := holding(b, 1, "/bin/sleep")
	r := resolver(b, Config{})
	for name, sender := range map[string]int32{"cookie": 0, "sender": int32(cmd.Process.Pid)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Owner(sockets[0], sender)
			}
		})
	}
}

// BenchmarkAdopt is a first dump: 1000 sockets of 1000 processes with 20 other descriptors each.
func BenchmarkAdopt(b *testing.B) {
	p := newProc(b)
	sockets := crowd(p, 1000, 20)
	b.ReportAllocs()
	for b.Loop() {
		r := resolver(b, Config{Root: p.root})
		r.scanner.budget.credit = 1 << 60
		for _, s := range sockets {
			r.Owner(s, 0)
		}
		s := r.Stats()
		b.ReportMetric(float64(s.Descriptors), "descriptors/op")
		b.ReportMetric(float64(s.Descriptors)/(1000*21), "passes/op")
	}
}

// BenchmarkFullScan reads the descriptors of every live process of the host, 100 more with 30 sockets each included, and
// in other ways as yardsticks.
func BenchmarkFullScan(b *testing.B) {
	for range 100 {
		holding(b, 30, "/bin/sleep")
	}
	b.Run("scanner", func(b *testing.B) {
		r := resolver(b, Config{})
		require.NoError(b, r.scanner.list())
		before := r.Stats().Descriptors
		b.ReportAllocs()
		for b.Loop() {
			r.scanner.scanAll(quest{began: sinceBoot()})
		}
		n := float64(r.Stats().Descriptors-before) / float64(b.N)
		b.ReportMetric(n, "descriptors/op")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/descriptor")
	})
	b.Run("os.ReadDir", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dirs, _ := filepath.Glob("/proc/[0-9]*/fd")
			for _, dir := range dirs {
				entries, _ := os.ReadDir(dir)
				for _, e := range entries {
					_, _ = os.Readlink(dir + "/" + e.Name())
				}
			}
		}
	})
	b.Run("gopsutil", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = gopsutil.ConnectionsWithoutUids("all")
		}
	})
}

// BenchmarkEssentials is what the first sight of a process costs its source; a bare reading of stat beside it.
func BenchmarkEssentials(b *testing.B) {
	cmd, _ := holding(b, 1, "/bin/sleep")
	pid := int32(cmd.Process.Pid)
	r := resolver(b, Config{})
	id := identity(b, r, pid)
	b.Run("essentials", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p, err := r.fs.OpenPID(pid)
			require.NoError(b, err)
			_, _, err = r.essentials(subject{id: id}, p, &r.scanner.buffer)
			require.NoError(b, err)
			p.Close()
		}
	})
	b.Run("stat", func(b *testing.B) {
		path := "/proc/" + strconv.Itoa(int(pid)) + "/stat"
		buffer := make([]byte, 4096)
		b.ReportAllocs()
		for b.Loop() {
			fd, _ := unix.Open(path, unix.O_RDONLY, 0)
			_, _ = unix.Read(fd, buffer)
			unix.Close(fd)
		}
	})
}

// BenchmarkScript is part of the first sight of an interpreter.
func BenchmarkScript(b *testing.B) {
	argv := []string{"python3", "-W", "ignore", "-u", "../bin/agent.py", "--verbose"}
	b.ReportAllocs()
	for b.Loop() {
		process.Script("/usr/bin/python3.11", argv, "/srv/agent")
	}
}
