package main

import (
	"fmt"
	"os"
	"syscall"

	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// keyOf is the key of a send's history. What has no owner in another network namespace than own is kept apart by namespace: the same
// destination in two containers would otherwise be one flow, whose rhythms spoil each other.
func keyOf(p process.Program, sd *send.Send, own uint64) history.Key {
	if !p.Attributed() && sd.Socket.NetNS != 0 && sd.Socket.NetNS != own {
		p.Workload = fmt.Sprintf("net:[%d]", sd.Socket.NetNS)
	}
	return history.Key{Program: p}
}

// ownNetNS is the inode of the sensor's network namespace, 0 if it cannot be read.
func ownNetNS() uint64 {
	info, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return 0
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return st.Ino
}
