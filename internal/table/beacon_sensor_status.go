package table

import (
	"strings"

	"github.com/osquery/osquery-go/plugin/table"
)

func beaconSensorStatus(d Deps) Table {
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
		text("gives_way", "What gives way at present to keep within cpu_budget, in this order: sampling (its period), namespaces (samples of others than the sensor's own), enrichment, ranking (every 8 s instead of every second at last), owners (look-ups of them); empty if nothing. Destroy notices never do"),
		bigint("gave_way_time", "For how long anything gave way, in milliseconds"),
		bigint("exhausted_time", "For how long everything gave way as far as it can, in milliseconds: what is left costs more than cpu_budget"),
		double("sql_cpu_share", "Share of one core that answering questions took of late"),
		double("sql_cpu_budget", "What sql_cpu_share may be in the long run: beyond it each table is made up to a second later"),
		bigint("sql_delays", "Times a table was made later to keep within sql_cpu_budget"),
		bigint("sql_delay_time", "How much later altogether, in milliseconds"),
		text("osquery_socket", "Socket of the osquery that has these tables from the sensor itself; empty if none has, or through a relay"),
		bigint("reconnects", "Times the sensor has registered with osquery again"),
		text("role", "Role of this host, from the configuration"),
		text("config", "The effective configuration, file and flags together, as a JSON object"),
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
	fill := func(_ table.QueryContext, r row) {
		s, h, b := d.Sensor.Status(), d.Host(), d.Store.Stats()
		rules := d.inventory()
		r.Next()
		r.Int("pid", int64(h.PID))
		r.Set("version", h.Version)
		r.Set("level", s.Level)
		r.Set("level_reason", clean(s.LevelReason))
		r.Set("blind", strings.Join(h.Blind, " "))
		r.Set("tcp_source", s.TCPSource)
		r.Set("udp_source", s.UDPSource)
		seconds(r, "start_time", d.Clock, s.Started)
		r.Int("samples", int64(s.Samples))
		r.Int("late_samples", int64(s.LateSamples))
		r.Int("sample_period_ms", millis(s.SamplePeriod))
		r.Int("max_gap_ms", millis(s.MaxGap))
		r.Int("lost_events", int64(s.LostEvents))
		r.Int("send_events", int64(s.Sends))
		r.Int("unattributed_sends", int64(s.UnattributedSends))
		r.Int("unreadable_processes", int64(h.Unreadable))
		r.Set("hidepid", flag(h.Hidden))
		r.Int("deferred_lookups", int64(h.Deferred))
		r.Int("net_namespaces", int64(h.NetNamespaces))
		r.Int("net_namespaces_watched", int64(h.NetNamespacesWatched))
		r.Set("process_events", flag(h.ProcessEvents))
		r.Int("enrichment_dropped", int64(h.EnrichmentDropped))
		r.Set("enrichment_error", clean(h.EnrichmentError))
		r.Set("ld_so_preload", flag(h.HostPreload))
		r.Set("dns_names", clean(h.DNSNames))
		r.Int("tracked_pairs", int64(b.Pairs))
		r.Int("max_pairs", int64(b.MaxPairs))
		r.Int("evictions", int64(b.Evictions))
		r.Int("evicted_flows", int64(b.FlowEvictions))
		r.Int("resident_size", int64(h.ResidentSize))
		positive(r, "memory_limit", h.MemoryLimit)
		r.Int("history_size", int64(b.RingBytes))
		r.Int("max_history_size", int64(b.MaxRingBytes))
		r.Int("halved_series", int64(b.Trimmed))
		r.Int("goroutines", int64(h.Goroutines))
		r.Int("user_time", millis(h.UserTime))
		r.Int("system_time", millis(h.SystemTime))
		r.Set("osquery_socket", clean(h.OsquerySocket))
		r.Int("reconnects", int64(h.Reconnects))
		r.Int("query_time", millis(h.QueryTime))
		r.Float("cpu_share", h.CPUShare, 4)
		r.Float("cpu_budget", h.CPUBudget, 4)
		r.Set("gives_way", strings.Join(h.GivesWay, ","))
		r.Int("gave_way_time", millis(h.GaveWay))
		r.Int("exhausted_time", millis(h.Exhausted))
		r.Float("sql_cpu_share", h.SQLCPUShare, 4)
		r.Float("sql_cpu_budget", h.SQLCPUBudget, 4)
		r.Int("sql_delays", int64(h.SQLDelays))
		r.Int("sql_delay_time", millis(h.SQLDelay))
		epochSeconds(r, "checkpoint_time", h.Checkpoint)
		r.Int("purges", int64(h.Purges))
		r.Set("coverage_run", clean(h.CoverageRun))
		r.Set("role", d.Role)
		r.Set("config", h.Config)
		r.Set("config_hash", h.ConfigHash)
		r.Set("last_error", clean(s.LastError))
		r.Set("inventory_hash", rules.Hash)
		r.Set("inventory_error", clean(rules.Error))
		r.Int("rules", int64(rules.Rules))
		r.Int("rules_expired", int64(rules.Expired))
	}
	return newTable("beacon_sensor_status", columns, fill,
		table.WithDescription("How well the sensor sees, in one row: level, gaps, losses, bounds and cost."),
		table.WithExample("SELECT level, level_reason, datetime(start_time, 'unixepoch') AS watching_since, unattributed_sends FROM beacon_sensor_status;"))
}
