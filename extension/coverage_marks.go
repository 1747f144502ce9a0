package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/pulse"
)

// coverageMarks says which processes belong to a coverage test, by PID and start: an implant that borrows the name, the
// arguments or the port of one, or is a child of one, does not.
type coverageMarks struct{ current atomic.Pointer[coverageRun] }

// coverageRun is one run as it is written beside the sensor's socket, where only the sensor's user may write.
type coverageRun struct {
	Run       string       `json:"run"`
	Processes []process.ID `json:"processes"`

	members map[process.ID]bool
}

const (
	coverageRunFile  = "coverage-run.json"
	maxCoverageBytes = 1 << 20
)

// set takes over a run.
func (m *coverageMarks) set(run string, processes []process.ID) {
	r := &coverageRun{Run: run, Processes: processes, members: make(map[process.ID]bool, len(processes))}
	for _, id := range processes {
		r.members[id] = true
	}
	m.current.Store(r)
}

// of is the run a process belongs to, "" for none.
func (m *coverageMarks) of(id process.ID) string {
	if r := m.current.Load(); r != nil && r.members[id] {
		return r.Run
	}
	return ""
}

// run is the latest run, "" for none.
func (m *coverageMarks) run() string {
	if r := m.current.Load(); r != nil {
		return r.Run
	}
	return ""
}

// follow reads the run beside the socket whenever it changes.
func (m *coverageMarks) follow(ctx context.Context, path string, failed func(error)) {
	var last time.Time
	for pulse.Wait(ctx, time.Second) {
		info, err := os.Lstat(path)
		if err != nil || info.ModTime().Equal(last) {
			continue // there is no run, as nearly always
		}
		last = info.ModTime()
		run, err := readCoverageRun(path)
		if err != nil {
			failed(err)
			continue
		}
		m.set(run.Run, run.Processes)
	}
}

// readCoverageRun reads a run that nobody but root or ourselves can have written.
func readCoverageRun(path string) (run coverageRun, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return run, fmt.Errorf("coverage run: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return run, fmt.Errorf("coverage run: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || !info.Mode().IsRegular() || info.Size() > maxCoverageBytes:
		return run, fmt.Errorf("coverage run %s: it is no regular file of at most %d bytes", path, maxCoverageBytes)
	case int(stat.Uid) != 0 && int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0:
		return run, fmt.Errorf("coverage run %s: others may write it", path)
	}
	if err := json.NewDecoder(io.LimitReader(f, maxCoverageBytes)).Decode(&run); err != nil {
		return run, fmt.Errorf("coverage run %s: %w", path, err)
	}
	return run, nil
}

// coverageRunPath is where the sensor of a socket looks for a run.
func coverageRunPath(socket string) string {
	return filepath.Join(filepath.Dir(socket), coverageRunFile)
}

// errNotMarked says that the running sensor cannot be told which processes are the test's.
var errNotMarked = errors.New("the running sensor belongs to another user: its rows will not be marked with coverage_run")

// writeCoverageRun tells the running sensor.
func writeCoverageRun(socket, run string, processes []process.ID) error {
	err := writeWhole(coverageRunPath(socket), nil, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(coverageRun{Run: run, Processes: processes})
	})
	if errors.Is(err, os.ErrPermission) {
		return errNotMarked
	}
	return err
}

// following is the part that learns of coverage tests. Only the sensor that serves the socket looks beside it.
func (in *instrument) following(socket string) func(context.Context) error {
	return func(ctx context.Context) error {
		if in.stateDir != "" {
			in.marks.follow(ctx, coverageRunPath(socket), in.sensor.Fail)
		}
		return nil
	}
}
