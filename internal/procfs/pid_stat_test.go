package procfs

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// statRest is a stat line behind the name, as the kernel printed it.
const statRest = " S 1 17 17 0 -1 4194560 1000 0 0 0 5 6 0 0 20 0 3 0 4711 12345678 900 18446744073709551615 94000000000000 " +
	"94000000100000 140720000000016 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"

func TestParsePIDStat(t *testing.T) {
	const stack = 140720000000016
	tests := []struct {
		name, line string
		want       PIDStat
		bad        bool
	}{
		{name: "a process", line: "17 (sshd)" + statRest,
			want: PIDStat{Comm: []byte("sshd"), State: 'S', Parent: 1, Flags: 4194560, Threads: 3, StartTicks: 4711, StartStack: stack}},
		{name: "a name that imitates the fields", line: "17 (x) Z 9 (y) R 1\n)" + statRest, want: PIDStat{
			Comm: []byte("x) Z 9 (y) R 1\n"), State: 'S', Parent: 1, Flags: 4194560, Threads: 3, StartTicks: 4711, StartStack: stack}},
		{name: "no name at all", line: "17 ()" + statRest,
			want: PIDStat{Comm: []byte{}, State: 'S', Parent: 1, Flags: 4194560, Threads: 3, StartTicks: 4711, StartStack: stack}},
		{name: "with a terminal", line: strings.Replace("17 (sshd)"+statRest, " 17 17 0 -1 ", " 17 17 34816 17 ", 1), want: PIDStat{
			Comm: []byte("sshd"), State: 'S', Parent: 1, Terminal: 34816, Flags: 4194560, Threads: 3, StartTicks: 4711, StartStack: stack}},
		{name: "empty", line: "", bad: true},
		{name: "no parenthesis", line: "17 sshd S 1", bad: true},
		{name: "parentheses the wrong way round", line: "17 )sshd(" + statRest, bad: true},
		{name: "cut behind the name", line: "17 (sshd)", bad: true},
		{name: "cut before the start", line: "17 (sshd) S 1 17 17 0 -1 4194560 1000", bad: true},
		{name: "a start that is no number", line: strings.Replace("17 (sshd)"+statRest, " 4711 ", " soon ", 1), bad: true},
		{name: "a start out of range", line: strings.Replace("17 (sshd)"+statRest, " 4711 ", " 99999999999999999999 ", 1), bad: true},
		{name: "a parent out of range", line: strings.Replace("17 (sshd)"+statRest, " S 1 ", " S 4294967296 ", 1), bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got PIDStat
			err := parsePIDStat([]byte(tt.line), &got)
			if tt.bad {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestExiting(t *testing.T) {
	for line, want := range map[string]bool{
		"17 (sshd)" + statRest: false,
		strings.Replace("17 (sshd)"+statRest, " 4194560 ", " 4194564 ", 1): true,
		strings.Replace("17 (sshd)"+statRest, " S 1 ", " Z 1 ", 1):         true,
	} {
		var s PIDStat
		require.NoError(t, parsePIDStat([]byte(line), &s))
		require.Equal(t, want, s.Exiting(), line)
	}
}

func TestKernelThread(t *testing.T) {
	line := strings.Replace("2 (kthreadd)"+statRest, " 4194560 ", " 2129984 ", 1)
	var s PIDStat
	require.NoError(t, parsePIDStat([]byte(line), &s))
	require.True(t, s.KernelThread())
	require.NoError(t, parsePIDStat([]byte("17 (sshd)"+statRest), &s))
	require.False(t, s.KernelThread())
}

func FuzzParsePIDStat(f *testing.F) {
	f.Add([]byte("17 (sshd)" + statRest))
	f.Add([]byte("17 (x) Z 9 (y) R 1\n)" + statRest))
	f.Add([]byte("17 ( ) "))
	f.Fuzz(func(t *testing.T, line []byte) {
		var s PIDStat
		if parsePIDStat(line, &s) == nil {
			require.Contains(t, string(line), string(s.Comm))
		}
	})
}
