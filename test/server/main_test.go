// Package server judges what a server's programs are graded, on a server of the test's own: this system under an overlay file
// system, so that it has a package database of its own, in mount and network namespaces that end with the test. The tests
// themselves run inside, so that paths, packages, users and files are what enrichment and the sensor would find on a host.
//
// It tests no package by itself. Traffic goes to a second network namespace and no further. Tests that need privilege or a
// package skip with the reason, and fail instead where BEACONWATCH_REQUIRE_ALL is 1.
package server

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// roleVariable makes this test binary play a part instead of starting a server.
const roleVariable = "BEACONWATCH_SERVER_ROLE"

// unavailable is why there is no server to run tests on; TestMain sets it once.
var unavailable error

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(roleVariable) {
	case "stage":
		err = enterServer()
	case "outside":
		err = playOutside()
	case "memfd":
		err = playMemfd()
	case "inside":
		os.Exit(m.Run())
	default:
		code, why := runInside()
		if why == nil {
			os.Exit(code)
		}
		unavailable = why
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(refused)
	}
	os.Exit(0)
}

// onServer skips a test that does not run on the server.
func onServer(t *testing.T) {
	t.Helper()
	if os.Getenv(roleVariable) != "inside" {
		need.Skip(t, "no server to test on: %v", unavailable)
	}
}

// installed is the path of a program of a Debian package.
func installed(t *testing.T, path, pkg string) string {
	t.Helper()
	found, err := exec.LookPath(path)
	if err != nil {
		need.Skip(t, "Debian's package %s is not installed: %v", pkg, err)
	}
	return found
}
