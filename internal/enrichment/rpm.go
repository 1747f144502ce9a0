package enrichment

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// rpmDatabases are where rpm keeps its packages, newer first: SQLite, ndb and Berkeley DB; /usr/lib/sysimage where the
// distribution has moved them.
var rpmDatabases = []string{
	"usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/Packages.db", "usr/lib/sysimage/rpm/Packages",
	"var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/Packages.db", "var/lib/rpm/Packages",
}

// Bounds of what is taken from a reader.
const (
	rpmPatience = 2 * time.Minute
	maxRPMFiles = 1 << 18
	rpmNice     = 10
)

var errNoReader = errors.New("enrichment: there is an rpm database but no reader for it")

// rpm is the database of the RPM package manager: paths and digests of what can be run.
type rpm struct {
	root   string
	reader []string
	stamp  process.File
	merged []alias
	// failed is why the database cannot be read.
	failed   error
	packages []Package // without Digest.Hex
	files    map[string]rpmFile
}

type rpmFile struct {
	number uint32
	digest string
}

func (r *rpm) len() int { return len(r.packages) }

// refresh implements database. No rpm database is an empty one; one that cannot be read is not tried again until it changes.
func (r *rpm) refresh() (bool, error) {
	path, stamp, err := r.find()
	if err == nil && stamp == r.stamp {
		return false, r.failed
	}
	changed := r.clear()
	r.stamp = stamp
	switch {
	case err != nil:
		r.failed = fmt.Errorf("enrichment: rpm database: %w", err)
	case path != "" && len(r.reader) == 0:
		r.failed = errNoReader
	case path != "":
		if err := r.read(path); err != nil {
			r.clear()
			r.stamp, r.failed = stamp, fmt.Errorf("enrichment: rpm database %s: %w", path, err)
		}
	}
	return changed || path != "", r.failed
}

// clear forgets everything and reports whether there was anything.
func (r *rpm) clear() bool {
	known := len(r.packages) > 0
	*r = rpm{root: r.root, reader: r.reader}
	return known
}

// find returns the database in use, "" if there is none.
func (r *rpm) find() (string, process.File, error) {
	for _, name := range rpmDatabases {
		path := filepath.Join(r.root, name)
		switch stamp, err := fileAt(path); {
		case err == nil:
			return path, stamp, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", process.File{}, err
		}
	}
	return "", process.File{}, nil
}

// read has a process of its own read the database.
func (r *rpm) read(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), rpmPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.reader[0], append(r.reader[1:len(r.reader):len(r.reader)], path)...)
	var complaint bounded
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// it is not urgent, and if memory runs out it shall be the one to go; without either it works as well
	_ = unix.Setpriority(unix.PRIO_PROCESS, cmd.Process.Pid, rpmNice)
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", cmd.Process.Pid), []byte("1000"), 0)
	decodeErr := r.decode(out)
	if decodeErr != nil {
		cancel()
	}
	if err := cmd.Wait(); err != nil && decodeErr == nil {
		line, _, _ := strings.Cut(complaint.text, "\n")
		return fmt.Errorf("%w: %s", err, line)
	}
	r.merged = aliasesBelow(r.root)
	return decodeErr
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ text string }

func (b *bounded) Write(p []byte) (int, error) {
	b.text += string(p[:min(len(p), 1024-len(b.text))])
	return len(p), nil
}

// decode takes over what DumpRPM prints.
func (r *rpm) decode(from io.Reader) error {
	r.files = make(map[string]rpmFile)
	in := bufio.NewReaderSize(from, maxLine)
	for {
		line, err := nextLine(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		fields := bytes.Split(line, []byte{'\t'})
		switch {
		case len(fields) == 4 && string(fields[0]) == "package" && len(r.packages) < maxPackages:
			r.packages = append(r.packages, Package{Name: string(fields[1]), Version: string(fields[2]), Manager: "rpm",
				Digest: Digest{Algorithm: string(fields[3])}})
		case len(fields) == 3 && string(fields[0]) == "file" && len(r.packages) > 0 && len(r.files) < maxRPMFiles:
			r.files[string(fields[2])] = rpmFile{number: uint32(len(r.packages) - 1), digest: string(fields[1])}
		default:
			return fmt.Errorf("its reader printed %.80q", line)
		}
	}
}

// owner implements database.
func (r *rpm) owner(path string) (Package, bool, bool) {
	for _, name := range names(path, r.merged) {
		if f, ok := r.files[name]; ok {
			p := r.packages[f.number]
			p.Digest.Hex = f.digest
			if f.digest == "" {
				p.Digest = Digest{}
			}
			return p, true, true
		}
	}
	return Package{}, false, r.failed == nil
}
