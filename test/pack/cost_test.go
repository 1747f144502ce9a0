package pack

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/pack"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost/standin"
	"github.com/beaconwatch/beaconwatch/test/scene"
)

// budget is the share of one core that all scheduled queries together may take.
const budget = 0.01

// TestCost runs every scheduled query against a sensor that holds 1 000 connections of 250 programs, 40 of which beacon, and adds
// up what each costs per second of its interval: CPU time of both ends of the protocol, osquery's and the extension's.
// What osquery's own tables cost in osquery is not in it: the stand-ins answer from memory.
func TestCost(t *testing.T) {
	s := scene.New(t)
	s.Play(crowd()...)
	o := scene.NewOsqueryd(t, busyHost())
	o.Extend(t, s.Deps())
	queries := shipped(t)
	var total float64
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		q := queries[name]
		if q.Pack == pack.Policy {
			continue
		}
		rows := run(t, o, name) // once to warm up
		const runs = 10
		before := cpu(t)
		for range runs {
			run(t, o, name)
		}
		cost := (cpu(t) - before) / runs
		share := cost.Seconds() / float64(q.Interval)
		total += share
		t.Logf("%-28s %4d rows  %7.2f ms every %5d s  %.4f %% of a core", name, len(rows), float64(cost.Microseconds())/1000, q.Interval, 100*share)
	}
	t.Logf("all together %.4f %% of a core; the budget is %.0f %%", 100*total, 100*budget)
	require.Less(t, total, budget/10, "a tenth of the budget, so that a busier machine than this one stays within it")
}

// cpu is the CPU time this process has taken, getrusage(2).
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// crowd is 1 000 pairs with 100 sends each.
func crowd() []scene.Flow {
	chance := rand.New(rand.NewPCG(1, 2))
	var all []scene.Flow
	for i := range 1000 {
		f := scene.Flow{Program: process.Program{Path: fmt.Sprintf("/usr/lib/app%d/bin/service", i%250), UID: uint32(i % 7), Workload: fmt.Sprintf("app%d.service", i%250)},
			PID: int32(1000 + i%250), To: []string{fmt.Sprintf("198.51.%d.%d:443", 100+i/250, 1+i%250)}, Count: 1, Every: time.Minute}
		if i%25 == 0 { // a beacon
			f.Count, f.Bytes = 100, 300
			all = append(all, f)
			continue
		}
		for range 100 {
			f.Bytes, f.Until = 50+chance.Uint64N(2000), time.Now().Add(-time.Duration(chance.Int64N(int64(2*time.Hour))))
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b scene.Flow) int { return a.Until.Compare(b.Until) })
	return all
}

// busyHost are rows of osquery's tables on a server: 400 processes, 60 listening sockets, 300 units.
func busyHost() map[string]standin.Rows {
	table := func(n int, key string, row func(i int) map[string]string) standin.Rows {
		all := make([]map[string]string, n)
		for i := range all {
			all[i] = row(i)
		}
		return func(equals map[string]string) []map[string]string {
			if equals[key] == "" {
				return all
			}
			i := slices.IndexFunc(all, func(r map[string]string) bool { return r[key] == equals[key] })
			if i < 0 {
				return nil
			}
			return all[i : i+1]
		}
	}
	return map[string]standin.Rows{
		"processes": table(400, "pid", func(i int) map[string]string {
			return map[string]string{"pid": strconv.Itoa(1000 + i), "path": fmt.Sprintf("/usr/lib/app%d/bin/service", i), "on_disk": "1", "cwd": "/", "state": "S"}
		}),
		"hash": table(250, "path", func(i int) map[string]string {
			return map[string]string{"path": fmt.Sprintf("/usr/lib/app%d/bin/service", i), "sha256": fmt.Sprintf("%064d", i)}
		}),
		"users": table(50, "uid", func(i int) map[string]string { return map[string]string{"uid": strconv.Itoa(i), "shell": "/bin/sh"} }),
		"listening_ports": table(60, "", func(i int) map[string]string {
			return map[string]string{"pid": strconv.Itoa(1000 + i), "port": strconv.Itoa(8000 + i), "address": "::"}
		}),
		"crontab": table(30, "", func(i int) map[string]string {
			return map[string]string{"command": fmt.Sprintf("root /usr/lib/job%d", i), "path": "/etc/crontab"}
		}),
		"systemd_units": table(300, "", func(i int) map[string]string {
			return map[string]string{"id": fmt.Sprintf("app%d.service", i), "active_state": "active"}
		}),
	}
}
