package packages

import (
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRPMHoldsTheSame(t *testing.T) {
	rpm := tool(t, "rpm")
	deb := tool(t, "dpkg-deb")
	list := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).Output()
		require.NoError(t, err)
		return string(out)
	}
	file := packageFile(t, after, "amd64", "rpm")
	rpmFiles := map[string]bool{}
	for line := range strings.Lines(list(rpm, "-qpl", file)) {
		rpmFiles[strings.TrimSpace(line)] = true
	}
	fields := strings.Fields(strings.ReplaceAll(list(deb, "-c", packageFile(t, after, "amd64", "deb")), " ./", " /"))
	for _, f := range fields {
		if strings.HasPrefix(f, "/") && !strings.HasSuffix(f, "/") {
			require.Contains(t, rpmFiles, f)
		}
	}
	scripts := list(rpm, "-qp", "--scripts", file)
	for _, part := range []string{"postinstall scriptlet", "preuninstall scriptlet", "postuninstall scriptlet", "mode apply"} {
		require.Contains(t, scripts, part)
	}
	require.Contains(t, list(rpm, "-qp", "--configfiles", file), "/etc/beaconwatch/beaconwatch.yaml")
}

func TestTwoBuildsAreByteIdentical(t *testing.T) {
	first := packageFile(t, after, "amd64", "deb")
	again := t.TempDir()
	require.NoError(t, buildPackages(after, again))
	for _, name := range []string{"amd64.deb", "amd64.rpm", "arm64.deb", "arm64.rpm", "amd64.cdx.json", "arm64.cdx.json"} {
		name = "beaconwatch_" + after + "_" + name
		a, err := os.ReadFile(filepath.Join(filepath.Dir(first), name))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(again, name))
		require.NoError(t, err)
		require.Equal(t, a, b, name)
	}
}

// TestBillOfMaterialsIsTheBinarys holds the SBOM to the modules that the binary says it was built from.
func TestBillOfMaterialsIsTheBinarys(t *testing.T) {
	var bill struct {
		BOMFormat  string `json:"bomFormat"`
		Components []struct{ Name, Version string }
	}
	text, err := os.ReadFile(packageFile(t, after, "amd64", "cdx.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &bill))
	require.Equal(t, "CycloneDX", bill.BOMFormat)
	listed := map[string]string{}
	for _, c := range bill.Components {
		listed[c.Name] = c.Version
	}
	info, err := buildinfo.ReadFile(unpacked(t, "amd64"))
	require.NoError(t, err)
	require.NotEmpty(t, info.Deps)
	for _, dep := range info.Deps {
		require.Equal(t, dep.Version, listed[dep.Path], dep.Path)
	}
}

// TestArm64Starts runs the arm64 binary under user emulation: commands that need no kernel of that architecture. Its eBPF
// programs and netlink decoding on a real arm64 kernel stay untested.
func TestArm64Starts(t *testing.T) {
	emulator := tool(t, "qemu-aarch64-static")
	binary := unpacked(t, "arm64")
	out, err := exec.Command(emulator, binary, "version").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), after)
	score := exec.Command(emulator, binary, "score", "-")
	score.Stdin = strings.NewReader(`{"id":"a","sends":[[0,100],[60,100],[120,100],[180,100],[240,100],[300,100],[360,100],[420,100],[480,100],[540,100]]}` + "\n")
	out, err = score.Output()
	require.NoError(t, err)
	var result struct {
		ID         string
		IntervalMS float64 `json:"interval_ms"`
	}
	require.NoError(t, json.Unmarshal(out, &result))
	require.Equal(t, "a", result.ID)
	require.EqualValues(t, 60000, result.IntervalMS)
}

// unpacked is the path of the binary out of the deb of an architecture.
func unpacked(t *testing.T, arch string) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command(tool(t, "dpkg-deb"), "-x", packageFile(t, after, arch, "deb"), dir).CombinedOutput()
	require.NoError(t, err, string(out))
	return filepath.Join(dir, "usr/lib/beaconwatch/beaconwatch.ext")
}
