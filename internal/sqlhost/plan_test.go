package sqlhost

import (
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite/vtab"
)

func TestCostIsOsquerys(t *testing.T) {
	columns := []column{{"indexed", typeBigint, optionIndex}, {"plain", typeBigint, 0}, {"text", typeText, optionAdditional}, {"must", typeText, optionRequired}}
	eq := func(column int) vtab.Constraint {
		return vtab.Constraint{Column: column, Op: vtab.OpEQ, Usable: true, ArgIndex: -1}
	}
	for name, test := range map[string]struct {
		constraints []vtab.Constraint
		used        uint64
		cost        float64
		terms       int
	}{
		"nothing":             {nil, 1, 1_000_000, 0},
		"index":               {[]vtab.Constraint{eq(0)}, 1, 1, 1},
		"not indexed":         {[]vtab.Constraint{eq(1)}, 2, 1_000_000, 0},
		"not usable":          {[]vtab.Constraint{{Column: 0, Op: vtab.OpEQ, ArgIndex: -1}}, 1, 1_000_000, 0},
		"order of text":       {[]vtab.Constraint{{Column: 2, Op: vtab.OpGT, Usable: true, ArgIndex: -1}}, 4, 1_000_010, 0},
		"rowid":               {[]vtab.Constraint{eq(-1)}, 1, 1_000_000, 0},
		"limit":               {[]vtab.Constraint{{Column: 0, Op: vtab.OpLIMIT, Usable: true, ArgIndex: -1}}, 1, 1_000_000, 0},
		"required is missing": {[]vtab.Constraint{eq(0)}, 1 | 8, 1_000_000, 1},
		"required is given":   {[]vtab.Constraint{eq(3)}, 8, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			info := &vtab.IndexInfo{Constraints: test.constraints, ColUsed: test.used}
			p := choose(columns, info)
			require.Equal(t, test.cost, info.EstimatedCost)
			require.Len(t, p.terms, test.terms)
			decoded, err := decodePlan(info.IdxStr, len(columns))
			require.NoError(t, err)
			require.Equal(t, p, decoded)
		})
	}
}

func FuzzPlan(f *testing.F) {
	f.Add("ff;0:2,1:41")
	f.Add("0")
	f.Add("1;;:,")
	f.Add("ffffffffffffffff;3f:fffff")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := decodePlan(s, 64)
		if err != nil {
			return
		}
		for _, term := range p.terms {
			require.Less(t, term.column, 64)
		}
		again, err := decodePlan(p.encode(), 64)
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}
