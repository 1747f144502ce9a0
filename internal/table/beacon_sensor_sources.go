package table

import (
	"context"
	"time"

	"github.com/osquery/osquery-go/plugin/table"
)

func beaconSensorSources(d Deps) *table.Plugin {
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
	generate := func(context.Context, table.QueryContext) ([]map[string]string, error) {
		var rows []map[string]string
		for _, s := range d.Sensor.Sources() {
			rows = append(rows, row{"source": s.Source, "protocol": s.Protocol, "net_namespace": positive(s.NetNS),
				"active": flag(s.Active), "refused_errno": positive(uint64(s.RefusedErrno)), "reason": clean(s.Reason),
				"events": number(s.Stats.Events), "bytes": number(s.Stats.Bytes), "lost": number(s.Stats.Lost),
				"gaps": number(s.Stats.Gaps), "samples": number(s.Stats.Samples), "resolution_ms": millis(s.Stats.Resolution),
				"sample_period_ms": positive(uint64(s.Stats.SamplePeriod.Round(time.Millisecond).Milliseconds())),
				"passive":          number(s.Stats.Passive), "no_destination": number(s.Stats.NoDestination)})
		}
		return rows, nil
	}
	return table.NewPlugin("beacon_sensor_sources", columns, generate,
		table.WithDescription("Each source of each protocol: whether it is in use, why not, and what it has seen and lost."),
		table.WithExample("SELECT source, protocol, active, refused_errno, reason, events, lost FROM beacon_sensor_sources;"))
}
