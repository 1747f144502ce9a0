package baseline

import (
	"fmt"
	"os"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/inventory"
)

// ReadRules reads a file of rules to be tried. An error names what is wrong with the file, by line and column.
func ReadRules(file string, roles []string) (*inventory.Set, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	set, err := inventory.Parse(file, text, roles)
	if err != nil {
		return nil, fmt.Errorf("the rules would be refused: %w", err)
	}
	return set, nil
}

// Silenced returns the rows that the rules, alone, would make expected and that nothing expects now.
func Silenced(set *inventory.Set, rows []Row, now time.Time) []Row {
	var silenced []Row
	for _, r := range rows {
		if r["expected"] == "1" {
			continue
		}
		if v := set.Judge(subject(r, now)); v.Expected == 1 {
			hit := make(Row, len(r)+1)
			for k, value := range r {
				hit[k] = value
			}
			hit["silenced_by"] = v.Rule
			silenced = append(silenced, hit)
		}
	}
	return silenced
}
