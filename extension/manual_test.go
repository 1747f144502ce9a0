package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/need"
)

func TestManualNamesEveryCommand(t *testing.T) {
	root := rootCommand()
	var page bytes.Buffer
	require.NoError(t, writeManual(&page, root))
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				require.Contains(t, page.String(), ".SS "+roff(strings.TrimPrefix(sub.UseLine(), root.Name()+" ")))
				require.NotEmpty(t, sub.Short, sub.Name())
				walk(sub)
			}
		}
	}
	walk(root)
	for _, s := range settings {
		require.Contains(t, page.String(), ".B \\-\\-"+s.name, "every setting is a flag")
	}
	for line := range strings.Lines(page.String()) {
		require.NotRegexp(t, `^\.[^A-Zfn]`, line, "text taken for a request")
	}
}

func TestManualIsClean(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		need.Skip(t, "groff is not installed: %v", err)
	}
	var page, complaints bytes.Buffer
	require.NoError(t, writeManual(&page, rootCommand()))
	cmd := exec.Command("groff", "-man", "-Tutf8", "-ww", "-z")
	cmd.Stdin, cmd.Stderr = &page, &complaints
	require.NoError(t, cmd.Run())
	require.Empty(t, complaints.String())
}
