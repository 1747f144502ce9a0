package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// locate returns the path of osquery's socket. A pattern of path/filepath.Match names the newest socket that it fits: launchers
// give osquery's socket another name at each start.
func locate(socket string) (string, error) {
	if !strings.ContainsAny(socket, "*?[") {
		return socket, nil
	}
	paths, err := filepath.Glob(socket)
	if err != nil {
		return "", fmt.Errorf("%s: %w", socket, err)
	}
	var (
		newest string
		at     time.Time
	)
	for _, p := range paths {
		info, err := os.Lstat(p)
		if err == nil && info.Mode()&os.ModeSocket != 0 && (newest == "" || info.ModTime().After(at)) {
			newest, at = p, info.ModTime()
		}
	}
	if newest == "" {
		return "", fmt.Errorf("no socket fits %s", socket)
	}
	return newest, nil
}
