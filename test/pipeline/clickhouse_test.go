package pipeline

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// clickhouse is ClickHouse in a process of node.
type clickhouse struct {
	node *os.Process
	in   io.Writer
	out  *bufio.Reader
}

func newClickHouse(t *testing.T, now int64) engine {
	c := startClickHouse(t)
	c.exec(t, schema(t, "clickhouse"))
	c.query(t, "ALTER TABLE beacon_result_rows REMOVE TTL") // rows of tests are as old as they like
	c.settle(t, now)
	return c
}

// startClickHouse starts one without tables, perhaps with a configuration file.
func startClickHouse(t *testing.T, config ...string) *clickhouse {
	node, err := exec.LookPath("node")
	if err != nil {
		need.Skip(t, "node is not installed")
	}
	if _, err := os.Stat(filepath.Join("node_modules", "chdb")); err != nil {
		need.Skip(t, "ClickHouse is not installed: npm install --no-package-lock in test/pipeline")
	}
	cmd := exec.Command(node, append([]string{"clickhouse.mjs", filepath.Join(room(t), "data")}, config...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close() // it ends with its input
		_ = cmd.Wait()
	})
	return &clickhouse{cmd.Process, in, bufio.NewReader(out)}
}

func (c *clickhouse) settle(t testing.TB, now int64) {
	c.query(t, fmt.Sprintf("CREATE OR REPLACE VIEW beacon_settings AS SELECT toInt64(%d) AS now, toInt64(%d) AS silent_s", now, silent))
}

func (c *clickhouse) name() string { return "clickhouse" }

func (c *clickhouse) pid() int { return c.node.Pid }

// exec runs statements that end with a semicolon at the end of a line.
func (c *clickhouse) exec(t testing.TB, script string) {
	t.Helper()
	for statement := range strings.SplitSeq(script, ";\n") {
		if strings.TrimSpace(statement) != "" {
			c.query(t, statement)
		}
	}
}

func (c *clickhouse) query(t testing.TB, statement string) [][]string {
	t.Helper()
	quoted, err := json.Marshal(statement)
	require.NoError(t, err)
	_, err = c.in.Write(append(quoted, '\n'))
	require.NoError(t, err)
	line, err := c.out.ReadBytes('\n')
	require.NoError(t, err)
	var reply struct {
		Error string
		Rows  [][]*string
	}
	require.NoError(t, json.Unmarshal(line, &reply))
	require.Empty(t, reply.Error, "%.200s", statement)
	var rows [][]string
	for _, values := range reply.Rows {
		var row []string
		for _, v := range values {
			if v == nil {
				v = new(string)
			}
			row = append(row, *v)
		}
		rows = append(rows, row)
	}
	return rows
}

func (c *clickhouse) load(t testing.TB, path string) {
	t.Helper()
	c.query(t, fmt.Sprintf("INSERT INTO beacon_lines SELECT line FROM file('%s', LineAsString)", path))
}

func (c *clickhouse) list(t testing.TB, assets map[string]string) { c.exec(t, insert(assets)) }
