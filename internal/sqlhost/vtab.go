package sqlhost

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"strconv"

	"modernc.org/sqlite/vtab"
)

// moduleName is the SQLite module every table of a host is created with. Modules are registered on the host's own driver,
// so hosts do not share it.
const moduleName = "osquery_table"

// module connects "CREATE VIRTUAL TABLE temp.<table> USING osquery_table(<session>)" to the table the session attaches.
type module struct{ host *Host }

func (m module) Create(ctx vtab.Context, args []string) (vtab.Table, error) {
	return m.Connect(ctx, args)
}

func (m module) Connect(ctx vtab.Context, args []string) (vtab.Table, error) {
	if len(args) != 4 {
		return nil, fmt.Errorf("%d arguments, not 4", len(args))
	}
	id, err := strconv.ParseInt(args[3], 10, 64)
	if err != nil {
		return nil, err
	}
	s := m.host.session(id)
	if s == nil || s.attaching == nil {
		return nil, fmt.Errorf("no session is attaching %s", args[2])
	}
	if err := ctx.Declare(s.attaching.schema); err != nil {
		return nil, err
	}
	return &virtualTable{session: s, table: s.attaching}, nil
}

// virtualTable is a table as one session's SQLite connection sees it.
type virtualTable struct {
	session *session
	table   *relation
}

func (t *virtualTable) BestIndex(info *vtab.IndexInfo) error {
	choose(t.table.columns, info)
	return nil
}

func (t *virtualTable) Open() (vtab.Cursor, error) {
	return &cursor{session: t.session, table: t.table}, nil
}
func (t *virtualTable) Disconnect() error { return nil }
func (t *virtualTable) Destroy() error    { return nil }

// cursor holds the rows of one generate call.
type cursor struct {
	session *session
	table   *relation

	planText    string // the plan below, as SQLite carries it
	plan        plan
	reads       reading
	constraints []constraint
	json, spare []byte // the context last asked with, and a buffer for the next

	scan   scan
	listed bool // its rows answer an IN list, kept while SQLite asks for its values one by one
}

// Filter asks the table for the rows that fit the values SQLite has now: once per scan, and once per outer row when the
// table is the inner one of a join. An IN list on an OPTIMIZED column is asked for once; SQLite then picks each value's
// rows itself, because it checks every constraint again.
func (c *cursor) Filter(_ int, planText string, values []vtab.Value) error {
	c.scan.row = 0
	if planText != c.planText {
		p, err := decodePlan(planText, len(c.table.columns))
		if err != nil {
			return err
		}
		c.plan, c.planText, c.reads = p, planText, newReading(c.table, p)
	}
	if len(values) != len(c.plan.terms) {
		return fmt.Errorf("%d values for %d constraints", len(values), len(c.plan.terms))
	}
	if c.plan.missesRequired(c.table.columns) {
		return fmt.Errorf("table %s was queried without a required column in the WHERE clause", c.table.name)
	}
	listed := c.constrain(values)
	asked := c.json
	c.json = c.table.context.append(c.spare[:0], c.constraints, c.plan)
	c.spare = asked
	if listed && c.listed && bytes.Equal(c.json, asked) {
		return nil
	}
	c.listed = false
	c.scan.rows = nil
	rows, err := c.session.generate(c.table, string(c.json), c.reads)
	if err != nil {
		return err
	}
	c.scan.start(c.table, rows)
	c.listed = listed
	return nil
}

// constrain sets the constraints for the values of the plan's terms and says whether a value was widened to its IN list.
func (c *cursor) constrain(values []vtab.Value) (listed bool) {
	c.constraints = c.constraints[:0]
	for i, t := range c.plan.terms {
		value := text(values[i])
		column := c.table.columns[t.column]
		if t.op == opEquals && column.has(optionOptimized) {
			if list := c.session.listWith(column.name, value); list != nil {
				listed = true
				for _, v := range list {
					c.constraints = append(c.constraints, constraint{t.column, t.op, v})
				}
				continue
			}
		}
		if value != "" { // osquery drops NULL and ''
			c.constraints = append(c.constraints, constraint{t.column, t.op, value})
		}
	}
	return listed
}

func (c *cursor) Next() error {
	c.scan.row++
	return nil
}

func (c *cursor) Eof() bool { return c.scan.ended() }

func (c *cursor) Column(i int) (driver.Value, error) {
	if i < 0 || i >= len(c.table.columns) || c.Eof() {
		return nil, fmt.Errorf("table %s has no column %d here", c.table.name, i)
	}
	return c.scan.column(i, c.table.columns[i].kind), nil
}

func (c *cursor) Rowid() (int64, error) { return int64(c.scan.row), nil }

func (c *cursor) Close() error {
	c.scan, c.listed = scan{}, false
	return nil
}
