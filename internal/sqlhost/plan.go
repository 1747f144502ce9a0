package sqlhost

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"modernc.org/sqlite/vtab"
)

// maxIndexCost is osquery's kMaxIndexCost: what a plan without a usable index constraint costs.
const maxIndexCost = 1_000_000

// Operators as osquery passes them, ConstraintOperator in its core/tables.h; the numbers are SQLite's
// SQLITE_INDEX_CONSTRAINT_*.
const opEquals = 2

// osqueryOp returns the operator's number, or 0 for what concerns no column (LIMIT, OFFSET) or is not known.
func osqueryOp(op vtab.ConstraintOp) int {
	switch op {
	case vtab.OpEQ:
		return opEquals
	case vtab.OpGT:
		return 4
	case vtab.OpLE:
		return 8
	case vtab.OpLT:
		return 16
	case vtab.OpGE:
		return 32
	case vtab.OpMATCH:
		return 64
	case vtab.OpLIKE:
		return 65
	case vtab.OpGLOB:
		return 66
	case vtab.OpREGEXP:
		return 67
	case vtab.OpNE:
		return 68
	case vtab.OpISNOT:
		return 69
	case vtab.OpISNOTNULL:
		return 70
	case vtab.OpISNULL:
		return 71
	case vtab.OpIS:
		return 72
	}
	return 0
}

// sensible is osquery's sensibleComparison: ordering of text is SQLite's business, never a table's.
func sensible(kind string, op vtab.ConstraintOp) bool {
	switch op {
	case vtab.OpGT, vtab.OpGE, vtab.OpLT, vtab.OpLE:
		return kind != typeText
	}
	return true
}

// plan is what xBestIndex decides and xFilter needs: which constraints arrive, in argument order, and which columns the
// statement reads. It travels through SQLite as text.
type plan struct {
	terms []term
	used  uint64 // SQLite's colUsed: bit 63 stands for every column from 63 on
}

type term struct{ column, op int }

// choose makes osquery's xBestIndex decisions and writes them into info.
func choose(columns []column, info *vtab.IndexInfo) plan {
	p := plan{used: info.ColUsed}
	cost := float64(maxIndexCost)
	requiredGiven := false
	for i := range info.Constraints {
		c := &info.Constraints[i]
		op := osqueryOp(c.Op)
		if !c.Usable || op == 0 || c.Column < 0 || c.Column >= len(columns) {
			continue
		}
		column := columns[c.Column]
		if !sensible(column.kind, c.Op) {
			cost += 10
			continue
		}
		if !column.pushed() {
			continue // SQLite filters it
		}
		requiredGiven = requiredGiven || column.has(optionRequired)
		cost = 1
		c.ArgIndex = len(p.terms)
		p.terms = append(p.terms, term{c.Column, op})
	}
	if !requiredGiven {
		for i, column := range columns {
			if column.has(optionRequired) && p.uses(i) {
				cost = maxIndexCost
			}
		}
	}
	info.EstimatedCost = cost
	info.IdxStr = p.encode()
	return p
}

func (p plan) uses(column int) bool { return p.used&(1<<min(column, 63)) != 0 }

// missesRequired says that the table has required columns and no term is on one of them, which osquery refuses.
func (p plan) missesRequired(columns []column) bool {
	required := false
	for i, c := range columns {
		if !c.has(optionRequired) {
			continue
		}
		required = true
		for _, t := range p.terms {
			if t.column == i {
				return false
			}
		}
	}
	return required
}

// encode writes the plan as "used;column:op,column:op", numbers in hexadecimal.
func (p plan) encode() string {
	b := strconv.AppendUint(nil, p.used, 16)
	for i, t := range p.terms {
		b = append(b, ",;"[btoi(i == 0)])
		b = strconv.AppendInt(b, int64(t.column), 16)
		b = append(b, ':')
		b = strconv.AppendInt(b, int64(t.op), 16)
	}
	return string(b)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// decodePlan reads what encode wrote for a table of that many columns.
func decodePlan(s string, columns int) (plan, error) {
	used, terms, found := strings.Cut(s, ";")
	var p plan
	var err error
	if p.used, err = strconv.ParseUint(used, 16, 64); err != nil {
		return plan{}, fmt.Errorf("plan %q: %w", s, err)
	}
	if !found {
		return p, nil
	}
	for t := range strings.SplitSeq(terms, ",") {
		column, op, _ := strings.Cut(t, ":")
		c, err1 := strconv.ParseInt(column, 16, 32)
		o, err2 := strconv.ParseInt(op, 16, 32)
		if err := errors.Join(err1, err2); err != nil || c < 0 || int(c) >= columns {
			return plan{}, fmt.Errorf("plan %q: bad term %q", s, t)
		}
		p.terms = append(p.terms, term{int(c), int(o)})
	}
	return p, nil
}
