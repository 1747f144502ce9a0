// Package need is how tests say what they lack here: a privilege, a kernel feature, a tool.
package need

import (
	"os"
	"testing"
)

// Skip skips a test with the reason; where nothing may be skipped (BEACONWATCH_REQUIRE_ALL=1) it fails it.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("BEACONWATCH_REQUIRE_ALL") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Root skips a test that may not do what root may.
func Root(t testing.TB) {
	t.Helper()
	if user := os.Geteuid(); user != 0 {
		Skip(t, "needs root, runs as user %d", user)
	}
}
