package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var format = Format{Kind: "test", Version: 3, Limit: 1000}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// got reads a state file to a string.
func got(t testing.TB, f Format, path string) (string, error) {
	var s string
	err := f.Read(path, func(version uint32, r io.Reader) error {
		b, err := io.ReadAll(r)
		s = fmt.Sprintf("%d:%s", version, b)
		return err
	})
	return s, err
}

func TestStateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	_, err := got(t, format, path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, s := range []string{"", "one", "two"} {
		require.NoError(t, format.Write(path, text(s)))
		back, err := got(t, format, path)
		require.NoError(t, err)
		require.Equal(t, "3:"+s, back)
	}
	older := format
	older.Version = 1
	require.NoError(t, older.Write(path, text("old")))
	back, err := got(t, format, path)
	require.NoError(t, err)
	require.Equal(t, "1:old", back, "older versions are read")
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode())
	require.Equal(t, []string{"state"}, names(t, path))
}

// names are those of the files beside path.
func names(t testing.TB, path string) (found []string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

// TestAFailedWriteLeavesTheOldFile: whatever goes wrong, there is a whole file.
func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	require.NoError(t, format.Write(path, text("whole")))
	broken := errors.New("broken")
	require.ErrorIs(t, format.Write(path, func(w io.Writer) error {
		require.NoError(t, text("half")(w))
		return broken
	}), broken)
	require.ErrorContains(t, format.Write(path, text(string(make([]byte, 2000)))), "larger than its limit")
	require.NoError(t, os.WriteFile(path+".new", []byte("of a sensor that was killed"), 0o600))
	back, err := got(t, format, path)
	require.NoError(t, err)
	require.Equal(t, "3:whole", back)
	require.NoError(t, format.Write(path, text("next")))
	require.Equal(t, []string{"state"}, names(t, path))
	require.Error(t, format.Write(filepath.Join(t.TempDir(), "none/state"), text("x")))
}

// TestWhatCannotBeReadIsSetAside: it is neither used nor lost, and not read again.
func TestWhatCannotBeReadIsSetAside(t *testing.T) {
	whole := func(t *testing.T, f Format) []byte {
		path := filepath.Join(t.TempDir(), "state")
		require.NoError(t, f.Write(path, text("contents")))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		return b
	}
	other, newer := format, format
	other.Kind, newer.Version = "histories", 4
	flipped := whole(t, format)
	flipped[headerSize] ^= 1
	tests := map[string]struct {
		bytes []byte
		want  error
		aside string
	}{
		"empty":         {nil, ErrDamaged, "state.damaged"},
		"cut":           {whole(t, format)[:40], ErrDamaged, "state.damaged"},
		"cut at end":    {whole(t, format)[:len(whole(t, format))-1], ErrDamaged, "state.damaged"},
		"a bit flipped": {flipped, ErrDamaged, "state.damaged"},
		"another kind":  {whole(t, other), ErrDamaged, "state.damaged"},
		"too large":     {make([]byte, 2000), ErrDamaged, "state.damaged"},
		"newer":         {whole(t, newer), ErrNewer, "state.version-4"},
		"refused":       {whole(t, format), ErrDamaged, "state.damaged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state")
			require.NoError(t, os.WriteFile(path, tt.bytes, 0o600))
			err := format.Read(path, func(uint32, io.Reader) error { return errors.New("not understood") })
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, tt.aside)
			require.Equal(t, []string{tt.aside}, names(t, path))
			kept, err := os.ReadFile(filepath.Join(filepath.Dir(path), tt.aside))
			require.NoError(t, err)
			require.Equal(t, len(tt.bytes), len(kept))
		})
	}
}

func FuzzStateFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "state")
	require.NoError(f, format.Write(path, text("contents")))
	whole, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(whole)
	f.Add(whole[:50])
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "state")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		back, err := got(t, format, path)
		if err != nil {
			require.True(t, errors.Is(err, ErrDamaged) || errors.Is(err, ErrNewer), "%v", err)
			require.Len(t, names(t, path), 1)
			return
		}
		require.Contains(t, string(b), back[2:])
	})
}
