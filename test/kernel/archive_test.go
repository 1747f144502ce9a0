package kernel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// stock is the package that depends on a Debian release's stock kernel.
const stock = "linux-image-amd64"

// archive is Debian's, as this host's apt reaches it: the release the host runs, its backports and the release before. Its lists and
// what it downloads lie in a directory of its own: apt's configuration and what is installed stay as they are.
type archive struct{ dir string }

// offer is a kernel the archive has.
type offer struct{ Package, Version string }

// openArchive fetches the lists.
func openArchive(dir string) (*archive, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	a := &archive{dir}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	targets, err := run("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return nil, fmt.Errorf("ask apt for its archive: %w", err)
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return nil, err
	}
	sources, err := sourcesFor(string(release), targets)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "sources.list"), []byte(sources), 0o644); err != nil {
		return nil, err
	}
	// a release without backports is a warning
	if _, err := a.apt("apt-get", "update"); err != nil {
		return nil, fmt.Errorf("fetch the archive's lists: %w", err)
	}
	return a, nil
}

// before are the releases whose kernel is older than that of the key.
var before = map[string]string{"bookworm": "bullseye", "trixie": "bookworm"}

// sourcesFor writes a sources.list for the release, its backports and the release before, given os-release and the codename and
// address of each archive that apt uses.
func sourcesFor(release, targets string) (string, error) {
	var codename string
	for line := range strings.Lines(release) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			codename = strings.Trim(value, `"`)
		}
	}
	for line := range strings.Lines(targets) {
		if name, address, ok := strings.Cut(strings.TrimSpace(line), " "); ok && codename != "" && name == codename {
			const format = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n"
			var all string
			for _, suite := range []string{codename, codename + "-backports", before[codename]} {
				if suite != "" {
					all += fmt.Sprintf(format, address, suite)
				}
			}
			return all, nil
		}
	}
	return "", fmt.Errorf("apt has no archive for the release %q", codename)
}

// offers are the stock kernels the archive has, oldest first: the release's own, and the one backported.
func (a *archive) offers() ([]offer, error) {
	records, err := a.apt("apt-cache", "show", stock)
	if err != nil {
		return nil, fmt.Errorf("look for kernels: %w", err)
	}
	return kernelsIn(records)
}

// kernelsIn reads the records of the package stock: each depends on one kernel, in its own version.
func kernelsIn(records string) ([]offer, error) {
	var found []offer
	for record := range strings.SplitSeq(records, "\n\n") {
		var o offer
		for line := range strings.Lines(record) {
			if depends, ok := strings.CutPrefix(line, "Depends: "); ok {
				o.Package, _, _ = strings.Cut(strings.TrimSpace(depends), " ")
			}
			if version, ok := strings.CutPrefix(line, "Version: "); ok {
				o.Version = strings.TrimSpace(version)
			}
		}
		if o.Package != "" && o.Version != "" {
			found = append(found, o)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("the archive has no " + stock)
	}
	slices.Reverse(found) // apt begins with the newest
	return found, nil
}

// fetch downloads a kernel's package, unless it is there already, and returns its path.
func (a *archive) fetch(o offer) (string, error) {
	if _, err := a.apt("apt-get", "download", o.Package+"="+o.Version); err != nil {
		return "", fmt.Errorf("download %s: %w", o.Package, err)
	}
	// apt writes the colon of an epoch as %3a
	file := fmt.Sprintf("%s_%s_amd64.deb", o.Package, strings.ReplaceAll(o.Version, ":", "%3a"))
	return filepath.Join(a.dir, file), nil
}

// apt runs a command of apt on the archive's own lists, in its directory.
func (a *archive) apt(command string, args ...string) (string, error) {
	own := []string{
		"-o", "Dir::Etc::sourcelist=" + filepath.Join(a.dir, "sources.list"), "-o", "Dir::Etc::sourceparts=/dev/null",
		"-o", "Dir::State::lists=" + filepath.Join(a.dir, "lists"), "-o", "Dir::Cache=" + filepath.Join(a.dir, "cache"),
		"-o", "APT::Sandbox::User=", // the directory need not be readable for _apt
	}
	cmd := exec.Command(command, append(own, args...)...)
	cmd.Dir = a.dir
	return output(cmd)
}

// run runs a command and returns what it prints; what it complains of is part of the error.
func run(name string, args ...string) (string, error) { return output(exec.Command(name, args...)) }

func output(cmd *exec.Cmd) (string, error) {
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", cmd.Path, err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}
