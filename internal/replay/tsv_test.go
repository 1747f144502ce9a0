package replay

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shortHeader has the columns that must be there and two more, in an order of its own.
const shortHeader = "#separator \\x09\n#unset_field\t-\n#empty_field\t(empty)\n#path\tconn\n" +
	"#fields\tconn_state\tts\tservice\tid.orig_h\tid.resp_h\tid.resp_p\tproto\torig_bytes"

func headerOf(t testing.TB, lines string) *header {
	h := newHeader()
	for line := range strings.SplitSeq(lines, "\n") {
		require.NoError(t, h.read([]byte(line)))
	}
	return &h
}

func TestRowFollowsTheOrderOfFields(t *testing.T) {
	h := headerOf(t, shortHeader)
	var f fields
	require.NoError(t, h.row([]byte("SF\t1.5\tssl\t10.0.0.1\t192.0.2.1\t443\ttcp\t-"), &f))
	require.Equal(t, "1.5", string(f[fieldTS]))
	require.Equal(t, "SF", string(f[fieldState]))
	require.Equal(t, "443", string(f[fieldRespP]))
	require.Nil(t, f[fieldOrigBytes], "unset")
	require.Nil(t, f[fieldDuration], "no such column")
	require.NoError(t, h.row([]byte("SF\t1.5\tssl\t10.0.0.1\t192.0.2.1\t443\ttcp\t(empty)"), &f))
	require.Nil(t, f[fieldOrigBytes], "empty")
}

func TestRowRefusesAnotherNumberOfColumns(t *testing.T) {
	h := headerOf(t, shortHeader)
	for line, want := range map[string]string{
		"SF\t1.5\tssl\t10.0.0.1\t192.0.2.1\t443\ttcp":       "7 columns where #fields has 8",
		"SF\t1.5\tssl\t10.0.0.1\t192.0.2.1\t443\ttcp\t1\t2": "9 columns where #fields has 8",
		"SF": "1 columns where #fields has 8",
	} {
		require.EqualError(t, h.row([]byte(line), new(fields)), want)
	}
	fresh := newHeader()
	require.ErrorIs(t, fresh.row([]byte("SF\t1.5"), new(fields)), errNoHeader)
}

func TestHeaderOfAnotherSeparatorAndUnsetField(t *testing.T) {
	h := headerOf(t, strings.ReplaceAll(strings.Replace(shortHeader, `\x09`, `\x7c`, 1), "\t", "|"))
	require.NoError(t, h.read([]byte("#unset_field|nil")))
	var f fields
	require.NoError(t, h.row([]byte("SF|1.5|-|10.0.0.1|192.0.2.1|443|tcp|nil"), &f))
	require.Equal(t, "10.0.0.1", string(f[fieldOrigH]))
	require.Nil(t, f[fieldOrigBytes])
	require.NoError(t, h.read([]byte(`#separator \x09`)))
	require.ErrorIs(t, h.row([]byte("SF"), &f), errNoHeader, "a new header block forgets the last one")
}

func TestHeaderRefuses(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"a long separator", `#separator \x09\x09`, `#separator "\\x09\\x09" is not one byte`},
		{"no separator", `#separator `, `#separator "" is not one byte`},
		{"a broken escape", `#separator \xzz`, `#separator "\\xzz" is not one byte`},
		{"another log", "#fields\tts\tuid\tid.orig_h\tid.resp_h\tid.resp_p\tproto\tquery",
			"not a conn.log: #fields has no conn_state"},
		{"a column twice", "#fields\tts\tts", "#fields names ts twice"},
		{"types of other fields", "#types\ttime", "#types has 1 columns, #fields 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHeader()
			require.EqualError(t, h.read([]byte(tt.line)), tt.want)
		})
	}
}

func TestJSONRow(t *testing.T) {
	tests := []struct{ name, line string }{
		{"flat", `{"ts":1.5,"id.orig_h":"10.0.0.1","id.orig_p":5,"orig_bytes":null,"local_orig":true,"x":{"ts":3}}`},
		{"nested id", `{"id":{"orig_h":"10.0.0.1","orig_p":5,"extra":[1]},"ts":1.5,"local_orig":true}`},
		{"the last counts", `{"ts":9,"id.orig_h":"::","id.orig_h":"10.0.0.1","id.orig_p":5,"ts":1.5,"local_orig":true}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f fields
			require.NoError(t, jsonRow([]byte(tt.line), &f))
			require.Equal(t, "1.5", string(f[fieldTS]))
			require.Equal(t, "10.0.0.1", string(f[fieldOrigH]))
			require.Equal(t, "5", string(f[fieldOrigP]))
			require.Equal(t, "true", string(f[fieldLocalOrig]))
			require.Nil(t, f[fieldOrigBytes])
		})
	}
	for _, line := range []string{`[]`, `{"ts":1`, `{"ts":1}x`, `{"id":{"orig_h":}}`, `"ts"`} {
		require.ErrorContains(t, jsonRow([]byte(line), new(fields)), "broken JSON", line)
	}
}

// FuzzRow: a row says the same in both formats of Zeek.
func FuzzRow(f *testing.F) {
	f.Add("1700000000.25", "10.0.0.1", "192.0.2.1", "443", "tcp", "2.5", "151", "SF", "ShADad")
	f.Add("1700000000", "fd00::1", "2001:db8::1", "0", "icmp", "", "", "OTH", "")
	f.Add("2023-11-14T22:13:20Z", "203.0.113.1", "::ffff:192.0.2.1", "53", "udp", "-1", "1e5", "S0", "D")
	f.Add("1700000000123", "10.0.0.1", "x", "65536", "sctp", "1e400", "-0", "REJ", "Sr")
	h := headerOf(f, "#fields\tts\tid.orig_h\tid.resp_h\tid.resp_p\tproto\tduration\torig_bytes\tconn_state\thistory")
	names := []string{"ts", "id.orig_h", "id.resp_h", "id.resp_p", "proto", "duration", "orig_bytes", "conn_state", "history"}
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g, i, j, k string) {
		values, members := []string{a, b, c, d, e, g, i, j, k}, []string(nil)
		for i, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }) || v == "-" || v == "(empty)" {
				return
			}
			if v != "" {
				members = append(members, `"`+names[i]+`":"`+v+`"`)
			}
		}
		var tsv, json fields
		require.NoError(t, h.row([]byte(strings.Join(values, "\t")), &tsv))
		require.NoError(t, jsonRow([]byte("{"+strings.Join(members, ",")+"}"), &json))
		require.Equal(t, tsv, json)
		var fromTSV, fromJSON row
		skipTSV, errTSV := newConnReader().read(&tsv, &fromTSV)
		skipJSON, errJSON := newConnReader().read(&json, &fromJSON)
		require.Equal(t, errTSV, errJSON)
		require.Equal(t, skipTSV, skipJSON)
		require.Equal(t, fromTSV, fromJSON)
		if errTSV == nil && skipTSV == kept {
			require.Positive(t, fromTSV.send.At)
			require.GreaterOrEqual(t, fromTSV.ended, fromTSV.send.At.Add(-fromTSV.send.Within))
		}
	})
}
