package bpf

import "golang.org/x/sys/unix"

// unlock lifts the limit of locked memory, which before Linux 5.11 bounds what maps take, and is 64 KiB or 8 MiB as systems set it
// (RLIMIT_MEMLOCK in getrlimit(2); later control groups bound them). Whoever may not lift it keeps the limit, and such a kernel
// then refuses the maps with EPERM.
func unlock() {
	if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}) == nil {
		return
	}
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &l) == nil {
		l.Cur = l.Max
		_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &l) // what the maps are refused tells
	}
}
