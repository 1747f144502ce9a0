package sqlhost

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	osquerygo "github.com/osquery/osquery-go"
	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"
)

// wideTable is of the size of the candidates: 30 columns, a third of them numbers.
func wideTable(name string, rows int) *table.Plugin {
	columns := []table.ColumnDefinition{table.BigIntColumn("pid", table.IndexColumn())}
	for i := range 29 {
		if i%3 == 0 {
			columns = append(columns, table.BigIntColumn(fmt.Sprintf("n%d", i), table.AdditionalColumn()))
		} else {
			columns = append(columns, table.TextColumn(fmt.Sprintf("t%d", i), table.AdditionalColumn()))
		}
	}
	data := make([]map[string]string, rows)
	for r := range data {
		row := map[string]string{"pid": strconv.Itoa(r)}
		for i, c := range columns[1:] {
			if c.Type == table.ColumnTypeBigInt {
				row[c.Name] = strconv.Itoa(r * i)
			} else {
				row[c.Name] = "/usr/lib/systemd/" + c.Name
			}
		}
		data[r] = row
	}
	return table.NewPlugin(name, columns, func(_ context.Context, q table.QueryContext) ([]map[string]string, error) {
		if list := q.Constraints["pid"].Constraints; len(list) == 1 && list[0].Operator == table.OperatorEquals {
			if n, err := strconv.Atoi(list[0].Expression); err == nil && n < rows {
				return data[n : n+1], nil
			}
		}
		return data, nil
	})
}

func buffered() []osquerygo.ServerOption {
	return []osquerygo.ServerOption{osquerygo.WithTransportFactory(thrift.NewTBufferedTransportFactory(bufferSize))}
}

// BenchmarkRows reads 5 000 rows of 30 columns: from a table of this process, and from an extension with the buffered and
// with osquery-go's default transport, which is the yardstick.
func BenchmarkRows(b *testing.B) {
	for _, way := range []struct {
		name    string
		remote  bool
		options []osquerygo.ServerOption
	}{{"inprocess", false, nil}, {"buffered", true, buffered()}, {"unbuffered", true, nil}} {
		b.Run(way.name, func(b *testing.B) {
			h := newHost(b, Config{})
			tb := wideTable("wide", 5000)
			if way.remote {
				socket, _ := serve(b, h)
				startExtension(b, socket, "friend", way.options, tb)
				waitForTable(b, h, "wide")
			} else {
				require.NoError(b, h.RegisterTable(tb))
			}
			b.ReportAllocs()
			for b.Loop() {
				require.Len(b, benchQuery(b, h, "SELECT * FROM wide"), 5000)
			}
		})
	}
}

// BenchmarkJoin joins 1 000 outer rows with an indexed table: one generate call each.
func BenchmarkJoin(b *testing.B) {
	for _, way := range []string{"inprocess", "extension"} {
		b.Run(way, func(b *testing.B) {
			h := newHost(b, Config{}, numbersTable("numbers", 1000))
			tb := wideTable("wide", 5000)
			if way == "extension" {
				socket, _ := serve(b, h)
				startExtension(b, socket, "friend", buffered(), tb)
				waitForTable(b, h, "wide")
			} else {
				require.NoError(b, h.RegisterTable(tb))
			}
			b.ReportAllocs()
			for b.Loop() {
				require.Len(b, benchQuery(b, h, "SELECT n, t1 FROM numbers LEFT JOIN wide ON pid = n"), 1000)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/call")
		})
	}
}

// BenchmarkStatement is the fixed cost of a statement.
func BenchmarkStatement(b *testing.B) {
	h := newHost(b, Config{}, numbersTable("numbers", 1))
	b.ReportAllocs()
	for b.Loop() {
		benchQuery(b, h, "SELECT n FROM numbers")
	}
}

func benchQuery(b *testing.B, h *Host, sql string) [][]string {
	_, rows, err := h.Query(context.Background(), sql)
	if err != nil {
		b.Fatal(err)
	}
	return rows
}
