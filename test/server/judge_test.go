package server

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/attribution"
	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/checkpoint"
	"github.com/beaconwatch/beaconwatch/internal/enrichment"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	shipped "github.com/beaconwatch/beaconwatch/packs/inventory"
)

// judge is what a sensor wires to grade programs, over a store that is filled on recorded time.
type judge struct {
	resolver *attribution.Resolver
	facts    func(process.ID) (process.Facts, bool)
	store    *history.Store
	ranker   *candidate.Ranker
	rules    *inventory.Set
	random   *rand.Rand
}

// newJudge returns one that finds the package database below root.
func newJudge(t *testing.T, root string) *judge {
	t.Helper()
	j := &judge{random: rand.New(rand.NewPCG(1, 2))}
	seen := checkpoint.NewFirstSeen(checkpoint.FirstSeenConfig{})
	enricher, err := enrichment.New(enrichment.Config{Root: root, Share: 1,
		Process: func(id process.ID) (process.Info, bool) { return j.resolver.Process(id) },
		FirstSeen: func(f process.File) (time.Time, bool) {
			s := seen.SawFile(f)
			return s.First, s.Initial
		}})
	require.NoError(t, err)
	j.resolver, err = attribution.New(attribution.Config{Met: enricher.Meet})
	require.NoError(t, err)
	j.store, err = history.New(history.Config{})
	require.NoError(t, err)
	j.rules, err = inventory.Load(inventory.Files{Shipped: shipped.Files, Roles: []string{"base server", "kubernetes node"}})
	require.NoError(t, err)
	j.facts = enricher.Facts
	j.ranker, err = candidate.New(candidate.Config{Store: j.store, Grading: candidate.Grading{Inventory: func() *inventory.Set { return j.rules },
		Process: j.resolver.Process, Facts: enricher.Facts, Clock: boottime.Recorded()}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- enricher.Run(ctx) }()
	go func() { ended <- j.resolver.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, <-ended)
	})
	return j
}

// play records what a running program would have sent until now, at its real period.
func (j *judge) play(t *testing.T, p program, pid int32, until time.Time) {
	t.Helper()
	protocol, address, _ := strings.Cut(p.to, "://")
	socket := send.Socket{Protocol: send.TCP, Local: netip.MustParseAddrPort(serverAddress + ":40000"), Remote: netip.MustParseAddrPort(address)}
	if protocol == "udp" {
		socket.Protocol = send.UDP
	}
	var id process.ID
	var is process.Program
	require.EventuallyWithT(t, func(c *assert.CollectT) { // once it has executed
		var ok bool
		id, is, ok = j.resolver.OwnerOf(&send.Send{Socket: socket, Sender: pid})
		require.True(c, ok, p.path)
		require.Equal(c, p.path, is.Path)
	}, patience, time.Millisecond)
	at := make([]time.Duration, p.beats)
	for i := 1; i < p.beats; i++ {
		poll := p.polls[min(i-1, len(p.polls)-1)]
		at[i] = at[i-1] + poll + time.Duration(p.splay*j.random.Float64()*float64(poll))
	}
	for i := range at {
		size := p.size
		if p.spread > 0 {
			size += j.random.IntN(2*p.spread) - p.spread
		}
		j.store.Record(&history.Key{Program: is}, id, &send.Send{Kind: send.Data, Socket: socket, Sender: pid, Bytes: uint64(size), Sends: 1,
			At: boottime.Time(until.Add(at[i] - at[len(at)-1]).UnixNano())})
	}
}

// candidate is that of a program and its destination, nil if there is none.
func (j *judge) candidate(p program) *candidate.Candidate {
	for _, c := range j.ranker.Snapshot().Select(history.Filter{Path: p.path}) {
		if c.Scope == candidate.ByDestination && c.Key.Program.Script == p.script {
			return c
		}
	}
	return nil
}
