package endurance

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/checkpoint"
	"github.com/beaconwatch/beaconwatch/internal/history"
)

// Boot is one boot of a host: its time line begins at Began, on the line of the day.
type Boot struct {
	ID    string
	Began time.Duration
	// Step is by how much the wall clock is wrong.
	Step time.Duration
}

// Offset is from the time line of the boot to the wall clock.
func (b *Boot) Offset() time.Duration { return epoch + b.Began + b.Step }

// Time is an instant of the day on the time line of the boot.
func (b *Boot) Time(at time.Duration) boottime.Time {
	return boottime.Time(at - b.Began + time.Nanosecond)
}

// Day is the inverse of Time.
func (b *Boot) Day(t boottime.Time) time.Duration {
	return time.Duration(t) + b.Began - time.Nanosecond
}

// epoch is when the first day begins, on the wall: when the time of testing/synctest does.
const epoch = 946_684_800 * time.Second

// Sensor is what of one lives in memory, and what it keeps in a file.
type Sensor struct {
	Boot   *Boot
	Store  *history.Store
	Ranker *candidate.Ranker
	File   *checkpoint.Histories
}

// Start is a sensor that begins with what the file at path holds.
func Start(boot *Boot, c history.Config, path string) (*Sensor, error) {
	store, err := history.New(c)
	if err != nil {
		return nil, err
	}
	s := &Sensor{Boot: boot, Store: store}
	if s.Ranker, err = candidate.New(candidate.Config{Store: store}); err != nil {
		return nil, err
	}
	s.File, err = checkpoint.NewHistories(checkpoint.HistoriesConfig{Store: store, Boot: boot.ID,
		Offset: boot.Offset, Now: func() time.Time { return time.Now().Add(boot.Step) }})
	if err != nil {
		return nil, err
	}
	return s, s.File.Load(path)
}
