package report

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

// step is something to do next, with the command that does it.
type step struct{ What, Command string }

// steps of the playbook with the words of this candidate filled in. What stands in a row was chosen by whoever ran the
// process: every word of it is quoted.
func steps(r Row) []step {
	if r["host"] != "" || r["path"] == "" {
		all := []step{{"Ask for every check-in", `beaconwatch.ext query ` + quoted("SELECT * FROM process_send_history WHERE "+History(r)+" ORDER BY time_ms")}}
		if to := r["remote_address"]; to != "" {
			all = append(all, step{"Find who talks to it now", "ss -tunp dst " + quoted(to)})
		}
		return all
	}
	path := quoted(r["path"])
	all := []step{
		{"Why it has this score", "beaconwatch.ext explain " + quoted(r["signature"])}, // the process of a one-shot sender is another by then
		{"Is the file what its package installed?", "dpkg -S " + path + " || rpm -qf " + path},
		{"Has it been changed?", "sha256sum " + path + "; stat " + path},
	}
	if ended(r) {
		all = append(all, ofEnded(r)...)
	} else {
		pid := strconv.Itoa(int(figure.Number(r["pid"])))
		all = append(all, step{"What runs now, and from where", look(pid)},
			step{"Which sockets it holds", "ss -tunp | grep pid=" + pid + ","},
			step{"Keep evidence before you stop it", "cp /proc/" + pid + "/exe evidence-" + pid + ".exe; cp /proc/" + pid + "/maps evidence-" + pid + ".maps"})
	}
	all = append(all, step{"Every check-in", `beaconwatch.ext query ` +
		quoted("SELECT datetime(time, 'unixepoch') AS at, bytes, interval_ms FROM process_send_history WHERE "+History(r)+" ORDER BY time_ms")})
	if unit := r["systemd_unit"]; unit != "" {
		all = append(all, step{"Who started it", "systemctl status " + quoted(unit)})
	}
	return all
}

// ofEnded are steps where the process is gone: its parent may be there still, and its file.
func ofEnded(r Row) []step {
	var all []step
	if parent := figure.Number(r["parent"]); parent > 1 {
		all = append(all, step{"The process has ended. What started it, if that still runs", look(r["parent"])})
	}
	if !strings.HasSuffix(r["path"], " (deleted)") && !strings.HasPrefix(r["path"], "/memfd:") {
		all = append(all, step{"Keep evidence: the process has ended, its file may be there", "cp -p " + quoted(r["path"]) + " evidence.exe"})
	}
	if r["remote_address"] != "" {
		all = append(all, step{"Which process sends next, if you are quick", "ss -tunp dst " + quoted(r["remote_address"])})
	}
	return all
}

// ended reports whether there is no use in looking the process up: it has ended, or every other check-in has a new one.
func ended(r Row) bool {
	return r["exited"] == "1" || figure.Number(r["process_count"]) > max(1, figure.Number(r["beats"])/2)
}

func look(pid string) string {
	return "ls -l /proc/" + pid + "/exe /proc/" + pid + "/cwd; ps -o pid,ppid,user,lstart,cmd -p " + pid
}

// History is the condition in SQL that rows of process_send_history are the check-ins of a candidate and of no other.
func History(r Row) string {
	where := "path = " + sqlQuoted(r["path"])
	if uid, err := strconv.ParseUint(r["uid"], 10, 32); err == nil {
		where += " AND uid = " + strconv.FormatUint(uid, 10)
	}
	signature := r["signature"]
	if r["scope"] == "process" { // of all destinations: the signature ends in a star instead of one
		prefix := strings.TrimSuffix(signature, "*")
		return where + " AND substr(signature, 1, " + strconv.Itoa(utf8.RuneCountInString(prefix)) + ") = " + sqlQuoted(prefix)
	}
	return where + " AND remote_address = " + sqlQuoted(r["remote_address"]) + " AND signature = " + sqlQuoted(signature)
}

// quoted makes one word of a shell of s, whatever it holds.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func sqlQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
