// Package packages installs what `make packages` builds: for real on a Debian of its own (this one under an overlay file
// system, so that nothing of the test stays), inspected for Red Hat, smoke-tested for arm64 under emulation; and starts the
// unit's command under the unit's own limits. What a booted systemd would add, its mount settings above all, is not tested.
//
// Tests that need privilege or a tool skip with the reason, and fail instead where BEACONWATCH_REQUIRE_ALL is 1.
package packages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// roleVariable makes this test binary play a part instead of running tests.
const roleVariable = "BEACONWATCH_PACKAGES_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "confined" {
		fmt.Fprintln(os.Stderr, runConfined(os.Getenv("BEACONWATCH_UNIT"), filepath.SplitList(os.Getenv("BEACONWATCH_GROUPS")), os.Args[1:]))
		os.Exit(1)
	}
	code := m.Run()
	if workshop != "" {
		os.RemoveAll(workshop)
	}
	os.Exit(code)
}

// workshop is where packages are built, once for all tests.
var workshop string

const (
	before = "0.0.1" // what is installed first
	after  = "0.0.2" // and upgraded to
)

// built returns the directory of the packages of both versions.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "bw-packages-")
	if err != nil {
		return "", err
	}
	workshop = dir
	for _, version := range []string{before, after} {
		if err := buildPackages(version, dir); err != nil {
			return "", err
		}
	}
	return dir, nil
})

func buildPackages(version, out string) error {
	cmd := exec.Command("extension/packaging/build.sh", version, "test", out)
	cmd.Dir = "../.."
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", version, err, said)
	}
	return nil
}

// packageFile is the path of a built package.
func packageFile(t *testing.T, version, arch, kind string) string {
	t.Helper()
	dir, err := built()
	require.NoError(t, err)
	return filepath.Join(dir, fmt.Sprintf("beaconwatch_%s_%s.%s", version, arch, kind))
}

// tool is the path of a program the test needs.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		need.Skip(t, "%s is not installed: %v", name, err)
	}
	return path
}
