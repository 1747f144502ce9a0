package attribution

import (
	"fmt"
	"os"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// Self returns the identity of the calling process, by which it is left out of what it watches.
func Self() (process.ID, error) {
	pid := int32(os.Getpid())
	p, err := procfs.New("").OpenPID(pid)
	if err != nil {
		return process.ID{}, fmt.Errorf("attribution: own process: %w", err)
	}
	defer p.Close()
	var b procfs.Buffer
	var stat procfs.PIDStat
	if err := p.Stat(&b, &stat); err != nil {
		return process.ID{}, fmt.Errorf("attribution: own process: %w", err)
	}
	return process.ID{PID: pid, StartTicks: stat.StartTicks}, nil
}
