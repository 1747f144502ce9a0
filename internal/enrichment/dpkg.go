package enrichment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// dpkg is the database of Debian's package manager (dpkg(1), deb-md5sums(5)): a status file, and in info/ for each package
// a list of paths and one of MD5 sums. What it says counts only as far as nobody but root can write to it; that is not
// checked, for who can write there is root.
type dpkg struct {
	// root is where the host's file system begins, dir the directory of the database.
	root, dir  string
	stamp      dpkgStamp
	merged     []alias
	installed  []dpkgPackage
	index      pathIndex
	diversions diversions
}

// dpkgPackage is an installed package: the name of its files in info/ (with the architecture if there may be several) and
// its version.
type dpkgPackage struct{ base, version string }

// dpkgStamp changes with the database.
type dpkgStamp struct{ status, info, diversions process.File }

// Bounds of what is read. Debian's largest package has a list of about 10 MB; a status file of ten thousand packages has
// about as much.
const (
	maxStatus     = 64 << 20
	maxList       = 32 << 20
	maxDiversions = 4 << 20
	maxPackages   = 1 << 16
)

func (d *dpkg) len() int { return len(d.installed) }

// refresh implements database. No dpkg database is an empty one.
func (d *dpkg) refresh() (bool, error) {
	var stamp dpkgStamp
	for name, at := range map[string]*process.File{"status": &stamp.status, "info": &stamp.info, "diversions": &stamp.diversions} {
		f, err := fileAt(filepath.Join(d.dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return d.clear(), fmt.Errorf("enrichment: dpkg database: %w", err)
		}
		*at = f
	}
	if stamp == d.stamp {
		return false, nil
	}
	d.clear()
	if err := d.read(); err != nil {
		d.clear()
		return true, fmt.Errorf("enrichment: dpkg database: %w", err)
	}
	d.stamp = stamp
	return true, nil
}

// clear forgets everything and reports whether there was anything.
func (d *dpkg) clear() bool {
	known := len(d.installed) > 0
	*d = dpkg{root: d.root, dir: d.dir}
	return known
}

// read reads status, diversions and lists.
func (d *dpkg) read() error {
	status, err := open(filepath.Join(d.dir, "status"), maxStatus)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer status.Close()
	versions, err := parseStatus(status)
	if err != nil {
		return err
	}
	text, err := readFile(filepath.Join(d.dir, "diversions"), maxDiversions)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d.diversions = parseDiversions(text)
	d.merged = aliasesBelow(d.root)
	return d.readLists(versions)
}

// readLists indexes the paths of the installed packages.
func (d *dpkg) readLists(versions map[string]string) error {
	names, err := filepath.Glob(filepath.Join(d.dir, "info", "*.list"))
	if err != nil {
		return err
	}
	for _, name := range names {
		base := strings.TrimSuffix(filepath.Base(name), ".list")
		version, installed := versions[base]
		if !installed || len(d.installed) >= maxPackages {
			continue
		}
		text, err := readFile(name, maxList)
		if err != nil {
			return err
		}
		d.index.add(text, uint32(len(d.installed)))
		d.installed = append(d.installed, dpkgPackage{base: base, version: version})
	}
	d.index.sort()
	return nil
}

// owner implements database.
func (d *dpkg) owner(path string) (Package, bool, bool) {
	for _, p := range names(path, d.merged) {
		listed, by, except := d.diversions.listed(p)
		for number := range d.index.find(listed) {
			pkg := d.installed[number]
			name, _, _ := strings.Cut(pkg.base, ":")
			if by != "" && name != by || except != "" && name == except || !d.lists(pkg, listed) {
				continue
			}
			return Package{Name: name, Version: pkg.version, Manager: "dpkg", Digest: d.digest(pkg, listed)}, true, true
		}
	}
	return Package{}, false, !d.index.full
}

// lists reports whether the package really lists the path: the index only has hashes.
func (d *dpkg) lists(p dpkgPackage, path string) bool {
	text, err := readFile(filepath.Join(d.dir, "info", p.base+".list"), maxList)
	return err == nil && hasLine(text, path)
}

// digest returns what the package records of the path.
func (d *dpkg) digest(p dpkgPackage, path string) Digest {
	text, err := readFile(filepath.Join(d.dir, "info", p.base+".md5sums"), maxList)
	if err != nil {
		return Digest{} // a package without files, or one that records none
	}
	if sum, ok := findMD5(text, strings.TrimPrefix(path, "/")); ok {
		return Digest{Algorithm: "md5", Hex: sum}
	}
	return Digest{}
}

// fileAt says which file is at a path now.
func fileAt(path string) (process.File, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st); err != nil {
		return process.File{}, fmt.Errorf("%s: %w", path, err)
	}
	return process.FileOf(&st), nil
}

// open opens a regular file of bounded size.
func open(path string, limit int64) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	switch {
	case err != nil:
	case !st.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file", path)
	case st.Size() > limit:
		err = fmt.Errorf("%s has %d bytes, at most %d are read", path, st.Size(), limit)
	default:
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

// readFile reads a regular file of bounded size.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := open(path, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, limit)
}
