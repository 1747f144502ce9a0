package sqlhost

import (
	"database/sql/driver"
	"errors"
	"math"
	"strconv"
	"strings"
)

// sqlValue converts the string a table sent into the SQLite value of a column, as DynamicTableRow::get_column of osquery's
// sql/dynamic_table_row.cpp does: what does not parse becomes NULL, numbers are read in base 0 (so "010" is 8), INTEGER
// keeps 32 bits, and an unsigned value above the signed range is NULL.
func sqlValue(kind, s string) driver.Value {
	switch kind {
	case typeText, typeBlob:
		return s
	case typeInteger:
		if v, ok := parseInteger(s); ok {
			return int64(int32(v))
		}
	case typeBigint, typeUnsigned:
		if v, ok := parseInteger(s); ok {
			return v
		}
	case typeDouble:
		v, err := strconv.ParseFloat(s, 64)
		if (err == nil || errors.Is(err, strconv.ErrRange)) && !math.IsNaN(v) && !strings.Contains(s, "_") {
			return v
		}
	}
	return nil
}

// parseInteger reads all of s as C's strtoll(s, &end, 0) would.
func parseInteger(s string) (int64, bool) {
	digits := strings.TrimLeft(s, "+-")
	base := 10
	switch {
	case len(s)-len(digits) > 1:
		return 0, false
	case len(digits) > 2 && (digits[:2] == "0x" || digits[:2] == "0X"):
		base = 16
		s = s[:len(s)-len(digits)] + digits[2:]
		if digits[2] == '+' || digits[2] == '-' {
			return 0, false
		}
	case len(digits) > 1 && digits[0] == '0':
		base = 8
	}
	v, err := strconv.ParseInt(s, base, 64)
	return v, err == nil
}

// text renders an SQLite value as osquery's results do: NULL is empty, doubles have a decimal point.
func text(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case bool:
		if v {
			return "1"
		}
		return "0"
	case float64:
		s := strconv.FormatFloat(v, 'g', 15, 64)
		if !strings.ContainsAny(s, ".eI") {
			s += ".0"
		}
		return strings.TrimPrefix(s, "+")
	default:
		return ""
	}
}
