// Package table shows the sensor as osquery tables, one file each. A table reads memory only: it may not touch the
// operating system, and what it answers costs what it answers.
package table

import (
	"net/netip"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sensor"
)

// Deps is what the tables read. Store and Ranker are required, Sensor and Host unless Replay; the other functions may be
// nil. A table that is only described, not asked, needs none of them.
type Deps struct {
	Store   *history.Store
	Ranker  *candidate.Ranker
	Sensor  *sensor.Sensor
	Process func(process.ID) (process.Info, bool)
	// Facts are what an examination of a process found; false before it was examined.
	Facts func(process.ID) (process.Facts, bool)
	Class func(send.Destination) send.Class
	// Hostname is the name of an address, and where that is known from; empty if it is not.
	Hostname func(netip.Addr) (name, source string)
	// Nowhere reports an address that stands for none, in recorded traffic; nil for none of them.
	Nowhere func(netip.Addr) bool
	Clock   boottime.Clock
	Host    func() Host
	// Inventory holds the rules; nil for none.
	Inventory *inventory.Live
	Role      string
	// CoverageRun is the id of the coverage test that a process belongs to, "" for none.
	CoverageRun func(process.ID) string
	// Replay leaves out the status of a live sensor.
	Replay bool
}

// Host is what only the main package knows of the running sensor.
type Host struct {
	PID          int
	Version      string
	ResidentSize uint64
	MemoryLimit  uint64
	Goroutines   int
	UserTime     time.Duration
	SystemTime   time.Duration
	// QueryTime is the part of both that answering questions took. CPUShare is the share of one core that the rest takes of late,
	// CPUBudget what it may; GivesWay are the parts that give way to it now, in order, GaveWay for how long any did, Exhausted for how
	// long all did as far as they can.
	QueryTime           time.Duration
	CPUShare, CPUBudget float64
	GivesWay            []string
	GaveWay, Exhausted  time.Duration
	// SQLCPUShare is the share of one core that answering questions takes of late, SQLCPUBudget what it may; SQLDelays are the
	// tables that were made later for it, SQLDelay by how much altogether.
	SQLCPUShare, SQLCPUBudget float64
	SQLDelays                 uint64
	SQLDelay                  time.Duration
	// OsquerySocket is that of the osquery which has the tables now, Reconnects how often they had to be registered again.
	OsquerySocket string
	Reconnects    uint64
	// Blind are sentences on what is not seen at the present level.
	Blind []string
	// Config is the effective configuration as a JSON object, ConfigHash the SHA-256 of that.
	Config, ConfigHash string
	// Checkpoint is when the histories were last written to disk, zero for never.
	Checkpoint time.Time
	Purges     uint64
	// CoverageRun is the id of the latest coverage test.
	CoverageRun string
	// What attribution could not do: processes whose descriptors it may not read, whether /proc hides processes
	// (hidepid), and look-ups put off to stay within its share of a core.
	Unreadable uint64
	Hidden     bool
	Deferred   uint64
	// EnrichmentDropped counts processes and files that could not be examined at once, EnrichmentError is what enrichment
	// cannot read. HostPreload: ld.so.preload loads code into every program of the host.
	EnrichmentDropped uint64
	EnrichmentError   string
	HostPreload       bool
	// DNSNames is "on" while names are taken from DNS, "off", or why they cannot be.
	DNSNames string
	// NetNamespaces are the network namespaces that processes are in, the sensor's own left out, NetNamespacesWatched those among
	// them with sources of their own.
	NetNamespaces, NetNamespacesWatched int
	// ProcessEvents: the kernel tells of processes that begin and end, so that the briefest are named.
	ProcessEvents bool
}

// All returns every table, in the order of the documentation.
func All(d Deps) []Table {
	if d.Process == nil {
		d.Process = func(process.ID) (process.Info, bool) { return process.Info{}, false }
	}
	if d.Facts == nil {
		d.Facts = func(process.ID) (process.Facts, bool) { return process.Facts{}, false }
	}
	if d.Hostname == nil {
		d.Hostname = func(netip.Addr) (string, string) { return "", "" }
	}
	if d.Nowhere == nil {
		d.Nowhere = func(netip.Addr) bool { return false }
	}
	if d.CoverageRun == nil {
		d.CoverageRun = func(process.ID) string { return "" }
	}
	if d.Class == nil {
		d.Class = func(dst send.Destination) send.Class { return send.Classify(dst.Remote.Addr(), nil) }
	}
	tables := []Table{beaconCandidates(d), processOutboundStats(d), processSendHistory(d), processNetworkBaseline(d)}
	if !d.Replay {
		tables = append(tables, beaconInventoryRules(d), beaconSensorStatus(d), beaconSensorSources(d))
	}
	return tables
}

// forAnswer is d for the rows of one answer, which share an offset of the clock.
func (d Deps) forAnswer() Deps {
	d.Clock = d.Clock.Stopped()
	return d
}

func (d *Deps) inventory() inventory.Status {
	if d.Inventory == nil {
		return inventory.Status{}
	}
	return d.Inventory.Status()
}
