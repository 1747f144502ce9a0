package main

import (
	"fmt"

	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// keyOf is the key of a send's history. What has no owner in another network namespace than the sensor's own is kept apart by
// namespace: the same destination in two containers would otherwise be one flow, whose rhythms spoil each other.
func keyOf(p process.Program, sd *send.Send) history.Key {
	if !p.Attributed() && sd.Socket.NetNS != 0 {
		p.Workload = fmt.Sprintf("net:[%d]", sd.Socket.NetNS)
	}
	return history.Key{Program: p}
}
