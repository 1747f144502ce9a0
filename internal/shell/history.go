package shell

import (
	"os"

	"github.com/peterh/liner"
)

// loadHistory reads the history file. Without one, or with one that cannot be read, the prompt starts without history.
func (s *Shell) loadHistory(editor *liner.State) {
	if s.config.HistoryFile == "" {
		return
	}
	f, err := os.Open(s.config.HistoryFile)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = editor.ReadHistory(f)
}

// saveHistory replaces the history file by what the editor keeps, liner.HistoryLimit lines.
func (s *Shell) saveHistory(editor *liner.State) {
	if s.config.HistoryFile == "" {
		return
	}
	f, err := os.OpenFile(s.config.HistoryFile, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return // a prompt without a home still works
	}
	defer f.Close()
	if f.Chmod(0o600) == nil { // it may have been there with a wider mode: queries name what is looked for
		_, _ = editor.WriteHistory(f)
	}
}
