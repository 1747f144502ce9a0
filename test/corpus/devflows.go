package corpus

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// RealFlow is a flow of a public capture whose label can be trusted. Unicast is false for destinations that are not
// outbound traffic: multicast, broadcast, link-local and loopback.
type RealFlow struct {
	simulate.Flow
	Beacon  bool
	Unicast bool
}

// row is what we read of one line of a flow file.
type row struct {
	ID         string       `json:"id"`
	Label      string       `json:"label"`
	Confidence string       `json:"label_conf"`
	Class      string       `json:"class"`
	ViewOf     string       `json:"view_of"`
	Level      string       `json:"level"`
	Window     float64      `json:"window_s"`
	To         string       `json:"dst"`
	Sends      [][2]float64 `json:"sends"`
}

// fewestSends is how many sends a real flow needs to be judged.
const fewestSends = 6

// RealFlows reads every *.jsonl of a directory and keeps the flows labelled beacon or benign with high or medium
// confidence that have at least six sends and are not a second view of another flow.
func RealFlows(dir string) ([]RealFlow, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("corpus: no *.jsonl in %s", dir)
	}
	var flows []RealFlow
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("corpus: %w", err)
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, len(text)+1)
		for n := 1; lines.Scan(); n++ {
			var r row
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				return nil, fmt.Errorf("corpus: %s:%d: %w", file, n, err)
			}
			if r.trusted() {
				flows = append(flows, r.flow())
			}
		}
	}
	return flows, nil
}

func (r row) trusted() bool {
	return (r.Label == "beacon" || r.Label == "benign") && (r.Confidence == "high" || r.Confidence == "medium") &&
		r.ViewOf == "" && len(r.Sends) >= fewestSends
}

func (r row) flow() RealFlow {
	f := RealFlow{Beacon: r.Label == "beacon", Unicast: unicast(r.To)}
	f.ID, f.Class, f.Kind = r.ID, r.Class, simulate.Aperiodic
	if f.Beacon {
		f.Kind = simulate.Implant
	}
	f.Resolution = time.Millisecond
	if r.Level == "wfp5156" { // the source's own note: these event times are whole seconds
		f.Resolution = time.Second
	}
	slices.SortStableFunc(r.Sends, func(a, b [2]float64) int { return cmp.Compare(a[0], b[0]) })
	for _, s := range r.Sends {
		f.At = append(f.At, time.Duration(math.Round(s[0]*1e3))*time.Millisecond)
		f.Bytes = append(f.Bytes, uint64(max(s[1], 0)))
	}
	f.Window = max(time.Duration(r.Window*float64(time.Second)), f.At[len(f.At)-1])
	return f
}

// unicast says whether the destination is one host other than this one. Directed broadcast is recognised in /24 networks
// only, for a flow does not state its mask. The metadata address of clouds is link-local by number and left out here too.
func unicast(to string) bool {
	a, err := netip.ParseAddr(to)
	if err != nil {
		return true // an anonymised name
	}
	a = a.Unmap()
	return !a.IsMulticast() && !a.IsLinkLocalUnicast() && !a.IsLoopback() && !a.IsUnspecified() &&
		!(a.Is4() && strings.HasSuffix(a.String(), ".255"))
}
