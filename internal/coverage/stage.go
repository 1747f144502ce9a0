package coverage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// Plan is what a stage plays: it is read from the standard input of a process of its own, which may be in a network
// namespace of its own.
type Plan struct {
	Shapes []Shape
	// Paths are the executables by shape; SenderCommand is the word that makes a copy of our own a sender.
	Paths         map[string]string
	SenderCommand string
	// Own are addresses to give to the loopback interface of a namespace of its own; empty outside one.
	Own []netip.Addr
	// Sinks: the far ends are the stage's too.
	Sinks bool
	// Watch bounds the play.
	Watch time.Duration
}

// Event is what a stage tells: a process it started, a check-in it sent, or that all is ready.
type Event struct {
	Shape   string     `json:"shape,omitempty"`
	Ready   bool       `json:"ready,omitempty"`
	Process process.ID `json:"process,omitzero"`
	Sent    int        `json:"sent,omitempty"` // bytes
}

// stage is a play under way.
type stage struct {
	Plan
	mu  sync.Mutex // guards out
	out *json.Encoder
}

// Play plays a plan until its time is over or ctx ends, and tells events as JSON lines. It waits for every process it
// started.
func Play(ctx context.Context, p Plan, events io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, p.Watch)
	defer cancel()
	s := &stage{Plan: p, out: json.NewEncoder(events)}
	if len(p.Own) > 0 {
		if err := ownAddresses(p.Own); err != nil {
			return err
		}
	}
	var all sync.WaitGroup
	defer all.Wait()
	var failed error
	var once sync.Once
	fail := func(err error) {
		if err != nil && ctx.Err() == nil {
			once.Do(func() { failed = err })
			cancel()
		}
	}
	if p.Sinks {
		for _, shape := range p.Shapes {
			for _, address := range shape.Addresses {
				run, err := FarEnd(ctx, shape, address)
				if err != nil {
					return err
				}
				all.Go(func() { fail(run(ctx)) })
			}
		}
	}
	s.tell(Event{Ready: true})
	for _, shape := range p.Shapes {
		all.Go(func() { fail(s.play(ctx, shape)) })
	}
	all.Wait()
	return failed
}

func (s *stage) tell(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.out.Encode(e) // whoever reads it is gone only if the run is
}

// FarEnd opens what a shape sends to. curl needs an answer, the others do not.
func FarEnd(ctx context.Context, s Shape, address string) (func(context.Context) error, error) {
	if s.Tool != "curl" {
		sink, err := simulate.Listen(ctx, s.Sender.Network, address)
		if err != nil {
			return nil, err
		}
		return sink.Run, nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", address)
	if err != nil {
		return nil, fmt.Errorf("coverage: %w", err)
	}
	server := &http.Server{ReadTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 1<<20)) // how much came is the sender's record
	})}
	return func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { server.Close() })()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}, nil
}

// play runs a shape's program once, or once for each check-in.
func (s *stage) play(ctx context.Context, shape Shape) error {
	if shape.Each == 0 {
		return s.spawn(ctx, shape)
	}
	tick := time.NewTicker(shape.Each)
	defer tick.Stop()
	for {
		if err := s.spawn(ctx, shape); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// spawn runs one process of a shape to its end.
func (s *stage) spawn(ctx context.Context, shape Shape) error {
	if ctx.Err() != nil {
		return nil
	}
	cmd, counted := s.command(ctx, shape)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("coverage: %s: %w", shape.Name, err)
	}
	s.tell(Event{Shape: shape.Name, Process: identity(cmd.Process.Pid)})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if counted {
			s.tell(Event{Shape: shape.Name, Sent: max(shape.Sender.Size, 1)})
		}
	}
	err = cmd.Wait()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("coverage: %s: %w: %s", shape.Name, err, strings.TrimSpace(trouble.String()))
	}
	return nil
}

// command is the program of a shape; counted says that it prints a line for each check-in.
func (s *stage) command(ctx context.Context, shape Shape) (cmd *exec.Cmd, counted bool) {
	host, port, _ := net.SplitHostPort(shape.Addresses[0])
	switch shape.Tool {
	case "curl":
		return exec.CommandContext(ctx, s.Paths[shape.Name], "-s", "-S", "-m", "2", "-w", "sent\\n", "-d", strings.Repeat("x", shape.Sender.Size), "http://"+shape.Addresses[0]+"/"), true
	case "python3":
		script := filepath.Join(filepath.Dir(s.Paths["jittered-implant"]), "collect.py")
		return exec.CommandContext(ctx, s.Paths[shape.Name], script, host, port, strconv.Itoa(shape.Sender.Size),
			strconv.FormatFloat(shape.Sender.Interval.Seconds(), 'f', 3, 64), strconv.Itoa(int(s.Watch.Seconds()))), true
	}
	cmd = exec.CommandContext(ctx, s.Paths[shape.Name], s.SenderCommand)
	text, err := json.Marshal(SenderPlan{shape.Sender, shape.Addresses})
	if err == nil {
		cmd.Stdin = bytes.NewReader(text)
	}
	return cmd, true
}

// SenderPlan is what a copy of our own reads: a sender, and the addresses it goes round if they are several.
type SenderPlan struct {
	simulate.SenderConfig
	Rotate []string
}

// Loop is the script of the python shape.
const Loop = `import socket, sys, time
host, port, size, pause, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])
end = time.monotonic() + limit
while time.monotonic() < end:
    began = time.monotonic()
    with socket.create_connection((host, port), 2) as s:
        s.sendall(b"x" * size)
        time.sleep(0.2)
    print("sent", flush=True)
    time.sleep(max(0, pause - (time.monotonic() - began)))
`

// identity is which process has that PID; it is a child not waited for, so the PID is still its own.
func identity(pid int) process.ID {
	id := process.ID{PID: int32(pid)}
	p, err := procfs.New("/proc").OpenPID(id.PID)
	if err != nil {
		return id
	}
	defer p.Close()
	var (
		b    procfs.Buffer
		stat procfs.PIDStat
	)
	if p.Stat(&b, &stat) == nil {
		id.StartTicks = stat.StartTicks
	}
	return id
}
