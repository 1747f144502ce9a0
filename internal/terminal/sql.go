package terminal

import (
	"fmt"
	"strconv"
	"strings"
)

// shown is how many candidates are asked for. rank is pushed down to the table, so that ten thousand pairs cost no more.
const shown = 200

// listColumns are those that the list, its order and its filter need.
const listColumns = "rank, scope, score, severity, expected, path, script, pid, uid, remote_address, remote_port, remote_hostname, " +
	"destinations, interval_ms, jitter, size_bytes, beats, evidence, last_seen, sparkline, insufficient, signature, reason"

// searched are the columns that the filter looks through, in matches as in SQL.
var searched = []string{"path", "script", "remote_address", "remote_hostname", "remote_port", "severity", "signature"}

// listSQL gives the rows of the list in its order: those that match the filter among the first, most of the order first.
func listSQL(filter string, order int) string {
	where := fmt.Sprintf("rank <= %d", shown)
	for _, word := range strings.Fields(filter) {
		// printf reads NULL as nothing; LIKE takes A for a, as matches does
		where += " AND printf('%s" + strings.Repeat(" %s", len(searched)-1) + "', " + strings.Join(searched, ", ") + ") LIKE " +
			quoted("%"+wildcards.Replace(word)+"%") + ` ESCAPE '\'`
	}
	return "SELECT " + listColumns + " FROM beacon_candidates WHERE " + where + " ORDER BY " + orders[order].sql
}

var wildcards = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// candidateSQL gives the row shown and no other: programs of two users are two rows with one signature.
func candidateSQL(r Row) string {
	where := "path = " + quoted(r["path"])
	if uid, err := strconv.ParseUint(r["uid"], 10, 32); err == nil {
		where += " AND uid = " + strconv.FormatUint(uid, 10)
	}
	return "SELECT * FROM beacon_candidates WHERE " + where + " AND signature = " + quoted(r["signature"]) + " AND scope = " + quoted(r["scope"])
}

// historySQL gives its micro-bursts.
func (m *model) historySQL(r Row) string {
	return "SELECT time_ms, bytes, interval_ms FROM process_send_history WHERE " + m.config.History(r) + " ORDER BY time_ms"
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
