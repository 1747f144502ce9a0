package schedule

import (
	"os"
	"path/filepath"
)

// Logs are the two files of osqueryd's filesystem logger.
type Logs struct {
	Results, Snapshots *os.File
}

// OpenLogs opens them in a directory to append, with the names and the mode they have there.
func OpenLogs(dir string) (Logs, error) {
	var l Logs
	var err error
	if l.Results, err = appendTo(filepath.Join(dir, "osqueryd.results.log")); err != nil {
		return Logs{}, err
	}
	if l.Snapshots, err = appendTo(filepath.Join(dir, "osqueryd.snapshots.log")); err != nil {
		l.Results.Close()
		return Logs{}, err
	}
	return l, nil
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
}

// Close closes both.
func (l Logs) Close() error {
	err := l.Results.Close()
	if second := l.Snapshots.Close(); err == nil {
		err = second
	}
	return err
}
