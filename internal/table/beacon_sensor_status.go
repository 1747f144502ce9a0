package table

import (
	"context"
	"strconv"
	"strings"

	"github.com/osquery/osquery-go/plugin/table"
)

func beaconSensorStatus(d Deps) *table.Plugin {
	columns := []table.ColumnDefinition{
		bigint("pid", "Process ID of the sensor"),
		text("version", "Version and commit of the sensor"),
		text("level", "How TCP is watched: L3 (eBPF, every send), L2 (eBPF, connections), L1 (sock_diag, and a packet socket that shows who connects), L0 (sock_diag and its destroy stream), proc (/proc/net), none"),
		text("level_reason", "Why nothing better is in use; empty if the best source is"),
		text("blind", "What is not seen at this level, in sentences"),
		text("tcp_source", "Source that owns TCP"),
		text("udp_source", "Source that owns UDP"),
		bigint("start_time", "Since when the sensor watches, in seconds since the Unix epoch"),
		bigint("samples", "Complete passes over the sockets"),
		bigint("late_samples", "Passes that began more than a period late"),
		bigint("sample_period_ms", "Present time between complete passes over TCP sockets, in milliseconds"),
		bigint("max_gap_ms", "Longest time without a look at TCP sockets, in milliseconds"),
		bigint("lost_events", "Events known to be lost"),
		bigint("send_events", "Reports recorded"),
		bigint("unattributed_sends", "Reports whose process could not be found"),
		bigint("unreadable_processes", "Processes whose descriptors the sensor may not read: their sockets stay unattributed"),
		integer("hidepid", "1 if /proc hides the processes of other users from the sensor"),
		integer("process_events", "1 if the kernel tells of processes that begin and end (proc connector, first network namespace only); 0: the briefest stay unattributed"),
		bigint("net_namespaces", "Network namespaces that processes are in, beside the sensor's own"),
		bigint("net_namespaces_watched", "Those among them with sources of their own, see beacon_sensor_sources; eBPF (L2, L3) sees TCP of all of them, at L3 UDP as well"),
		bigint("deferred_lookups", "Look-ups of socket owners put off to stay within the CPU budget"),
		bigint("enrichment_dropped", "Processes and files that could not be examined at once; they are when somebody asks for them"),
		text("enrichment_error", "Package database that cannot be read, and why"),
		text("dns_names", "on while names of addresses are taken from the DNS answers this host gets, off, or why they cannot be"),
		integer("ld_so_preload", "1 if /etc/ld.so.preload loads code into every program of the host"),
		bigint("tracked_pairs", "Pairs of program and destination held"),
		bigint("max_pairs", "Present bound on tracked_pairs, as the ceiling leaves it"),
		bigint("evictions", "Pairs forgotten to stay within bounds"),
		bigint("evicted_flows", "Processes of remembered pairs forgotten to stay within bounds: rows of process_outbound_stats"),
		bigint("resident_size", "Resident memory of the sensor, in bytes"),
		bigint("memory_limit", "Ceiling of resident_size: below it histories are given up as their evidence goes, in bytes"),
		bigint("history_size", "Micro-bursts held, in bytes"),
		bigint("max_history_size", "Present bound on history_size, as the ceiling leaves it, in bytes"),
		bigint("halved_series", "Times a series has given up its older half to stay within bounds"),
		bigint("goroutines", "Goroutines of the sensor"),
		bigint("user_time", "CPU time in user space, in milliseconds"),
		bigint("system_time", "CPU time in the kernel, in milliseconds"),
		bigint("query_time", "CPU time among user_time and system_time that answering questions took, with its part of garbage collection, in milliseconds"),
		double("cpu_share", "Share of one core taken of late, answering questions left out"),
		double("cpu_budget", "What cpu_share may be in the long run"),
		text("gives_way", "What gives way at present to keep within cpu_budget, in this order: sampling (its period), namespaces (samples of others than the sensor's own), enrichment, owners (look-ups of them); empty if nothing. Destroy notices never do"),
		bigint("gave_way_time", "For how long anything gave way, in milliseconds"),
		text("osquery_socket", "Socket of the osquery that has these tables from the sensor itself; empty if none has, or through a relay"),
		bigint("reconnects", "Times the sensor has registered with osquery again"),
		text("role", "Role of this host, from the configuration"),
		text("config", "The effective configuration, file and flags together, as a JSON object: json_extract(config, '$.level')"),
		text("config_hash", "SHA-256 of config: equal hashes mean equal configurations"),
		bigint("checkpoint_time", "When the histories were last written to disk, in seconds since the Unix epoch; NULL if they are in memory only"),
		bigint("purges", "Times everything recorded was forgotten on demand"),
		text("inventory_hash", "SHA-256 of the effective rules: equal hashes mean equal verdicts"),
		text("inventory_error", "What was wrong with rule files, role or rule directory when they were last read (at the start it is left out, later the rules before stay), or the first rule that has expired, with file, line and column"),
		bigint("rules", "Rules in effect, shipped ones included"),
		bigint("rules_expired", "Rules among them that have expired and no longer apply"),
		text("coverage_run", "Id of the latest coverage test"),
		text("last_error", "Latest error of a part of the sensor"),
	}
	generate := func(context.Context, table.QueryContext) ([]map[string]string, error) {
		s, h, b := d.Sensor.Status(), d.Host(), d.Store.Stats()
		rules := d.inventory()
		return []map[string]string{{
			"pid": strconv.Itoa(h.PID), "version": h.Version, "level": s.Level, "level_reason": clean(s.LevelReason), "blind": strings.Join(h.Blind, " "),
			"tcp_source": s.TCPSource, "udp_source": s.UDPSource, "start_time": seconds(d.Clock, s.Started),
			"samples": number(s.Samples), "late_samples": number(s.LateSamples), "sample_period_ms": millis(s.SamplePeriod),
			"max_gap_ms": millis(s.MaxGap), "lost_events": number(s.LostEvents), "send_events": number(s.Sends),
			"unattributed_sends":   number(s.UnattributedSends),
			"unreadable_processes": number(h.Unreadable), "hidepid": flag(h.Hidden), "deferred_lookups": number(h.Deferred),
			"net_namespaces": number(h.NetNamespaces), "net_namespaces_watched": number(h.NetNamespacesWatched),
			"process_events": flag(h.ProcessEvents), "enrichment_dropped": number(h.EnrichmentDropped),
			"enrichment_error": clean(h.EnrichmentError), "ld_so_preload": flag(h.HostPreload), "dns_names": clean(h.DNSNames),
			"tracked_pairs": number(b.Pairs), "max_pairs": number(b.MaxPairs), "evictions": number(b.Evictions), "evicted_flows": number(b.FlowEvictions),
			"resident_size": number(h.ResidentSize), "memory_limit": positive(h.MemoryLimit),
			"history_size": number(b.RingBytes), "max_history_size": number(b.MaxRingBytes), "halved_series": number(b.Trimmed),
			"goroutines": number(h.Goroutines),
			"user_time":  millis(h.UserTime), "system_time": millis(h.SystemTime), "osquery_socket": clean(h.OsquerySocket), "reconnects": number(h.Reconnects),
			"query_time": millis(h.QueryTime), "cpu_share": rounded(h.CPUShare, 4), "cpu_budget": rounded(h.CPUBudget, 4),
			"gives_way": strings.Join(h.GivesWay, ","), "gave_way_time": millis(h.GaveWay),
			"checkpoint_time": epochSeconds(h.Checkpoint), "purges": number(h.Purges), "coverage_run": clean(h.CoverageRun), "role": d.Role, "config": h.Config, "config_hash": h.ConfigHash, "last_error": clean(s.LastError),
			"inventory_hash": rules.Hash, "inventory_error": clean(rules.Error),
			"rules": number(rules.Rules), "rules_expired": number(rules.Expired),
		}}, nil
	}
	return table.NewPlugin("beacon_sensor_status", columns, generate,
		table.WithDescription("How well the sensor sees, in one row: level, gaps, losses, bounds and cost."),
		table.WithExample("SELECT level, level_reason, datetime(start_time, 'unixepoch') AS watching_since, unattributed_sends FROM beacon_sensor_status;"))
}
