package procfs

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// BenchmarkPerishable is what must be read of a process before it ends; opening its directory is the yardstick.
func BenchmarkPerishable(b *testing.B) {
	cmd := exec.Command("/bin/sleep", "600")
	require.NoError(b, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	fs := New("")
	p, err := fs.OpenPID(int32(cmd.Process.Pid))
	require.NoError(b, err)
	defer p.Close()
	var buffer Buffer
	for name, read := range map[string]func() error{
		"exe":     func() error { _, err := p.Exe(&buffer); return err },
		"args":    func() error { _, err := p.Args(&buffer); return err },
		"environ": func() error { _, err := p.HasEnv(&buffer, loaders); return err },
		"file":    func() error { var st unix.Statx_t; return p.ExeStat(&st) },
		"directory": func() error {
			d, err := fs.OpenPID(int32(cmd.Process.Pid))
			d.Close()
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, read())
			}
		})
	}
}
