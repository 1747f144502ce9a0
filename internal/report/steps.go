package report

import "strings"

// step is something to do next, with the command that does it.
type step struct{ What, Command string }

// steps of the playbook with the words of this candidate filled in. What stands in a row was chosen by whoever ran the
// process: every word of it is quoted.
func steps(r Row) []step {
	if r["host"] != "" || r["path"] == "" {
		return []step{
			{"Find who talks to it now", "ss -tunp dst " + quoted(r["remote_address"])},
			{"Ask for every check-in", `beaconwatch.ext query ` + quoted("SELECT * FROM process_send_history WHERE remote_address = "+sqlQuoted(r["remote_address"]))},
		}
	}
	path, pid := quoted(r["path"]), r["pid"]
	all := []step{
		{"Why it has this score", "beaconwatch.ext explain " + pid},
		{"Is the file what its package installed?", "dpkg -S " + path + " || rpm -qf " + path},
		{"Has it been changed?", "sha256sum " + path + "; stat " + path},
		{"What runs now, and from where", "ls -l /proc/" + pid + "/exe /proc/" + pid + "/cwd; ps -o pid,ppid,user,lstart,cmd -p " + pid},
		{"Which sockets it holds", "ss -tunp | grep pid=" + pid + ","},
		{"Every check-in", `beaconwatch.ext query ` + quoted("SELECT datetime(time, 'unixepoch') AS at, bytes, interval_ms FROM process_send_history WHERE path = "+
			sqlQuoted(r["path"])+" AND remote_address = "+sqlQuoted(r["remote_address"])+" ORDER BY time_ms")},
		{"Keep evidence before you stop it", "cp /proc/" + pid + "/exe evidence-" + pid + ".exe; cp /proc/" + pid + "/maps evidence-" + pid + ".maps"},
	}
	if unit := r["systemd_unit"]; unit != "" {
		all = append(all, step{"Who started it", "systemctl status " + quoted(unit)})
	}
	return all
}

// quoted makes one word of a shell of s, whatever it holds.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func sqlQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
