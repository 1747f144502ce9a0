package baseline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/inventory"
)

// Silenced returns the rows that the rules in a file, alone, would make expected and that nothing expects now. An error
// names what is wrong with the file, by line and column.
func Silenced(file string, roles []string, rows []Row, now time.Time) ([]Row, error) {
	set, err := loadAlone(file, roles)
	if err != nil {
		return nil, err
	}
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
	return silenced, nil
}

// loadAlone loads one file as if it were all the operator has, without catalogue or roles. The directory that is read is one
// of our own, so that whose the file is does not matter yet.
func loadAlone(file string, roles []string) (*inventory.Set, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "beaconwatch-rules-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	rules, shipped := filepath.Join(dir, "rules"), filepath.Join(dir, "shipped")
	for _, d := range []string{rules, shipped, filepath.Join(shipped, "catalogue"), filepath.Join(shipped, "roles")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(rules, "rules.yaml"), text, 0o600); err != nil {
		return nil, err
	}
	set, err := inventory.Load(inventory.Files{Shipped: os.DirFS(shipped), Dir: rules, Roles: roles})
	var invalid inventory.Invalid
	if errors.As(err, &invalid) {
		for i := range invalid {
			invalid[i].File = file
		}
		return nil, fmt.Errorf("the rules would be refused: %w", invalid)
	}
	return set, err
}
