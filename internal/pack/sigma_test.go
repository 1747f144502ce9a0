package pack

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

func TestSigmaRules(t *testing.T) {
	text, err := Sigma([]Query{
		{Name: "beacon_alert", Purpose: "Programs that beacon. And more.", Attack: []string{"AN0597", "T1030"}, FalsePositives: []string{"agents: of vendors"}},
		{Name: "beacon_other", Purpose: "Another."},
	})
	require.NoError(t, err)
	ids := map[string]bool{}
	for document := range strings.SplitSeq(string(text), "---\n") {
		var r sigmaRule
		require.NoError(t, yaml.UnmarshalWithOptions([]byte(document), &r, yaml.Strict()))
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, r.ID)
		require.False(t, ids[r.ID], "an id of its own")
		ids[r.ID] = true
		require.NotEmpty(t, r.Tags)
		require.Equal(t, "selection", r.Detection.Condition)
	}
	require.Len(t, ids, 2)
	require.Contains(t, string(text), "attack.t1030")
}
