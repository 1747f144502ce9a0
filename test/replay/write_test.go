package replay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var columns = []string{"ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service", "duration",
	"orig_bytes", "resp_bytes", "conn_state", "local_orig", "local_resp", "missed_bytes", "history", "orig_pkts",
	"orig_ip_bytes", "resp_pkts", "resp_ip_bytes", "tunnel_parents"}

var types = []string{"time", "string", "addr", "port", "addr", "port", "enum", "string", "interval", "count", "count", "string",
	"bool", "bool", "count", "string", "count", "count", "count", "count", "set[string]"}

// values are the columns of a row as JSON has them; nil where unset.
func (c conn) values() []any {
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	packets := func(n int) int {
		if n == 0 {
			return 1
		}
		return n/1400 + 4
	}
	return []any{json.Number(fmt.Sprintf("%.6f", began+c.start)), c.uid(), c.orig, c.origPort, c.resp, c.respPort, c.proto,
		text(c.service), json.Number(fmt.Sprintf("%.6f", c.duration)), c.sent, c.received, c.state, c.localOrig, c.localResp, 0,
		text(c.history), packets(c.sent), c.sent + 40*packets(c.sent), packets(c.received), c.received + 40*packets(c.received),
		nil}
}

// tsv writes rows as Zeek's ASCII writer does.
func tsv(rows []conn) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n")
	fmt.Fprintf(&b, "#open\t2023-11-14-22-13-20\n#fields\t%s\n#types\t%s\n", strings.Join(columns, "\t"), strings.Join(types, "\t"))
	for _, c := range rows {
		for i, v := range c.values() {
			switch v := v.(type) {
			case nil:
				b.WriteString("-")
			case bool:
				b.WriteString(map[bool]string{true: "T", false: "F"}[v])
			default:
				fmt.Fprint(&b, v)
			}
			b.WriteByte("\t\n"[min(1, (i+1)/len(columns))])
		}
	}
	b.WriteString("#close\t2023-11-15-00-13-20\n")
	return b.Bytes()
}

// jsonLines writes rows as the JSON writer does, one object a line, in any order of names.
func jsonLines(t testing.TB, rows []conn, change func(map[string]any)) []byte {
	var b bytes.Buffer
	for _, c := range rows {
		row := map[string]any{}
		for i, v := range c.values() {
			if v != nil {
				row[columns[i]] = v
			}
		}
		if change != nil {
			change(row)
		}
		text, err := json.Marshal(row)
		require.NoError(t, err)
		b.Write(append(text, '\n'))
	}
	return b.Bytes()
}

// iso8601 writes time as LogAscii::json_timestamps = JSON::TS_ISO8601 does.
func iso8601(row map[string]any) {
	var seconds, micros int64
	fmt.Sscanf(string(row["ts"].(json.Number)), "%d.%d", &seconds, &micros)
	row["ts"] = time.Unix(seconds, micros*1000).UTC().Format("2006-01-02T15:04:05.000000Z")
}

// nested puts the endpoints into an object of their own.
func nested(row map[string]any) {
	id := map[string]any{}
	for _, name := range []string{"orig_h", "orig_p", "resp_h", "resp_p"} {
		id[name] = row["id."+name]
		delete(row, "id."+name)
	}
	row["id"] = id
}
