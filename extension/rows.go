package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/fleet"
	"github.com/beaconwatch/beaconwatch/internal/shell"
)

// bySeverity puts the worst first.
const bySeverity = "CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 WHEN 'low' THEN 2 WHEN 'info' THEN 3 ELSE 4 END"

func sqlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// rowsOf runs SQL and returns rows by column.
func rowsOf(ctx context.Context, ask shell.Querier, sql string) ([]map[string]string, error) {
	columns, values, err := ask.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	rows := make([]map[string]string, len(values))
	for i, v := range values {
		rows[i] = make(map[string]string, len(columns))
		for j, name := range columns {
			rows[i][name] = v[j]
		}
	}
	return rows, nil
}

// fleetCandidates takes the newest row of each candidate on each host, called its reporter, out of result logs: those that are
// where, by order.
func fleetCandidates(cmd *cobra.Command, files []string, where, order string) ([]map[string]string, error) {
	store, err := fleet.Open(cmd.Context(), fleet.Config{})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	for _, file := range files {
		if err := store.Load(cmd.Context(), file, cmd.InOrStdin()); err != nil {
			return nil, err
		}
	}
	rows, err := rowsOf(cmd.Context(), store, `SELECT host, columns, max(unix_time) AS newest FROM beacon_results
		WHERE kind = 'candidate' AND `+where+` GROUP BY host, signature ORDER BY `+order)
	if err != nil {
		return nil, err
	}
	for i, found := range rows {
		values := map[string]any{}
		if err := json.Unmarshal([]byte(found["columns"]), &values); err != nil {
			return nil, fmt.Errorf("a row of host %s: %w", found["host"], err)
		}
		rows[i] = map[string]string{}
		for name, v := range values {
			rows[i][name] = fmt.Sprint(v)
		}
		rows[i]["reporter"] = found["host"]
	}
	return rows, nil
}
