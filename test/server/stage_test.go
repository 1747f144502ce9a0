package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	baseVariable = "BEACONWATCH_SERVER_BASE"
	// refused is the exit code of a stage that could not be set, sysexits.h's EX_UNAVAILABLE.
	refused = 69
	// Where the binaries are on the server.
	sensorPath = "/usr/lib/beaconwatch/beaconwatch.ext"
	selfPath   = "/run/server.test"
	// hostNetwork is the descriptor of the network namespace that the tests were started in.
	hostNetwork = 3
)

// runInside runs this test binary once more, in namespaces of its own, and returns its exit code; or why there can be none.
func runInside() (code int, why error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("namespaces and an overlay file system need root")
	}
	base, err := os.MkdirTemp("", "bw-server-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(base)
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(base, "beaconwatch.ext"), "../../extension")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build: %w: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), roleVariable+"=stage", baseVariable+"="+base, "TMPDIR=/tmp")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = os.Stdout, io.MultiWriter(os.Stderr, &said)
	host, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return 0, err
	}
	defer host.Close()
	cmd.ExtraFiles = []*os.File{host} // hostNetwork
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the server dies with the thread that started it
	defer runtime.UnlockOSThread()
	var exit *exec.ExitError
	switch err := cmd.Run(); {
	case err != nil && !errors.As(err, &exit):
		return 0, err
	case cmd.ProcessState.ExitCode() == refused:
		return 0, errors.New(strings.TrimSpace(said.String()))
	}
	return cmd.ProcessState.ExitCode(), nil
}

// enterServer makes this system under an overlay the root of this process, whose mount namespace is its own, and executes
// this binary again there. It returns only if that fails.
func enterServer() error {
	base := os.Getenv(baseVariable)
	sensor, err := os.ReadFile(filepath.Join(base, "beaconwatch.ext"))
	if err != nil {
		return err
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	// the upper layer may not lie on an overlay itself, and containers' file systems often are one
	if err := unix.Mount("tmpfs", base, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount a tmpfs: %w", err)
	}
	upper, work, root := filepath.Join(base, "upper"), filepath.Join(base, "work"), filepath.Join(base, "root")
	for _, dir := range []string{upper, work, root} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("overlay", root, "overlay", 0, "lowerdir=/,upperdir="+upper+",workdir="+work); err != nil {
		return fmt.Errorf("mount an overlay of this system: %w", err)
	}
	for _, m := range []struct {
		source, target, kind, data string
		flags                      uintptr
	}{
		{"/proc", "proc", "", "", unix.MS_BIND | unix.MS_REC}, {"/sys", "sys", "", "", unix.MS_BIND | unix.MS_REC},
		{"/dev", "dev", "", "", unix.MS_BIND | unix.MS_REC},
		{"tmpfs", "run", "tmpfs", "mode=755", 0}, {"tmpfs", "tmp", "tmpfs", "mode=1777", 0},
	} {
		if err := unix.Mount(m.source, filepath.Join(root, m.target), m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s on /%s of the server: %w", m.source, m.target, err)
		}
	}
	if err := errors.Join(put(root+sensorPath, sensor), put(root+selfPath, self), unix.Chroot(root), os.Chdir("/"),
		os.Setenv(roleVariable, "inside")); err != nil {
		return err
	}
	// what go test wants written it would look for outside
	args := slices.DeleteFunc(slices.Clone(os.Args), func(a string) bool { return strings.HasPrefix(a, "-test.testlogfile") })
	return unix.Exec(selfPath, args, os.Environ())
}

// put writes an executable, and the directory it is in.
func put(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o755)
}
