package attribution

import (
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// Alive reports whether a process still runs: its PID is there with the same start (field 22 of /proc/PID/stat).
func Alive(id process.ID) bool {
	p, err := procfs.New("/proc").OpenPID(id.PID)
	if err != nil {
		return false
	}
	defer p.Close()
	var (
		b    procfs.Buffer
		stat procfs.PIDStat
	)
	return p.Stat(&b, &stat) == nil && stat.StartTicks == id.StartTicks
}
