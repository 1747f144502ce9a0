package sensor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// scripted is a source that emits one send of its size each second and is lost after a while.
type scripted struct {
	bytes  uint64
	lostAt atomic.Int64 // nanoseconds of its life, 0 for ever
	events atomic.Uint64
}

var errLost = fmt.Errorf("scripted: %w", syscall.ENOBUFS)

func (s *scripted) Run(ctx context.Context, emit func(send.Send)) error {
	start := time.Now()
	for wait(ctx, time.Second) {
		if d := time.Duration(s.lostAt.Load()); d > 0 && time.Since(start) > d {
			return errLost
		}
		s.events.Add(1)
		emit(send.Send{Socket: send.Socket{UID: 33, Remote: netip.MustParseAddrPort("192.0.2.1:443")}, Kind: send.Data, Bytes: s.bytes})
	}
	return nil
}

func (s *scripted) Stats() SourceStats { return SourceStats{Events: s.events.Load(), Gaps: 1} }

func opens(s *scripted) func() (Source, error) { return func() (Source, error) { return s, nil } }

type recorded struct {
	program process.Program
	id      process.ID
	bytes   uint64
}

func newSensor(t *testing.T, rungs []Rung, owner func(*send.Send) (process.ID, process.Program, bool)) (*Sensor, *[]recorded) {
	var got []recorded
	var mu sync.Mutex // two ladders record at once
	s, err := New(Config{
		Ladders: []Ladder{{Protocol: "tcp", Rungs: rungs}},
		Owner:   owner,
		Record: func(p process.Program, id process.ID, sd *send.Send) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, recorded{p, id, sd.Bytes})
		},
		Exclude: process.ID{PID: 99, StartTicks: 1},
		Log:     slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return s, &got
}

func known(*send.Send) (process.ID, process.Program, bool) {
	return process.ID{PID: 7, StartTicks: 3}, process.Program{Path: "/x"}, true
}

func TestTheNextSourceTakesOverAndTheBetterOneComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		best := &scripted{bytes: 1}
		best.lostAt.Store(int64(5 * time.Second))
		floor := &scripted{bytes: 2}
		refusals := 0
		s, got := newSensor(t, []Rung{
			{Name: "sock_diag", Level: "L0", Open: func() (Source, error) {
				if refusals++; refusals == 2 {
					return nil, fmt.Errorf("sock_diag: %w", syscall.EPERM) // refused once after it was lost
				}
				return best, nil
			}},
			{Name: "proc", Level: "proc", Open: opens(floor)},
		}, known)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()

		time.Sleep(3500 * time.Millisecond) // the bubble's clock, not the machine's
		require.Equal(t, "L0", s.Status().Level)
		require.Empty(t, s.Status().LevelReason)

		time.Sleep(30 * time.Second)
		st := s.Status()
		require.Equal(t, "proc", st.Level)
		require.Equal(t, "proc", st.TCPSource)
		require.Contains(t, st.LevelReason, "no buffer space")
		require.Equal(t, syscall.ENOBUFS, s.Sources()[0].RefusedErrno)

		time.Sleep(40 * time.Second) // the retry after a minute is refused
		require.Equal(t, syscall.EPERM, s.Sources()[0].RefusedErrno)
		best.lostAt.Store(0)
		time.Sleep(time.Minute)
		st = s.Status()
		require.Equal(t, "L0", st.Level)
		require.Empty(t, st.LevelReason)

		cancel()
		require.NoError(t, <-done)
		require.Equal(t, "none", s.Status().Level)
		var sizes []uint64
		for _, r := range *got {
			if len(sizes) == 0 || sizes[len(sizes)-1] != r.bytes {
				sizes = append(sizes, r.bytes)
			}
		}
		require.Equal(t, []uint64{1, 2, 1}, sizes, "one source at a time")
		require.EqualValues(t, len(*got), s.Sources()[0].Stats.Events+s.Sources()[1].Stats.Events-5, "the ended source's counters are kept once")
	})
}

// TestOnlyABetterSourceWantsAReason: why one below was refused, when it was needed, says nothing of the level.
func TestOnlyABetterSourceWantsAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var short atomic.Bool
		best := &scripted{bytes: 1}
		best.lostAt.Store(int64(5 * time.Second))
		kernel := func() (Source, error) {
			if short.Load() {
				return nil, fmt.Errorf("ebpf: %w", syscall.ENOMEM)
			}
			return best, nil
		}
		s, _ := newSensor(t, []Rung{{Name: "ebpf", Level: "L3", Open: kernel}, {Name: "ebpf", Level: "L2", Open: kernel},
			{Name: "proc", Level: "proc", Open: opens(&scripted{bytes: 2})}}, known)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(time.Second)
		short.Store(true)
		time.Sleep(7 * time.Second)
		require.Equal(t, "proc", s.Status().Level)
		require.Contains(t, s.Status().LevelReason, "cannot allocate memory")
		short.Store(false)
		best.lostAt.Store(0)
		time.Sleep(2 * time.Minute)
		require.Equal(t, "L3", s.Status().Level)
		require.Empty(t, s.Status().LevelReason)
		require.Equal(t, syscall.ENOMEM, s.Sources()[1].RefusedErrno, "the row has it all the same")
		cancel()
		require.NoError(t, <-done)
	})
}

