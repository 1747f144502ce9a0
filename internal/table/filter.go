package table

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"

	"github.com/osquery/osquery-go/plugin/table"

	"github.com/beaconwatch/beaconwatch/internal/history"
)

// matching returns the equalities of a query that the history can look up. Several values for one column mean any of
// them; then that column is left to SQLite, but for pid, for which each value is one filter. ok is false where nothing can
// match.
func matching(ctx table.QueryContext) (filters []history.Filter) {
	var base history.Filter
	if v, one := only(ctx, "path"); one {
		base.Path = v
	}
	if v, one := only(ctx, "remote_address"); one && v != "" { // without an address there is no index: SQLite filters
		addr, err := parseAddr(v)
		if err != nil {
			return nil
		}
		base.Remote = addr
	}
	pids := equals(ctx, "pid")
	if len(pids) == 0 {
		return []history.Filter{base}
	}
	for _, v := range pids {
		pid, err := strconv.ParseInt(v, 10, 32)
		if err != nil || pid < 0 {
			continue
		}
		if pid == 0 { // the unattributed: no index, SQLite filters
			return []history.Filter{base}
		}
		f := base
		f.PID = int32(pid)
		filters = append(filters, f)
	}
	return filters
}

// atMost is the largest whole number, not below 0, that the query lets column have. What it cannot read it leaves to SQLite.
func atMost(ctx table.QueryContext, column string) int {
	most := math.MaxInt
	for _, c := range ctx.Constraints[column].Constraints {
		v, err := strconv.Atoi(c.Expression)
		if err != nil {
			continue
		}
		switch c.Operator {
		case table.OperatorLessThan:
			most = min(most, max(v, 1)-1)
		case table.OperatorLessThanOrEquals, table.OperatorEquals:
			most = min(most, max(v, 0))
		}
	}
	return most
}

func only(ctx table.QueryContext, column string) (string, bool) {
	v := equals(ctx, column)
	if len(v) != 1 {
		return "", false
	}
	return v[0], true
}

// equals returns the distinct values that the query compares column with for equality.
func equals(ctx table.QueryContext, column string) []string {
	var values []string
	for _, c := range ctx.Constraints[column].Constraints {
		if c.Operator == table.OperatorEquals && !slices.Contains(values, c.Expression) {
			values = append(values, c.Expression)
		}
	}
	return values
}

// parseAddr reads an address as rows show it: IPv4-mapped IPv6 is IPv4.
func parseAddr(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("table: %w", err)
	}
	return addr.Unmap(), nil
}
