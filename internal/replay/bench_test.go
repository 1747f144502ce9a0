package replay

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const zeekHeader = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n" +
	"#open\t2024-01-02-03-04-05\n" +
	"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\t" +
	"conn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\t" +
	"tunnel_parents\n" +
	"#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\t" +
	"string\tbool\tbool\tcount\tstring\tcount\tcount\tcount\tcount\tset[string]\n"

func benchRow(i int) string {
	return fmt.Sprintf("%d.%06d\tCAcJw2%08d\t10.1.%d.%d\t%d\t198.51.%d.%d\t443\ttcp\tssl\t0.%06d\t%d\t%d\tSF\tT\tF\t0\t"+
		"ShADadFf\t8\t1021\t9\t4711\t(empty)", 1700000000+i/500, i*7919%1000000, i, i%4, i%200, 1024+i%60000, i%7, i%250,
		i*31%1000000, 100+i%2000, 1000+i%9000)
}

func benchJSONRow(i int) string {
	return fmt.Sprintf(`{"ts":%d.%06d,"uid":"CAcJw2%08d","id.orig_h":"10.1.%d.%d","id.orig_p":%d,"id.resp_h":"198.51.%d.%d",`+
		`"id.resp_p":443,"proto":"tcp","service":"ssl","duration":0.%06d,"orig_bytes":%d,"resp_bytes":%d,"conn_state":"SF",`+
		`"local_orig":true,"local_resp":false,"missed_bytes":0,"history":"ShADadFf","orig_pkts":8,"orig_ip_bytes":1021,`+
		`"resp_pkts":9,"resp_ip_bytes":4711}`, 1700000000+i/500, i*7919%1000000, i, i%4, i%200, 1024+i%60000, i%7, i%250,
		i*31%1000000, 100+i%2000, 1000+i%9000)
}

func lines(header string, n int, row func(int) string) []byte {
	var b bytes.Buffer
	b.WriteString(header)
	for i := range n {
		b.WriteString(row(i))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

const benchRows = 50_000

// readAll reads the text as standard input and returns how many records it gave.
func readAll(tb testing.TB, text []byte) int {
	r, err := Open([]string{"-"}, Config{Stdin: bytes.NewReader(text)})
	require.NoError(tb, err)
	defer r.Close()
	n := 0
	for record := (Record{}); ; n++ {
		if err := r.Next(&record); errors.Is(err, io.EOF) {
			break
		}
	}
	require.Zero(tb, r.Stats().Bad)
	return n
}

func perRow(b *testing.B, n int) {
	b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
}

func BenchmarkZeekTSV(b *testing.B) {
	text := lines(zeekHeader, benchRows, benchRow)
	b.Run("replay", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			require.Equal(b, 2*benchRows, readAll(b, text))
		}
		perRow(b, benchRows)
	})
	b.Run("yardstick encoding/csv", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			r := csv.NewReader(bytes.NewReader(text))
			r.Comma, r.Comment, r.ReuseRecord = '\t', '#', true
			n := 0
			for ; ; n++ {
				row, err := r.Read()
				if err == io.EOF {
					break
				}
				_, err = strconv.ParseFloat(row[0], 64)
				require.NoError(b, err)
				_, err = strconv.ParseUint(row[9], 10, 64)
				require.NoError(b, err)
			}
			require.Equal(b, benchRows, n)
		}
		perRow(b, benchRows)
	})
}

func BenchmarkZeekJSON(b *testing.B) {
	text := lines("", benchRows, benchJSONRow)
	b.Run("replay", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			require.Equal(b, 2*benchRows, readAll(b, text))
		}
		perRow(b, benchRows)
	})
	b.Run("yardstick encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			dec, n := json.NewDecoder(bytes.NewReader(text)), 0
			for ; ; n++ {
				var row struct {
					TS        float64 `json:"ts"`
					OrigH     string  `json:"id.orig_h"`
					RespH     string  `json:"id.resp_h"`
					RespP     uint16  `json:"id.resp_p"`
					Proto     string  `json:"proto"`
					OrigBytes uint64  `json:"orig_bytes"`
					State     string  `json:"conn_state"`
				}
				if dec.Decode(&row) == io.EOF {
					break
				}
			}
			require.Equal(b, benchRows, n)
		}
		perRow(b, benchRows)
	})
}

func BenchmarkFlowMillionSends(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"id":"long","sends":[`)
	for i := range 1_000_000 {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, "[%d.%06d,%d]", i*3, i*7919%1000000, 100+i%1400)
	}
	text.WriteString("]}")
	line := []byte(text.String())
	b.Run("replay", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(line)))
		var f Flow
		for b.Loop() {
			require.NoError(b, f.Decode(line))
		}
	})
	b.Run("yardstick encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(line)))
		for b.Loop() {
			var f struct {
				ID    string
				Sends [][2]float64
			}
			require.NoError(b, json.Unmarshal(line, &f))
		}
	})
}
