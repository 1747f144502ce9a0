package sqlhost

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/osquery/osquery-go/gen/osquery"
)

// Column options, the bit mask of ColumnOptions in osquery's core/sql/column.h.
const (
	optionIndex = 1 << iota
	optionRequired
	optionAdditional
	optionOptimized
	optionHidden
)

// Column types by osquery's names in core/sql/column.h (columnTypeName).
const (
	typeText     = "TEXT"
	typeInteger  = "INTEGER"
	typeBigint   = "BIGINT"
	typeUnsigned = "UNSIGNED BIGINT"
	typeDouble   = "DOUBLE"
	typeBlob     = "BLOB"
	typeUnknown  = "UNKNOWN"
)

const (
	maxColumns    = 2000 // SQLite's SQLITE_MAX_COLUMN
	maxColumnName = 255
)

type column struct {
	name    string
	kind    string
	options int
}

func (c column) has(option int) bool { return c.options&option != 0 }

// pushed says whether osquery hands constraints on the column to the table.
func (c column) pushed() bool { return c.has(optionIndex | optionAdditional | optionRequired) }

// parseColumns reads a table's routes: maps with id "column", name, type and op (the options). Other ids, such as aliases,
// are skipped. With defaultIndex a column without options becomes an INDEX column.
func parseColumns(routes osquery.ExtensionPluginResponse, defaultIndex bool) ([]column, error) {
	var columns []column
	seen := map[string]bool{}
	for _, route := range routes {
		if route["id"] != "column" {
			continue
		}
		c := column{name: route["name"], kind: typeName(route["type"])}
		switch folded := strings.ToLower(c.name); {
		case c.name == "" || len(c.name) > maxColumnName || strings.ContainsRune(c.name, 0):
			return nil, fmt.Errorf("%.40q is not a column name", c.name)
		case seen[folded]:
			return nil, fmt.Errorf("column %q is there twice", c.name)
		default:
			seen[folded] = true
		}
		if op, err := strconv.ParseInt(route["op"], 10, 32); err == nil {
			c.options = int(op)
		}
		if c.options == 0 && defaultIndex {
			c.options = optionIndex
		}
		columns = append(columns, c)
	}
	switch {
	case len(columns) == 0:
		return nil, errors.New("there are no columns")
	case len(columns) > maxColumns:
		return nil, fmt.Errorf("%d columns are more than %d", len(columns), maxColumns)
	}
	return columns, nil
}

func typeName(s string) string {
	switch s {
	case typeText, typeInteger, typeBigint, typeUnsigned, typeDouble, typeBlob:
		return s
	}
	return typeUnknown
}

// declare returns the CREATE TABLE statement that tells SQLite the shape of the table.
func declare(columns []column) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE x(")
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quoteIdentifier(c.name))
		b.WriteByte(' ')
		b.WriteString(c.kind)
		if c.has(optionHidden) {
			b.WriteString(" HIDDEN")
		}
	}
	b.WriteByte(')')
	return b.String()
}

func quoteIdentifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
