package process

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPreloads(t *testing.T) {
	require.Equal(t, []string{"LD_PRELOAD", "LD_AUDIT"}, Preloads("/usr/sbin/chronyd"))
	require.Subset(t, Preloads("/usr/bin/python3.11"), []string{"LD_PRELOAD", "PYTHONPATH"})
}
