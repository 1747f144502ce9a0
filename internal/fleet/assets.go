package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/beaconwatch/beaconwatch/internal/logfile"
)

// maxAssetLine bounds a line of an asset list.
const maxAssetLine = 64 << 10

// LoadAssets reads the hosts that are expected to report: a host on each line, by the name that the logs have for it
// (hostIdentifier), and perhaps its role after a comma. Empty lines, lines that begin with # and a first line "host" or
// "host,role" are passed over. A second list replaces the first.
func (s *Store) LoadAssets(ctx context.Context, path string, stdin io.Reader) error {
	file, err := logfile.Open(path, stdin, new(atomic.Int64))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer file.Close()
	if err := s.loadAssets(ctx, logfile.NewLines(file, maxAssetLine)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (s *Store) loadAssets(ctx context.Context, lines *logfile.Lines) error {
	tx, err := s.db.BeginTx(context.WithoutCancel(ctx), nil) // cancelled it would end behind our back, after Close
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit this does nothing
	if _, err := tx.ExecContext(ctx, "DELETE FROM beacon_assets"); err != nil {
		return err
	}
	n := 0
	for {
		line, err := lines.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", lines.Number, err)
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		host, role, _ := strings.Cut(string(line), ",")
		host, role = unquoteField(host), unquoteField(role)
		if n == 0 && strings.EqualFold(host, "host") {
			continue
		}
		if host == "" || strings.ContainsRune(role, ',') {
			return fmt.Errorf("line %d: %.40q is not a host, or a host and its role with a comma between", lines.Number, line)
		}
		if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO beacon_assets VALUES (?, ?)", host, role); err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return errors.New("no host in it")
	}
	return tx.Commit()
}

// unquoteField takes off white space and the quotes that spreadsheets put around fields.
func unquoteField(text string) string {
	text = strings.TrimSpace(text)
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = strings.ReplaceAll(text[1:len(text)-1], `""`, `"`)
	}
	return text
}
