package sqlhost

import (
	"context"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/osquery/osquery-go/plugin/table"
)

// coreTables are the tables osquery itself has that clients of an extension socket ask for, with osquery's columns as far
// as they mean something here.
func (h *Host) coreTables() []*table.Plugin {
	return []*table.Plugin{
		table.NewPlugin("osquery_info", []table.ColumnDefinition{
			table.IntegerColumn("pid", table.ColumnDescription("Process ID of the host.")),
			table.TextColumn("version", table.ColumnDescription("Version of the host.")),
			table.TextColumn("extensions", table.ColumnDescription("Status of the extension socket: active or inactive.")),
			table.TextColumn("build_platform", table.ColumnDescription("Platform.")),
			table.BigIntColumn("start_time", table.ColumnDescription("Start of the host, epoch seconds.")),
		}, h.infoRows, table.WithDescription("The embedded osquery host.")),
		table.NewPlugin("osquery_extensions", []table.ColumnDefinition{
			table.BigIntColumn("uuid", table.ColumnDescription("Identifier of the registration; 0 is the host.")),
			table.TextColumn("name", table.ColumnDescription("Name the extension registered with.")),
			table.TextColumn("version", table.ColumnDescription("Its version.")),
			table.TextColumn("sdk_version", table.ColumnDescription("Version of its SDK.")),
			table.TextColumn("path", table.ColumnDescription("Its socket.")),
			table.TextColumn("type", table.ColumnDescription("core or extension.")),
		}, h.extensionRows, table.WithDescription("Registered extensions.")),
		table.NewPlugin("osquery_registry", []table.ColumnDefinition{
			table.TextColumn("registry", table.ColumnDescription("Always table.")),
			table.TextColumn("name", table.ColumnDescription("Name of the table.")),
			table.BigIntColumn("owner_uuid", table.ColumnDescription("The extension that serves it; 0 is the host.")),
			table.IntegerColumn("internal", table.ColumnDescription("Always 0.")),
			table.IntegerColumn("active", table.ColumnDescription("Always 1.")),
		}, h.registryRows, table.WithDescription("Registered tables.")),
		table.NewPlugin("time", timeColumns(), timeRows, table.WithDescription("The current time, UTC.")),
	}
}

func (h *Host) infoRows(context.Context, table.QueryContext) ([]map[string]string, error) {
	h.mu.Lock()
	active := "inactive"
	if len(h.sockets) > 0 {
		active = "active"
	}
	h.mu.Unlock()
	return []map[string]string{{
		"pid":            strconv.Itoa(os.Getpid()),
		"version":        h.config.Version,
		"extensions":     active,
		"build_platform": "linux",
		"start_time":     strconv.FormatInt(h.started.Unix(), 10),
	}}, nil
}

func (h *Host) extensionRows(context.Context, table.QueryContext) ([]map[string]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	core := map[string]string{"uuid": "0", "name": h.config.Name, "version": h.config.Version, "sdk_version": "0.0.0", "path": "", "type": "core"}
	if len(h.sockets) > 0 {
		core["path"] = h.sockets[0]
	}
	rows := []map[string]string{core}
	for _, id := range slices.Sorted(maps.Keys(h.extensions)) {
		e := h.extensions[id]
		rows = append(rows, map[string]string{
			"uuid":        strconv.FormatInt(int64(id), 10),
			"name":        e.info.Name,
			"version":     e.info.Version,
			"sdk_version": e.info.SdkVersion,
			"path":        e.socket,
			"type":        "extension",
		})
	}
	return rows, nil
}

func (h *Host) registryRows(context.Context, table.QueryContext) ([]map[string]string, error) {
	tables := h.currentCatalog().tables
	var rows []map[string]string
	for _, key := range slices.Sorted(maps.Keys(tables)) {
		rows = append(rows, map[string]string{
			"registry":   "table",
			"name":       tables[key].name,
			"owner_uuid": strconv.FormatInt(int64(tables[key].owner), 10),
			"internal":   "0",
			"active":     "1",
		})
	}
	return rows, nil
}

func timeColumns() []table.ColumnDefinition {
	return []table.ColumnDefinition{
		table.TextColumn("weekday", table.ColumnDescription("Day of the week.")),
		table.IntegerColumn("year", table.ColumnDescription("Year.")),
		table.IntegerColumn("month", table.ColumnDescription("Month, 1 to 12.")),
		table.IntegerColumn("day", table.ColumnDescription("Day of the month.")),
		table.IntegerColumn("hour", table.ColumnDescription("Hour, 0 to 23.")),
		table.IntegerColumn("minutes", table.ColumnDescription("Minutes.")),
		table.IntegerColumn("seconds", table.ColumnDescription("Seconds.")),
		table.TextColumn("timezone", table.ColumnDescription("Time zone of the columns: UTC.")),
		table.TextColumn("local_timezone", table.ColumnDescription("Time zone of the host.")),
		table.BigIntColumn("unix_time", table.ColumnDescription("Epoch seconds.")),
		table.TextColumn("timestamp", table.ColumnDescription("As ctime(3) writes it.")),
		table.TextColumn("datetime", table.ColumnDescription("ISO 8601.")),
		table.TextColumn("iso_8601", table.ColumnDescription("ISO 8601.")),
	}
}

func timeRows(context.Context, table.QueryContext) ([]map[string]string, error) {
	now := time.Now()
	utc := now.UTC()
	zone, _ := now.Zone()
	iso := utc.Format("2006-01-02T15:04:05Z")
	return []map[string]string{{
		"weekday":        utc.Weekday().String(),
		"year":           strconv.Itoa(utc.Year()),
		"month":          strconv.Itoa(int(utc.Month())),
		"day":            strconv.Itoa(utc.Day()),
		"hour":           strconv.Itoa(utc.Hour()),
		"minutes":        strconv.Itoa(utc.Minute()),
		"seconds":        strconv.Itoa(utc.Second()),
		"timezone":       "UTC",
		"local_timezone": zone,
		"unix_time":      strconv.FormatInt(now.Unix(), 10),
		"timestamp":      utc.Format("Mon Jan _2 15:04:05 2006 UTC"),
		"datetime":       iso,
		"iso_8601":       iso,
	}}, nil
}
