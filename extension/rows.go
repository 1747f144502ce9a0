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

// fleetCandidates takes the newest whole row of each candidate on each host, called its reporter, out of result logs: those
// that are where, by order. Alerts, which have no score, are not whole.
func fleetCandidates(cmd *cobra.Command, files []string, where, order string) ([]map[string]string, error) {
	store, err := fleet.Open(cmd.Context(), fleet.Config{})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if err := loadFleet(cmd, store, files); err != nil {
		return nil, err
	}
	rows, err := rowsOf(cmd.Context(), progressing{store, cmd.ErrOrStderr()}, `SELECT host, columns FROM (
		SELECT host, columns, score, severity, evidence, row_number() OVER
			(PARTITION BY host, signature, columns ->> 'uid' ORDER BY unix_time DESC, row_hash) AS place
		FROM beacon_results WHERE kind = 'candidate' AND action <> 'removed' AND score IS NOT NULL
	) WHERE place = 1 AND `+where+` ORDER BY `+order)
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
