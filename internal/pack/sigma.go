package pack

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"

	"github.com/goccy/go-yaml"
)

// sigmaRule is a query as a rule in the manner of Sigma (https://sigmahq.io/docs/basics/rules.html): what a detection is,
// with a selection of its rows in osquery's result log. The finding itself is made on the host.
type sigmaRule struct {
	Title          string         `yaml:"title"`
	ID             string         `yaml:"id"`
	Status         string         `yaml:"status"`
	Description    string         `yaml:"description"`
	References     []string       `yaml:"references,omitempty"`
	Tags           []string       `yaml:"tags"`
	LogSource      sigmaSource    `yaml:"logsource"`
	Detection      sigmaDetection `yaml:"detection"`
	FalsePositives []string       `yaml:"falsepositives"`
	Level          string         `yaml:"level"`
}

type sigmaSource struct {
	Product string `yaml:"product"`
	Service string `yaml:"service"`
}

type sigmaDetection struct {
	Selection map[string]string `yaml:"selection"`
	Condition string            `yaml:"condition"`
}

// Sigma returns the queries as rules, one YAML document each.
func Sigma(queries []Query) ([]byte, error) {
	var out bytes.Buffer
	for i, q := range queries {
		r := sigmaRule{Title: q.Title(), ID: sigmaID(q.Name), Status: "experimental", Description: q.Purpose, References: q.References,
			LogSource: sigmaSource{"linux", "osquery"}, FalsePositives: q.FalsePositives, Level: "medium",
			Detection: sigmaDetection{map[string]string{"name|endswith": q.Name, "action": "added"}, "selection"}}
		for _, id := range q.Techniques() {
			r.Tags = append(r.Tags, "attack.t"+id[1:])
		}
		if len(r.Tags) == 0 {
			r.Tags = []string{"attack.t1562.001"} // impairing the sensor is all that is left for a detection without techniques
		}
		text, err := yaml.MarshalWithOptions(r, yaml.Indent(4), yaml.IndentSequence(true))
		if err != nil {
			return nil, fmt.Errorf("pack: rule of %s: %w", q.Name, err)
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(text)
	}
	return out.Bytes(), nil
}

// sigmaID is a UUID of version 5 (RFC 9562) of the name within a name space of our own, so that a rule keeps it.
func sigmaID(name string) string {
	sum := sha1.Sum(append([]byte("beaconwatch.example/q"), name...))
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
