// Package e2e proves the whole path: the real binary watches real processes in network namespaces of the tests' own, and
// what it found is asserted in SQL over the real extension protocol, against the senders' own record. It tests no package
// by itself, and its traffic leaves no namespace.
//
// Tests that need privilege skip with the reason, and fail instead where BEACONWATCH_REQUIRE_ALL is 1.
package e2e

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// roleVariable makes this test binary play a part instead of running tests, see roles.
const roleVariable = "BEACONWATCH_E2E_ROLE"

// roles are the parts that processes of their own must play.
var roles = map[string]func() error{
	"sender":    playSender,
	"failing":   playFailing,
	"holder":    playHolder,
	"quic":      playQUIC,
	"multipath": playMultipath,
	"frame":     playFrame,
	"volley":    playVolley,
	"echoes":    playEchoes,
	"stub":      playStub,
	"asker":     playAsker,
	"listener":  playListener,
	"resets":    playResets,
	"host":      playHost,
	"filtered":  playFiltered,
	"wave":      playWave,
	"drain":     playDrain,
	"faulty":    playFaulty,
	"spinner":   playSpinner,
}

// workshop is the directory of the binaries and of every test's files. TestMain sets it once.
var workshop string

func TestMain(m *testing.M) {
	if play, ok := roles[os.Getenv(roleVariable)]; ok {
		if err := play(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(rehearse(m))
}

// rehearse builds the binary, copies this one for the actors, and runs the tests. They mostly wait: more of them run at a
// time than there are processors.
func rehearse(m *testing.M) int {
	flag.Parse()
	defer func() { os.RemoveAll(workshop) }()
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return m.Run()
}

func prepare() (err error) {
	parallel := 0
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "test.parallel" {
			parallel++
		}
	})
	if parallel == 0 {
		if err := flag.Set("test.parallel", "4"); err != nil {
			return err
		}
	}
	if workshop, err = os.MkdirTemp("", "bw-e2e-"); err != nil {
		return err
	}
	if err := os.Chmod(workshop, 0o755); err != nil { // users without privilege run what is inside
		return err
	}
	build := exec.Command("go", "build", "-trimpath", "-o", beaconwatch(), "../../extension")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	return copySelf(filepath.Join(workshop, "actor"))
}

// beaconwatch is the path of the binary under test.
func beaconwatch() string { return filepath.Join(workshop, "beaconwatch.ext") }

func copySelf(path string) error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, self); err != nil {
		return err
	}
	return out.Close()
}

// room makes a directory for the files of one test. Its path is short: a socket's may have 97 characters.
func room(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(workshop, "")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
