package procfs

import (
	"bytes"
	"errors"
	"strconv"
)

// errStat is returned for a stat line that proc_pid_stat(5) does not describe.
var errStat = errors.New("procfs: malformed stat")

// ClockTicks is the number of StartTicks in a second. USER_HZ is 100 in every Linux ABI Go supports (asm/param.h),
// whatever CONFIG_HZ is.
const ClockTicks = 100

// PF_KTHREAD and PF_EXITING of linux/sched.h, seen in the flags field.
const (
	kernelThread = 0x00200000
	exiting      = 0x00000004
)

// PIDStat is what proc_pid_stat(5) says that matters for identity. Comm is borrowed from the Buffer it was read into.
type PIDStat struct {
	Comm   []byte
	State  byte
	Parent int32
	// Terminal is the device number of the controlling terminal, 0 without one.
	Terminal int32
	Flags    uint32
	// Threads is how many threads the process has; 0 once it is a zombie without any.
	Threads int32
	// StartTicks is when the process started, in ClockTicks since boot. execve(2) does not change it.
	StartTicks uint64
	// StartStack is the bottom of the stack. execve(2) draws a new one (address space randomisation), so a change means
	// that the process runs another image. 0 without the right to trace the process.
	StartStack uint64
}

// KernelThread reports whether the process is a thread of the kernel: no executable, no descriptors.
func (s *PIDStat) KernelThread() bool { return s.Flags&kernelThread != 0 }

// Exiting reports whether the process, or its first thread, is on its way out.
func (s *PIDStat) Exiting() bool { return s.Flags&exiting != 0 || s.State == 'Z' || s.State == 'X' }

// Stat reads /proc/PID/stat into s.
func (p PID) Stat(b *Buffer, s *PIDStat) error {
	line, err := p.read("stat", b)
	if err != nil {
		return err
	}
	return parsePIDStat(line, s)
}

// parsePIDStat decodes a stat line. The name may hold anything, parentheses and newlines included, so the last closing
// parenthesis ends it.
func parsePIDStat(line []byte, s *PIDStat) error {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 0 || end < open || end+2 >= len(line) {
		return errStat
	}
	*s = PIDStat{Comm: line[open+1 : end], State: line[end+2]}
	rest := line[end+2:]
	for field := 3; field <= 28; field++ {
		var word []byte
		word, rest, _ = bytes.Cut(rest, []byte{' '})
		if len(word) == 0 {
			return errStat
		}
		switch field {
		case 3:
			continue
		case 4, 7, 20:
			v, err := strconv.ParseInt(string(word), 10, 32)
			if err != nil {
				return errStat
			}
			switch field {
			case 4:
				s.Parent = int32(v)
			case 7:
				s.Terminal = int32(v)
			case 20:
				s.Threads = int32(v)
			}
		case 9, 22, 28:
			v, err := strconv.ParseUint(string(word), 10, 64)
			if err != nil {
				return errStat
			}
			switch field {
			case 9:
				s.Flags = uint32(v)
			case 22:
				s.StartTicks = v
			case 28:
				s.StartStack = v
			}
		}
	}
	return nil
}
