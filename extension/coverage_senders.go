package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/coverage"
	"github.com/beaconwatch/beaconwatch/internal/process"
)

// mark tells the sensor which processes are ours.
func (c *covering) mark(cfg config.Config) error {
	c.mu.Lock()
	processes := append([]process.ID(nil), c.processes...)
	c.mu.Unlock()
	if c.started != nil {
		c.started.marks.set(c.run, processes)
		return nil
	}
	return writeCoverageRun(cfg.ListenSocket, c.run, processes)
}

// play starts the stage, a process of its own, and follows what it tells. ended is closed when it is over.
func (c *covering) play(ctx context.Context, shapes []coverage.Shape, watch time.Duration) (ended <-chan struct{}, err error) {
	plan := coverage.Plan{Shapes: shapes, Paths: c.paths, SenderCommand: coverageSenderCommand, Watch: watch, Sinks: c.sink == ""}
	if c.isolated {
		for _, s := range shapes {
			for _, a := range s.Addresses {
				if addr := netip.MustParseAddrPort(a).Addr(); !slices.Contains(plan.Own, addr) {
					plan.Own = append(plan.Own, addr)
				}
			}
		}
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", coverageStageCommand)
	cmd.Stdin = bytes.NewReader(text)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if c.isolated {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("coverage: start the senders: %w", err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		c.follow(out)
		if err := cmd.Wait(); err != nil && ctx.Err() == nil {
			c.mu.Lock()
			c.ended = fmt.Errorf("coverage: the senders ended early: %w: %s", err, bytes.TrimSpace(trouble.Bytes()))
			c.mu.Unlock()
		}
	}()
	return over, nil
}

// follow takes down what the stage tells.
func (c *covering) follow(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var e coverage.Event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // what a sender prints beside its record
		}
		c.mu.Lock()
		if e.Process.PID != 0 {
			c.processes = append(c.processes, e.Process)
		}
		if e.Sent > 0 {
			c.sent[e.Shape]++
		}
		c.mu.Unlock()
	}
}

// clockState reads adjtimex(2).
func clockState() coverage.Clock {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return coverage.Clock{}
	}
	return coverage.Clock{Synchronized: state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, MaxError: time.Duration(t.Maxerror) * time.Microsecond}
}

func hostAndKernel() (host, kernel string) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", ""
	}
	return unix.ByteSliceToString(u.Nodename[:]), unix.ByteSliceToString(u.Release[:])
}
