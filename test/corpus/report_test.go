package corpus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReportHasEverySection(t *testing.T) {
	dir := t.TempDir()
	row := `{"id":"x","label":"beacon","label_conf":"high","class":"c","dst":"192.0.2.1",` + sixSends + `}
{"id":"y","label":"benign","label_conf":"high","class":"d","dst":"192.0.2.2",` + sixSends + `}
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "flows.jsonl"), []byte(row), 0o600))
	var out strings.Builder
	require.NoError(t, Report(&out, Options{Seed: 1, PerClass: 2, Flows: dir}))
	for _, want := range []string{
		"implants against software without a timer, unseen classes", "calibration on held out classes", "exactly n sends", "Poisson senders",
		"share reported, class by class", "cobalt-strike", "crowded *", "idle-gated **", "payload length variance", "price of a flow of 200 sends", "RITA v5, plain",
		"real flows: 1 C2, 1 benign", "by an independent check",
	} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "NaN")
}
