package inventory

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// What the inventory keeps in the state directory: when the effective rules changed, and when each rule last decided. Both
// are bounded, and neither changes a verdict.
const (
	changesFile = "inventory-changes.jsonl"
	usageFile   = "inventory-usage.json"
	maxChanges  = 1000
	usageFormat = 1
)

// Change is a line of the change log.
type Change struct {
	Time    time.Time `json:"time"`
	OldHash string    `json:"old_hash"`
	NewHash string    `json:"new_hash"`
	Rules   int       `json:"rules"`
}

// Changes reads the change log of a state directory, oldest first. Lines that are none are left out.
func Changes(stateDir string) ([]Change, error) {
	text, err := os.ReadFile(filepath.Join(stateDir, changesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	var changes []Change
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var c Change
		if json.Unmarshal(lines.Bytes(), &c) == nil && c.NewHash != "" {
			changes = append(changes, c)
		}
	}
	return changes[max(0, len(changes)-maxChanges):], nil
}

// logChange adds a change unless the newest one led to the same hash.
func logChange(stateDir string, now time.Time, set *Set) error {
	changes, err := Changes(stateDir)
	if err != nil {
		return err
	}
	c := Change{Time: now.UTC().Truncate(time.Second), NewHash: set.hash, Rules: len(set.rules)}
	if n := len(changes); n > 0 {
		c.OldHash = changes[n-1].NewHash
	}
	if c.OldHash == c.NewHash {
		return nil
	}
	changes = append(changes, c)
	var b bytes.Buffer
	for _, c := range changes[max(0, len(changes)-maxChanges):] {
		line, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("inventory: %w", err)
		}
		b.Write(append(line, '\n'))
	}
	return replace(filepath.Join(stateDir, changesFile), b.Bytes())
}

// usage is when rules last decided, by fingerprint.
type usage struct {
	Format   int              `json:"format"`
	LastUsed map[string]int64 `json:"last_used"`
}

// saveUsage writes when each rule of the set was last used.
func saveUsage(stateDir string, set *Set) error {
	u := usage{Format: usageFormat, LastUsed: map[string]int64{}}
	for _, r := range set.rules {
		if at := r.lastUsed.Load(); at != 0 {
			u.LastUsed[r.fingerprint] = at
		}
	}
	b, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	return replace(filepath.Join(stateDir, usageFile), b)
}

// loadUsage continues the record of a former run. One that cannot be read is begun anew.
func loadUsage(stateDir string, set *Set) error {
	text, err := os.ReadFile(filepath.Join(stateDir, usageFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var u usage
	if err == nil {
		err = json.Unmarshal(text, &u)
	}
	if err == nil && u.Format != usageFormat {
		err = fmt.Errorf("%s has format %d, this version reads %d", usageFile, u.Format, usageFormat)
	}
	if err != nil {
		return fmt.Errorf("inventory: the record of used rules begins anew: %w", err)
	}
	for _, r := range set.rules {
		r.lastUsed.Store(max(0, u.LastUsed[r.fingerprint]))
	}
	return nil
}

// replace writes a file whole or not at all.
func replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".inventory-*")
	if err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("inventory: %w", err)
	}
	return nil
}
