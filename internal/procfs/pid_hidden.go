package procfs

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Hidden reports whether processes of other users are probably not shown: the file system is mounted with hidepid
// (proc(5)) and this process may not trace others, or not even the first process of the namespace can be seen, or it
// cannot be told. It is a suspicion, not a proof: a group named by the gid= option is exempt.
func (fs FS) Hidden() bool {
	if _, err := os.Stat(fs.path("1")); err != nil {
		return true
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return true
	}
	if !hidepid(mounts, fs.root) {
		return false
	}
	status, err := os.ReadFile("/proc/self/status")
	return err != nil || !effective(status, unix.CAP_SYS_PTRACE)
}

// initialPIDs is PROC_PID_INIT_INO of linux/proc_ns.h, the inode of the initial PID namespace.
const initialPIDs = "pid:[4026531836]"

// WholeHost reports whether the file system has every process of the host: those of the initial PID namespace, and with it
// of all below. Seen from a container's namespace others may exist that share its network.
func (fs FS) WholeHost() bool {
	namespace, err := os.Readlink("/proc/self/ns/pid")
	return err == nil && namespace == initialPIDs && fs.OwnPIDs()
}

// hidepid reports whether the proc file system mounted at root hides processes. mounts is in the form of fstab(5); the
// last mount at a place is the visible one. Kernels since 5.8 say the mode in words.
func hidepid(mounts []byte, root string) bool {
	hidden := false
	for line := range bytes.Lines(mounts) {
		fields := bytes.Fields(line)
		if len(fields) < 4 || string(fields[1]) != root || string(fields[2]) != "proc" {
			continue
		}
		hidden = false
		for option := range bytes.SplitSeq(fields[3], []byte{','}) {
			mode, ok := bytes.CutPrefix(option, []byte("hidepid="))
			hidden = hidden || ok && string(mode) != "0" && string(mode) != "off"
		}
	}
	return hidden
}

// effective reports whether a status file shows the capability in the effective set, capabilities(7).
func effective(status []byte, capability uint) bool {
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte("CapEff:")); ok {
			set, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 16, 64)
			return err == nil && set>>capability&1 == 1
		}
	}
	return false
}
