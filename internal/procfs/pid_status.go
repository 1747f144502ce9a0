package procfs

import (
	"bytes"
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// errStatus is returned for a status file without the line asked for.
var errStatus = errors.New("procfs: malformed status")

// UIDs are the real and the effective user of a process, in the sensor's user namespace.
type UIDs struct {
	Real, Effective uint32
}

// UIDs reads the Uid line of /proc/PID/status, proc_pid_status(5).
func (p PID) UIDs(b *Buffer) (UIDs, error) {
	text, err := p.read("status", b)
	if err != nil {
		return UIDs{}, err
	}
	return parseUIDs(text)
}

// GIDs returns the groups whose rights the process has, from the Gid and Groups lines of /proc/PID/status: the effective
// one and the supplementary ones, as far as they stand in its first 16 KiB.
func (p PID) GIDs(b *Buffer) ([]uint32, error) {
	text, err := p.read("status", b)
	if err != nil {
		return nil, err
	}
	return parseGIDs(text)
}

// Effective returns the effective user of the process, by fstat(2) of its directory where that tells: the kernel shows
// processes that may not be dumped (those that gave up root, for one) as owned by root, and only these are looked up in
// status, which costs 30 times more.
func (p PID) Effective(b *Buffer) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Fstat(p.dir, &st); err != nil {
		return 0, pidError("fstat", err)
	}
	if st.Uid != 0 {
		return st.Uid, nil
	}
	ids, err := p.UIDs(b)
	return ids.Effective, err
}

// Group returns the process that a thread belongs to, the Tgid line of /proc/PID/status: by the number of a thread its directory can be
// opened as well, though none is listed.
func (p PID) Group(b *Buffer) (int32, error) {
	text, err := p.read("status", b)
	if err != nil {
		return 0, err
	}
	return parseGroup(text)
}

// parseGroup decodes "Tgid:\tpid".
func parseGroup(text []byte) (int32, error) {
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte("Tgid:\t")); ok {
			pid, ok := decimal(bytes.TrimSpace(value))
			if ok && pid > 0 && pid < 1<<31 {
				return int32(pid), nil
			}
		}
	}
	return 0, errStatus
}

// parseUIDs decodes "Uid:\treal\teffective\tsaved\tfilesystem".
func parseUIDs(text []byte) (UIDs, error) {
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte{'\n'})
		value, ok := bytes.CutPrefix(line, []byte("Uid:\t"))
		if !ok {
			continue
		}
		first, value, _ := bytes.Cut(value, []byte{'\t'})
		second, _, _ := bytes.Cut(value, []byte{'\t'})
		ruid, err := strconv.ParseUint(string(first), 10, 32)
		if err != nil {
			return UIDs{}, errStatus
		}
		euid, err := strconv.ParseUint(string(second), 10, 32)
		if err != nil {
			return UIDs{}, errStatus
		}
		return UIDs{Real: uint32(ruid), Effective: uint32(euid)}, nil
	}
	return UIDs{}, errStatus
}

// parseGIDs decodes "Gid:\treal\teffective\tsaved\tfilesystem" and "Groups:\tone two …".
func parseGIDs(text []byte) ([]uint32, error) {
	var groups []uint32
	for line := range bytes.Lines(text) {
		words := bytes.Fields(line)
		switch {
		case len(words) == 0:
			continue
		case string(words[0]) == "Gid:" && len(words) >= 3:
			words = words[2:3]
		case string(words[0]) == "Groups:":
			words = words[1:]
		default:
			continue
		}
		for _, w := range words {
			gid, err := strconv.ParseUint(string(w), 10, 32)
			if err != nil {
				return nil, errStatus
			}
			groups = append(groups, uint32(gid))
		}
	}
	if groups == nil {
		return nil, errStatus
	}
	return groups, nil
}
