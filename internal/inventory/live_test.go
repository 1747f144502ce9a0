package inventory

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

// live opens an inventory over an operator's directory with one file.
func live(t *testing.T, text string) (l *Live, file, state string, log *bytes.Buffer) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	file, state, log = filepath.Join(dir, "rules.yaml"), t.TempDir(), &bytes.Buffer{}
	write(t, file, text)
	l, err := Open(Config{Files: Files{Dir: dir, Shipped: fstest.MapFS{"catalogue/time.yaml": {Data: []byte(shippedCatalogue)}}},
		Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	l.Keep(state)
	return l, file, state, log
}

func write(t *testing.T, file, text string) {
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}

var updaterRule = "rules:\n" + operatorRule("updater", "program: {path: /opt/updater/updaterd}", "destinations: any", "period: 1m")

func TestABadReloadKeepsTheOldSet(t *testing.T) {
	l, file, state, log := live(t, updaterRule)
	good := l.Status()
	require.Equal(t, 5, good.Rules)
	require.Empty(t, good.Error)

	write(t, file, updaterRule+"    prot: tcp\n  - name: Z\n")
	require.Error(t, l.Reload())
	bad := l.Status()
	require.Equal(t, good.Hash, bad.Hash)
	require.Equal(t, 5, bad.Rules)
	require.Contains(t, bad.Error, file+`:9:5: a rule has no key "prot"`)
	require.Contains(t, bad.Error, "more)")
	require.Contains(t, log.String(), "the name \\\"Z\\\" must be", "every place is logged")
	s := implant()
	require.EqualValues(t, 1, l.Set().Judge(&s).Expected)

	write(t, file, "rules: []\n")
	require.NoError(t, l.Reload())
	require.Empty(t, l.Status().Error)
	require.Equal(t, 4, l.Status().Rules)
	require.EqualValues(t, 0, l.Set().Judge(&s).Expected)

	changes, err := Changes(state)
	require.NoError(t, err)
	require.Len(t, changes, 2)
	require.Equal(t, Change{Time: now, NewHash: good.Hash, Rules: 5}, changes[0])
	require.Equal(t, Change{Time: now, OldHash: good.Hash, NewHash: l.Status().Hash, Rules: 4}, changes[1])
}

func TestABadStartBeginsWithWhatIsGood(t *testing.T) {
	l, file, _, log := live(t, "rules: 7\n")
	require.Equal(t, 4, l.Status().Rules)
	require.Equal(t, file+":1:8: rules must be a list", l.Status().Error)
	require.Contains(t, log.String(), "left out")

	dir := filepath.Dir(file)
	write(t, filepath.Join(dir, "good.yaml"), updaterRule)
	require.NoError(t, os.Symlink("/dev/zero", filepath.Join(dir, "z.yaml")))
	l, err := Open(l.config)
	require.NoError(t, err)
	require.Equal(t, 5, l.Status().Rules, "one bad file does not take the others along")
	require.Equal(t, file+":1:8: rules must be a list (and 1 more)", l.Status().Error)
	s := implant()
	require.EqualValues(t, 1, l.Set().Judge(&s).Expected)

	require.NoError(t, os.Remove(filepath.Join(dir, "z.yaml")))
	write(t, file, updaterRule)
	l, err = Open(l.config)
	require.NoError(t, err)
	require.Equal(t, 4, l.Status().Rules, "none of the operator's holds where they contradict each other")
	require.Contains(t, l.Status().Error, "rules.yaml:2:11: the name updater is taken by the rule at "+dir)
	_, err = Open(Config{Files: Files{Shipped: fstest.MapFS{"roles/x.yaml": {Data: []byte("rules: 7\n")}}}})
	require.EqualError(t, err, "roles/x.yaml:1:8: rules must be a list")
}

func TestExpiredRulesAreNamed(t *testing.T) {
	l, file, _, log := live(t, updaterRule)
	write(t, file, string(bytes.ReplaceAll([]byte(updaterRule), []byte("2027-06-30"), []byte("2026-11-23"))))
	require.NoError(t, l.Reload())
	require.Equal(t, 1, l.Status().Expired)
	require.Equal(t, file+":2:11: the rule updater expired after 2026-11-23 and does not apply: renew or remove it", l.Status().Error)
	require.Contains(t, log.String(), "expired after 2026-11-23")
}

func TestRulesOthersCouldHaveWrittenAreRefused(t *testing.T) {
	l, file, _, _ := live(t, updaterRule)
	require.NoError(t, os.Chmod(file, 0o666))
	require.ErrorContains(t, l.Reload(), file+": can be written by others (mode 0666); take that away (chmod go-w)")
	require.NoError(t, os.Chmod(file, 0o644))
	require.NoError(t, os.Chmod(filepath.Dir(file), 0o777))
	require.ErrorContains(t, l.Reload(), "can be written by others (mode 0777)")
	require.NoError(t, os.Chmod(filepath.Dir(file), 0o755))
	require.NoError(t, l.Reload())
	require.NoError(t, os.Mkdir(filepath.Join(filepath.Dir(file), "d.yaml"), 0o755))
	require.NoError(t, os.Symlink("/dev/zero", filepath.Join(filepath.Dir(file), "z.yaml")))
	require.ErrorContains(t, l.Reload(), "z.yaml: is no regular file")
	if os.Geteuid() == 0 {
		require.NoError(t, os.Remove(filepath.Join(filepath.Dir(file), "z.yaml")))
		require.NoError(t, os.Chown(file, 65534, 65534))
		require.ErrorContains(t, l.Reload(), "belongs to user 65534")
	}
}

func TestUseOfRulesIsRemembered(t *testing.T) {
	l, file, state, _ := live(t, updaterRule)
	s := implant()
	s.Facts.Preload = true
	l.Set().Judge(&s)
	rule := l.Set().Rules()[0]
	require.Zero(t, rule.LastUsed(), "it decided nothing")
	s.Facts.Preload = false
	l.Set().Judge(&s)
	require.Equal(t, now, rule.LastUsed())
	require.NoError(t, l.Reload())
	require.Equal(t, now, l.Set().Rules()[0].LastUsed(), "across a reload")
	require.Zero(t, l.Set().Rules()[1].LastUsed())

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.Run(ctx, func(err error) { require.NoError(t, err) })
	again, err := Open(Config{Files: Files{Dir: filepath.Dir(file)}})
	require.NoError(t, err)
	again.Keep(state)
	require.Equal(t, now, again.Set().Rules()[0].LastUsed(), "across a restart")

	write(t, filepath.Join(state, usageFile), "{")
	var log bytes.Buffer
	again, err = Open(Config{Files: Files{Dir: filepath.Dir(file)}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	again.Keep(state)
	require.Zero(t, again.Set().Rules()[0].LastUsed())
	require.Contains(t, log.String(), "begins anew")
}

func TestTheChangeLogIsBounded(t *testing.T) {
	state := t.TempDir()
	var former bytes.Buffer
	for i := range maxChanges {
		fmt.Fprintf(&former, `{"time":"2026-11-01T00:00:00Z","old_hash":"a","new_hash":"b","rules":%d}`+"\n", i)
	}
	write(t, filepath.Join(state, changesFile), former.String())
	for i := maxChanges; i < maxChanges+5; i++ {
		require.NoError(t, logChange(state, now, &Set{hash: string(rune('a' + i%2)), rules: make([]*Rule, i)}))
	}
	require.NoError(t, logChange(state, now, &Set{hash: "a", rules: make([]*Rule, maxChanges+4)}), "no change")
	changes, err := Changes(state)
	require.NoError(t, err)
	require.Len(t, changes, maxChanges)
	require.Equal(t, maxChanges+4, changes[maxChanges-1].Rules)
	none, err := Changes(t.TempDir())
	require.NoError(t, err)
	require.Empty(t, none)
}
