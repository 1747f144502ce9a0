// Package printed reads what beaconwatch.ext query --json prints, for tests that hold every value as text.
package printed

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Rows returns the rows by column: a number as it was written, NULL as the empty string.
func Rows(text []byte) ([]map[string]string, error) {
	values := json.NewDecoder(bytes.NewReader(text))
	values.UseNumber()
	var found []map[string]any
	if err := values.Decode(&found); err != nil {
		return nil, fmt.Errorf("%w in %s", err, text)
	}
	rows := make([]map[string]string, len(found))
	for i, r := range found {
		rows[i] = make(map[string]string, len(r))
		for name, v := range r {
			rows[i][name] = ""
			if v != nil {
				rows[i][name] = fmt.Sprint(v)
			}
		}
	}
	return rows, nil
}
