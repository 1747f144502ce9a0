package corpus

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const sixSends = `"sends":[[5,1],[0,9],[1,1],[2,1],[3,1],[4.5005,1]]`

func TestRealFlowsKeepsWhatCanBeTrusted(t *testing.T) {
	dir := t.TempDir()
	text := `{"id":"good","label":"beacon","label_conf":"high","class":"c","window_s":10,"dst":"192.0.2.1",` + sixSends + `}
{"id":"benign","label":"benign","label_conf":"medium","class":"d","window_s":1,"level":"wfp5156","dst":"239.255.255.250",` + sixSends + `}
{"id":"low","label":"beacon","label_conf":"low","class":"c",` + sixSends + `}
{"id":"view","label":"beacon","label_conf":"high","view_of":"good",` + sixSends + `}
{"id":"unknown","label":"unknown","label_conf":"high",` + sixSends + `}
{"id":"short","label":"benign","label_conf":"high","sends":[[0,1],[1,1],[2,1],[3,1],[4,1]]}
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.jsonl"), []byte(text), 0o600))
	flows, err := RealFlows(dir)
	require.NoError(t, err)
	require.Len(t, flows, 2)
	good, benign := flows[0], flows[1]
	require.Equal(t, "good", good.ID)
	require.True(t, good.Beacon)
	require.True(t, good.Unicast)
	require.Equal(t, 10*time.Second, good.Window)
	require.Equal(t, []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second, 4501 * time.Millisecond, 5 * time.Second}, good.At)
	require.Equal(t, []uint64{9, 1, 1, 1, 1, 1}, good.Bytes)
	require.False(t, benign.Beacon)
	require.False(t, benign.Unicast)
	require.Equal(t, time.Second, benign.Resolution)
	require.Equal(t, 5*time.Second, benign.Window, "no shorter than the flow")
}

func TestRealFlowsNamesABrokenLine(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b.jsonl"), []byte("{}\n{\"sends\":7}\n"), 0o600))
	_, err := RealFlows(dir)
	require.ErrorContains(t, err, "b.jsonl:2: ")
	_, err = RealFlows(t.TempDir())
	require.ErrorContains(t, err, "no *.jsonl in ")
}

func TestUnicast(t *testing.T) {
	tests := map[string]bool{
		"192.0.2.7": true, "10.0.0.1": true, "2001:db8::1": true, "some-name": true,
		"224.0.0.251": false, "255.255.255.255": false, "10.1.2.255": false, "169.254.169.254": false, "127.0.0.53": false,
		"::1": false, "fe80::1": false, "ff02::fb": false, "::ffff:127.0.0.1": false, "0.0.0.0": false,
	}
	for to, want := range tests {
		require.Equal(t, want, unicast(to), to)
	}
}
