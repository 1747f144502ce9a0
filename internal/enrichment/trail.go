package enrichment

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// maxLinks is how many symbolic links a path may lead through, as in the kernel (path_resolution(7)).
const maxLinks = 40

var (
	errLinks  = errors.New("too many symbolic links")
	errRemote = errors.New("on a file system that may make a reader wait")
)

// trail is how a path leads to a file in the sensor's mount namespace, and who could make it lead to another.
//
// Access control lists need no look of their own: where there is one, the group bits show the most that it grants to
// anybody but owner and others (acl(5)). What a capability or a security module grants is not seen.
type trail struct {
	// path is where it ends, without symbolic links; file what is there.
	path string
	file process.File
	at   place
	// mounted: the file itself is a mount point.
	mounted bool
	// protected: it and each directory above belong to root and can be written by nobody else.
	protected bool
	// others: any user could replace it; users and groups: these could.
	others        bool
	users, groups []uint32
}

// follow walks a path of the sensor's own mount namespace without asking any file server. It fails with fs.ErrNotExist if
// nothing is there.
func follow(path string, m mounts) (trail, error) {
	w := walker{mounts: m, trail: trail{protected: true}, todo: elements(path)}
	defer w.leave(0)
	if err := w.enter("/", unix.AT_FDCWD); err != nil {
		return trail{}, walkError(path, err)
	}
	for len(w.todo) > 0 {
		name := w.todo[0]
		w.todo = w.todo[1:]
		if err := w.step(name); err != nil {
			return trail{}, walkError(path, err)
		}
	}
	end := w.steps[len(w.steps)-1]
	for _, s := range w.steps[1:] {
		w.trail.path += "/" + s.name
	}
	w.trail.file, w.trail.at, w.trail.mounted = end.file, end.at, end.mounted
	return w.trail, nil
}

// walker is on its way through a path.
type walker struct {
	mounts mounts
	trail  trail
	// steps are the elements from the root to here, todo the names still to be followed.
	steps []step
	todo  []string
	links int
}

// step follows one name.
func (w *walker) step(name string) error {
	if name == ".." {
		w.leave(max(1, len(w.steps)-1))
		return nil
	}
	here := &w.steps[len(w.steps)-1]
	switch {
	case here.file.Mode&unix.S_IFMT != unix.S_IFDIR:
		return unix.ENOTDIR
	case !isLocal(here.at, w.mounts):
		return errRemote
	}
	return w.enter(name, here.fd)
}

// enter takes the next element, or what a symbolic link leads to instead. The link can be replaced where it stands, which
// has been passed.
func (w *walker) enter(name string, above int) error {
	fd, err := unix.Openat(above, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s := step{name: name, fd: fd}
	w.steps = append(w.steps, s)
	here := &w.steps[len(w.steps)-1]
	if err := here.read(); err != nil {
		return err
	}
	if here.file.Mode&unix.S_IFMT != unix.S_IFLNK {
		w.trail.pass(here)
		return nil
	}
	if w.links++; w.links > maxLinks {
		return errLinks
	}
	target, err := readlink(fd)
	if err != nil {
		return err
	}
	w.leave(len(w.steps) - 1)
	if strings.HasPrefix(target, "/") {
		w.leave(1)
	}
	w.todo = append(elements(target), w.todo...)
	return nil
}

// leave goes back until so many steps are left.
func (w *walker) leave(steps int) {
	for _, s := range w.steps[steps:] {
		unix.Close(s.fd)
	}
	w.steps = w.steps[:steps]
}

// step is one element of a path.
type step struct {
	name    string
	fd      int
	file    process.File
	at      place
	mounted bool
}

func (s *step) read() error {
	var st unix.Statx_t
	const flags = unix.AT_EMPTY_PATH | unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT
	if err := unix.Statx(s.fd, "", flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME|unix.STATX_MNT_ID, &st); err != nil {
		return err
	}
	s.file, s.at = process.FileOf(&st), placeOf(&st)
	s.mounted = st.Attributes&st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0
	return nil
}

// pass notes who could write to an element: into a file, or exchange what stands in a directory. In a sticky directory
// (inode(7)) others than the owners may add names but not exchange any.
func (t *trail) pass(s *step) {
	f := &s.file
	const groupWrite, otherWrite = unix.S_IWGRP, unix.S_IWOTH
	if f.Owner != 0 {
		t.users = append(t.users, f.Owner)
	}
	if f.Owner != 0 || f.Mode&(groupWrite|otherWrite) != 0 {
		t.protected = false
	}
	if f.Mode&unix.S_IFMT == unix.S_IFDIR && f.Mode&unix.S_ISVTX != 0 {
		return
	}
	if f.Mode&groupWrite != 0 {
		t.groups = append(t.groups, f.Group)
	}
	t.others = t.others || f.Mode&otherWrite != 0
}

// elements are the names in a path.
func elements(path string) []string {
	names := make([]string, 0, strings.Count(path, "/")+1)
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			names = append(names, name)
		}
	}
	return names
}

func readlink(fd int) (string, error) {
	var b [unix.PathMax]byte
	n, err := unix.Readlinkat(fd, "", b[:])
	if err != nil {
		return "", err
	}
	return string(b[:n]), nil
}

func walkError(path string, err error) error { return fmt.Errorf("enrichment: %s: %w", path, err) }
