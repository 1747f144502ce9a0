package shell

import "strings"

// splitStatement cuts the first statement off sql. It ends at a ';' that is not in a string, a quoted name or a comment;
// without one, complete is false and rest is empty.
func splitStatement(sql string) (statement, rest string, complete bool) {
	for i := 0; i < len(sql); {
		switch c := sql[i]; {
		case c == ';':
			return sql[:i], sql[i+1:], true
		case c == '\'' || c == '"' || c == '`':
			i += 1 + through(sql[i+1:], string(c))
		case c == '[':
			i += 1 + through(sql[i+1:], "]")
		case strings.HasPrefix(sql[i:], "--"):
			i += through(sql[i:], "\n")
		case strings.HasPrefix(sql[i:], "/*"):
			i += 2 + through(sql[i+2:], "*/")
		default:
			i++
		}
	}
	return sql, "", false
}

// through returns the length of s up to and including end, or all of it.
func through(s, end string) int {
	if i := strings.Index(s, end); i >= 0 {
		return i + len(end)
	}
	return len(s)
}

// blank says whether sql holds nothing to run.
func blank(sql string) bool {
	for {
		sql = strings.TrimSpace(sql)
		switch {
		case sql == "":
			return true
		case strings.HasPrefix(sql, "--"):
			sql = sql[through(sql, "\n"):]
		case strings.HasPrefix(sql, "/*"):
			sql = sql[2+through(sql[2:], "*/"):]
		default:
			return false
		}
	}
}

func isCommand(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), ".") }
