package sqlhost

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCoreTables(t *testing.T) {
	before := time.Now().Unix()
	h := newHost(t, Config{Name: "beacon", Version: "9.8.7"}, numbersTable("numbers", 1))
	require.Equal(t, [][]string{{strconv.Itoa(os.Getpid()), "9.8.7", "inactive", "linux"}},
		query(t, h, "SELECT pid, version, extensions, build_platform FROM osquery_info"))
	require.Len(t, query(t, h, "SELECT 1 FROM osquery_info WHERE start_time BETWEEN "+strconv.FormatInt(before, 10)+" AND unixepoch()"), 1)
	require.Equal(t, [][]string{{"0", "beacon", "9.8.7", "core"}}, query(t, h, "SELECT uuid, name, version, type FROM osquery_extensions"))
	require.Equal(t, [][]string{{"table", "numbers", "0", "0", "1"}}, query(t, h, "SELECT * FROM osquery_registry WHERE name = 'numbers'"))
	require.Equal(t, [][]string{{"numbers"}, {"osquery_extensions"}, {"osquery_info"}, {"osquery_registry"}, {"time"}},
		query(t, h, "SELECT name FROM osquery_registry WHERE registry = 'table' ORDER BY name"))
}

func TestTimeAgreesWithSQLite(t *testing.T) {
	h := newHost(t, Config{})
	rows := query(t, h, `SELECT abs(unix_time - unixepoch()) <= 1,
		datetime = strftime('%Y-%m-%dT%H:%M:%SZ', unix_time, 'unixepoch'), iso_8601 = datetime,
		printf('%04d-%02d-%02dT%02d:%02d:%02dZ', year, month, day, hour, minutes, seconds) = datetime, timezone FROM time`)
	require.Equal(t, [][]string{{"1", "1", "1", "1", "UTC"}}, rows)
}