// TestAShortageIsTriedAgainSooner than a refusal, but ever more rarely while it lasts.
func TestAShortageIsTriedAgainSooner(t *testing.T) {
	for errno, want := range map[syscall.Errno][]time.Duration{
		syscall.EPERM:  {0, time.Minute, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute},
		syscall.EMFILE: {0, 3750 * time.Millisecond, 11250 * time.Millisecond, 26250 * time.Millisecond, 56250 * time.Millisecond, 116250 * time.Millisecond, 176250 * time.Millisecond, 236250 * time.Millisecond},
	} {
		t.Run(errno.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var tried []time.Duration
				s, _ := newSensor(t, []Rung{
					{Name: "ebpf", Level: "L3", Open: func() (Source, error) {
						tried = append(tried, time.Since(began))
						return nil, fmt.Errorf("ebpf: %w", errno)
					}},
					{Name: "proc", Level: "proc", Open: opens(&scripted{bytes: 1})},
				}, known)
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute+time.Second)
				defer cancel()
				require.NoError(t, s.Run(ctx))
				require.Equal(t, want, tried)
			})
		})
	}
}

func TestUnattributedIsRecordedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, got := newSensor(t, []Rung{{Name: "a", Open: opens(&scripted{bytes: 1})}},
			func(*send.Send) (process.ID, process.Program, bool) {
				return process.ID{}, process.Program{Path: "/guess"}, false
			})
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		require.NoError(t, s.Run(ctx))
		require.EqualValues(t, 3, s.Status().UnattributedSends)
		require.Equal(t, []recorded{{process.Program{UID: 33}, process.ID{}, 1}}, (*got)[:1], "never a guess")
	})
}

func TestOurOwnSendsAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, got := newSensor(t, []Rung{{Name: "a", Open: opens(&scripted{bytes: 1})}},
			func(*send.Send) (process.ID, process.Program, bool) {
				return process.ID{PID: 99, StartTicks: 1}, process.Program{}, true
			})
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		require.NoError(t, s.Run(ctx))
		require.Empty(t, *got)
	})
}

func TestAFailingPartIsNamedAndEndsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, got := newSensor(t, []Rung{{Name: "a", Open: opens(&scripted{bytes: 1})}}, known)
		s.config.Background = append(s.config.Background, func(context.Context) error { return errors.New("ranking: broken") })
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		require.NoError(t, s.Run(ctx))
		require.Equal(t, "ranking: broken", s.Status().LastError)
		require.Len(t, *got, 3)
	})
}

func TestFurtherLaddersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, got := newSensor(t, []Rung{{Name: "a", Level: "L0", Open: opens(&scripted{bytes: 1})}}, known)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		other, leave := context.WithTimeout(ctx, 5500*time.Millisecond)
		defer leave()
		go s.Watch(other, []Ladder{{Protocol: "tcp", NetNS: 7, Rungs: []Rung{{Name: "b", Level: "proc", Open: opens(&scripted{bytes: 2})}}}})
		time.Sleep(3500 * time.Millisecond)
		require.Len(t, s.Sources(), 2)
		require.EqualValues(t, 7, s.Sources()[1].NetNS)
		require.Equal(t, "L0", s.Status().Level, "the level is that of the sensor's own namespace")
		time.Sleep(10 * time.Second)
		require.Len(t, s.Sources(), 1, "its rows go with it")
		cancel()
		require.NoError(t, <-done)
		var bytes uint64
		for _, r := range *got {
			bytes += r.bytes
		}
		require.EqualValues(t, 13+2*5, bytes)
	})
}

// finite is a source that has told all it will after a while.
type finite struct{ scripted }

func (f *finite) Run(ctx context.Context, emit func(send.Send)) error {
	ctx, stop := context.WithTimeout(ctx, 3500*time.Millisecond)
	defer stop()
	return f.scripted.Run(ctx, emit)
}

func TestAWatchEndsWithItsSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, got := newSensor(t, []Rung{{Name: "a", Open: opens(&scripted{bytes: 1})}}, known)
		opened := 0
		s.Watch(t.Context(), []Ladder{{Protocol: "tcp", NetNS: 7, Rungs: []Rung{{Name: "b", Open: func() (Source, error) {
			opened++
			return &finite{scripted{bytes: 2}}, nil
		}}}}})
		require.Len(t, *got, 3)
		require.Equal(t, 1, opened, "it is not begun again")
		require.Len(t, s.Sources(), 1)
	})
}

func TestNewNeedsItsFunctions(t *testing.T) {
	_, err := New(Config{})
	require.ErrorContains(t, err, "required")
}
