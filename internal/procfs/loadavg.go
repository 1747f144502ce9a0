package procfs

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// LastPID returns the number that was given last to a process or a thread, by the end of /proc/loadavg, proc_loadavg(5).
func (fs FS) LastPID(b *Buffer) (int32, bool) {
	b.grow()
	fd, err := unix.Open(fs.path("loadavg"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, b.entries)
	if err != nil {
		return 0, false
	}
	return parseLastPID(b.entries[:n])
}

// parseLastPID decodes "0.00 0.01 0.05 1/120 4711\n".
func parseLastPID(text []byte) (int32, bool) {
	text, whole := bytes.CutSuffix(text, []byte{'\n'})
	at := bytes.LastIndexByte(text, ' ')
	pid, ok := decimal(text[at+1:])
	return int32(pid), whole && at >= 0 && ok && pid > 0 && pid < 1<<31
}
