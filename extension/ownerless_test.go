package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// TestWhatHasNoOwnerIsKeptApartByNamespace: only there, for a program is told from another by itself.
func TestWhatHasNoOwnerIsKeptApartByNamespace(t *testing.T) {
	const other = 4026532317 // that of the sensor is 0, whatever its inode
	from := func(netns uint64) *send.Send { return &send.Send{Socket: send.Socket{NetNS: netns}} }
	curl := process.Program{Path: "/usr/bin/curl"}
	for _, tt := range []struct {
		program process.Program
		netns   uint64
		want    process.Program
	}{
		{process.Program{}, 0, process.Program{}},
		{process.Program{}, other, process.Program{Workload: fmt.Sprintf("net:[%d]", other)}},
		{curl, other, curl},
	} {
		require.Equal(t, history.Key{Program: tt.want}, keyOf(tt.program, from(tt.netns)))
	}
}
