package table

import (
	"time"

	"github.com/osquery/osquery-go/plugin/table"
)

func beaconSensorSources(d Deps) Table {
	columns := []table.ColumnDefinition{
		text("source", "Kernel interface: ebpf, packet (AF_PACKET; for tcp beside sock_diag, whose reports it gives), sock_diag, udp_diag, proc"),
		text("protocol", "What it is asked to watch: tcp, udp or raw"),
		bigint("net_namespace", "Inode of the network namespace it watches; NULL for the sensor's own"),
		integer("active", "1 if it is in use: exactly one source owns a protocol"),
		integer("refused_errno", "Error number with which the kernel refused or ended it"),
		text("reason", "Why it is not in use"),
		bigint("events", "Reports given"),
		bigint("bytes", "Payload bytes in them"),
		bigint("lost", "Events known to be lost"),
		bigint("gaps", "Moments at which an unknown number may have been lost"),
		bigint("samples", "Complete passes over the sockets"),
		bigint("sample_period_ms", "Present time between them, in milliseconds; NULL for a source that takes none"),
		bigint("resolution_ms", "Best timing it can give, in milliseconds"),
		bigint("passive", "Sockets opened from elsewhere, which are not outbound"),
		bigint("no_destination", "Connections that ended with their destination already erased"),
	}
	fill := func(_ table.QueryContext, r row) {
		for _, s := range d.Sensor.Sources() {
			r.Next()
			r.Set("source", s.Source)
			r.Set("protocol", s.Protocol)
			positive(r, "net_namespace", s.NetNS)
			r.Set("active", flag(s.Active))
			positive(r, "refused_errno", uint64(s.RefusedErrno))
			r.Set("reason", clean(s.Reason))
			r.Int("events", int64(s.Stats.Events))
			r.Int("bytes", int64(s.Stats.Bytes))
			r.Int("lost", int64(s.Stats.Lost))
			r.Int("gaps", int64(s.Stats.Gaps))
			r.Int("samples", int64(s.Stats.Samples))
			r.Int("resolution_ms", millis(s.Stats.Resolution))
			positive(r, "sample_period_ms", uint64(s.Stats.SamplePeriod.Round(time.Millisecond).Milliseconds()))
			r.Int("passive", int64(s.Stats.Passive))
			r.Int("no_destination", int64(s.Stats.NoDestination))
		}
	}
	return newTable("beacon_sensor_sources", columns, fill,
		table.WithDescription("Each source of each protocol: whether it is in use, why not, and what it has seen and lost."),
		table.WithExample("SELECT source, protocol, active, refused_errno, reason, events, lost FROM beacon_sensor_sources;"))
}
