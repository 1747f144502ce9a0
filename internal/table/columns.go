package table

import (
	"time"

	"github.com/osquery/osquery-go/plugin/table"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Columns that are not indexed carry OPTIMIZED: without any option osquery would index them (extensions_default_index),
// and a JOIN on one would call the table once per outer row.

func text(name, description string) table.ColumnDefinition {
	return table.TextColumn(name, table.ColumnDescription(description), table.OptimizedColumn())
}

func integer(name, description string) table.ColumnDefinition {
	return table.IntegerColumn(name, table.ColumnDescription(description), table.OptimizedColumn())
}

func bigint(name, description string) table.ColumnDefinition {
	return table.BigIntColumn(name, table.ColumnDescription(description), table.OptimizedColumn())
}

func double(name, description string) table.ColumnDefinition {
	return table.DoubleColumn(name, table.ColumnDescription(description), table.OptimizedColumn())
}

func processColumns() []table.ColumnDefinition {
	return []table.ColumnDefinition{
		table.BigIntColumn("pid", table.ColumnDescription("Process ID; 0 if the owner of the socket could not be found"), table.IndexColumn()),
		bigint("start_time", "When the process started, in seconds since the Unix epoch"),
		text("name", "Process name (comm)"),
		table.TextColumn("path", table.ColumnDescription("Path of the executable; \" (deleted)\" and memfd kept as the kernel says them; [kernel] for sockets of the kernel; empty if not found"), table.IndexColumn()),
		text("script", "Script that the interpreter at path runs; -c or -e for inline code"),
		text("cmdline", "Command line, secrets redacted, at most 4096 bytes"),
		bigint("parent", "Process ID of the parent"),
		bigint("uid", "User ID the socket or process belongs to"),
		text("username", "User name"),
		text("cgroup_path", "Control group of the process"),
		text("systemd_unit", "systemd unit of the process"),
		text("container_id", "Container the process runs in"),
		text("container_runtime", "Runtime of that container"),
		text("container_image", "Image of that container, where the runtime's files on this host tell it"),
		text("container_name", "Name of that container, where those files tell it: namespace/pod/container in a pod"),
		bigint("net_namespace", "Inode of the network namespace"),
	}
}

func endpointColumns() []table.ColumnDefinition {
	return []table.ColumnDefinition{
		integer("family", "Address family: 2 (AF_INET) or 10 (AF_INET6)"),
		integer("protocol", "IP protocol number: 6 is TCP, 17 is UDP"),
		text("local_address", "Local address of the latest socket"),
		table.TextColumn("remote_address", table.ColumnDescription("Remote address; empty where recorded traffic does not say it"), table.IndexColumn()),
		integer("remote_port", "Remote port"),
		text("remote_hostname", "Name of the remote address, where it is known without looking it up"),
		text("remote_hostname_source", "Where that name is known from: hosts (/etc/hosts), dns (an answer this host got from its name server) or recorded"),
		text("destination_class", "public, private, same_subnet, metadata, loopback, loopback_proxy, link_local, multicast or broadcast"),
	}
}

func join(groups ...[]table.ColumnDefinition) []table.ColumnDefinition {
	var all []table.ColumnDefinition
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// processRow fills the process columns: what the program key says is always there, the rest while the process is known.
func processRow(r row, d Deps, id process.ID, p process.Program, netns uint64) process.Info {
	r.Set("path", clean(p.Path))
	r.Set("script", clean(p.Script))
	r.Int("pid", int64(id.PID))
	r.Int("uid", int64(p.UID))
	info, ok := d.Process(id)
	if !ok {
		positive(r, "net_namespace", netns)
		return info
	}
	r.Set("name", clean(info.Name))
	r.Set("cmdline", clean(info.Cmdline))
	r.Set("username", clean(info.Username))
	positive(r, "parent", uint64(max(info.Parent.PID, 0)))
	r.Set("cgroup_path", clean(info.CgroupPath))
	r.Set("systemd_unit", clean(info.SystemdUnit))
	r.Set("container_id", clean(info.ContainerID))
	r.Set("container_runtime", info.ContainerRuntime)
	if info.ContainerID != "" {
		facts, _ := d.Facts(id)
		r.Set("container_image", clean(facts.Image))
		r.Set("container_name", clean(facts.ContainerName))
	}
	if netns == 0 {
		netns = info.NetNS
	}
	positive(r, "net_namespace", netns)
	if !info.StartTime.IsZero() {
		r.Int("start_time", info.StartTime.Unix())
	}
	return info
}

func endpointRow(r row, deps Deps, d send.Destination, s send.Socket, class send.Class) {
	if !d.Remote.IsValid() {
		return
	}
	r.Set("family", "2")
	if !d.Remote.Addr().Is4() {
		r.Set("family", "10")
	}
	r.Int("protocol", int64(d.Protocol))
	if s.Local.IsValid() {
		r.Addr("local_address", s.Local.Addr())
	}
	if deps.Nowhere(d.Remote.Addr()) {
		r.Set("family", "")
		r.Set("remote_address", "")
		positive(r, "remote_port", uint64(d.Remote.Port()))
	} else {
		r.Addr("remote_address", d.Remote.Addr())
		r.Int("remote_port", int64(d.Remote.Port()))
		r.Set("destination_class", class.String())
	}
	name, source := deps.Hostname(d.Remote.Addr())
	r.Set("remote_hostname", clean(name))
	r.Set("remote_hostname_source", source)
}

// positive leaves zero out: an empty numeric column is NULL.
func positive(r row, column string, v uint64) {
	if v == 0 {
		r.Set(column, "")
	} else {
		r.Int(column, int64(v))
	}
}

func millis(d time.Duration) int64 { return d.Round(time.Millisecond).Milliseconds() }

func flag(v bool) string {
	if v {
		return "1"
	}
	return "0"
}

func seconds(r row, column string, c boottime.Clock, t boottime.Time) {
	var at time.Time
	if t != 0 {
		at = c.Wall(t)
	}
	epochSeconds(r, column, at)
}

// epochSeconds is a wall-clock time in seconds since the Unix epoch; the zero time is NULL.
func epochSeconds(r row, column string, t time.Time) {
	if t.IsZero() {
		r.Set(column, "")
	} else {
		r.Int(column, t.Unix())
	}
}

// clean makes text safe to ship once more: what attribution keeps is printable already, what a recorded file says may
// not be.
func clean(s string) string { return process.Printable(s, process.MaxText) }
