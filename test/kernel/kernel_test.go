// Package kernel proves the binary on kernels other than this host's: it boots Debian's stock kernels in an emulated
// machine, where a guest of its own has the sensor watch real processes, and compares what they sent with what is reported.
// It tests no package by itself, installs no kernel, and the machine has no network.
//
// A boot takes minutes, so it happens only on request: make test-kernel. What then is missing is a failure.
package kernel

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/kernel/figures"
)

var (
	bootFlag    = flag.Bool("boot", false, "boot Debian's kernels; takes minutes and downloads them once")
	kernelsFlag = flag.String("kernels", "", "boot only kernels whose package and version match this regular expression")
	binaryFlag  = flag.String("binary", "../../build/beaconwatch.ext", "the static binary under test")
	cacheFlag   = flag.String("cache", "../../build/kernels", "where downloaded packages are kept")
)

// bootLimit is how long one machine may run.
const bootLimit = 6 * time.Minute

func TestStockKernels(t *testing.T) {
	if !*bootFlag {
		t.Skip("boots kernels only with -boot, as make test-kernel does")
	}
	wanted, err := regexp.Compile(*kernelsFlag)
	require.NoError(t, err)
	_, err = exec.LookPath(emulator)
	require.NoError(t, err, "install qemu-system-x86")
	sensor, err := os.ReadFile(*binaryFlag)
	require.NoError(t, err, "make build")
	guest := buildGuest(t)
	debian, err := openArchive(*cacheFlag)
	require.NoError(t, err)
	offers, err := debian.offers()
	require.NoError(t, err)
	var reports []figures.Report
	for _, o := range offers {
		name := o.Package + " " + o.Version
		if !wanted.MatchString(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			deb, err := debian.fetch(o)
			require.NoError(t, err)
			img, err := unpackKernel(deb)
			require.NoError(t, err)
			m := machine{dir: t.TempDir(), limit: bootLimit}
			report, err := m.boot(t.Context(), img, guest, sensor)
			require.NoError(t, err, "the console ends with:\n%s", m.console())
			reports = append(reports, report)
			t.Logf("\n%s", standingOf(report))
			for _, short := range verdict(report) {
				t.Error(short)
			}
			if t.Failed() {
				t.Logf("the console ends with:\n%s", m.console())
			}
		})
	}
	require.NotEmpty(t, reports, "no kernel was booted")
	t.Logf("\n%s", figuresOf(reports))
}

// buildGuest compiles process 1 of the machine, static like the sensor.
func buildGuest(t *testing.T) []byte {
	path := filepath.Join(t.TempDir(), "guest")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", path, "./guest")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	_, err := output(cmd)
	require.NoError(t, err)
	guest, err := os.ReadFile(path)
	require.NoError(t, err)
	return guest
}
