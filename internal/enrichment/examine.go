package enrichment

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// deleted is what the kernel appends to the path of an executable that has been unlinked.
const deleted = " (deleted)"

// examiner looks at processes, one at a time, what perishes first.
type examiner struct {
	*Enricher
	buffer     procfs.Buffer
	containers containers
}

// examine remembers what can be told of a process.
func (x *examiner) examine(info process.Info) {
	x.counters.examined.Add(1)
	s := &subject{terminal: info.Terminal, preload: info.Preload, environRead: info.EnvironRead}
	p, alive := x.open(&info)
	if alive {
		defer p.Close()
	} else {
		x.counters.late.Add(1)
	}
	if alive && !s.environRead {
		set, err := p.HasEnv(&x.buffer, process.Preloads(info.Program.Path))
		s.preload, s.environRead = set, err == nil
	}
	if info.Executable.Known() {
		var from *procfs.PID
		if alive {
			from = &p
		}
		s.executable = x.file(fileKey{file: info.Executable, path: info.Program.Path}, from)
		s.selfWritable = s.executable.writableBy(info.Program.UID, func() []uint32 {
			groups, _ := p.GIDs(&x.buffer) // none of an ended process
			return groups
		})
		if strings.HasPrefix(info.Program.Script, "/") && !s.executable.elsewhere {
			s.script = x.scriptFile(info.Program.Script)
		}
	}
	s.container = x.containers.of(&info, time.Now())
	if s.executable != nil && s.executable.elsewhere && x.unlinked(info.ID, s) {
		s.unlinked.Store(true) // between its description and this look
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.subjects.put(info.ID, s)
}

// open returns the directory of the process if it still is the one described, running the program described.
func (x *examiner) open(info *process.Info) (procfs.PID, bool) {
	p, err := x.fs.OpenPID(info.ID.PID)
	if err != nil {
		return p, false
	}
	var stat procfs.PIDStat
	var exe unix.Statx_t
	if p.Stat(&x.buffer, &stat) != nil || stat.StartTicks != info.ID.StartTicks ||
		p.ExeStat(&exe) != nil || info.Executable.Known() && process.FileOf(&exe) != info.Executable {
		p.Close()
		return p, false
	}
	return p, true
}

// file returns what is known of a file, looking where its path leads if it is new and having it inspected if it was not.
// from is a living process that runs it, nil if there is none.
func (x *examiner) file(k fileKey, from *procfs.PID) *file {
	first, initial := x.config.FirstSeen(k.file)
	x.mu.Lock()
	f := x.files.get(k)
	x.mu.Unlock()
	if f == nil {
		f = newFile(k)
		f.first, f.initial = first, initial
		x.mu.Lock()
		f = x.files.put(f)
		x.mu.Unlock()
	}
	x.request(f, from)
	return f
}

// newFile looks where a path leads.
func newFile(k fileKey) *file {
	f := &file{key: k}
	if !strings.HasPrefix(k.path, "/") || strings.HasSuffix(k.path, deleted) {
		return f // memfd, or without a path any more: not elsewhere, but nowhere
	}
	t, err := follow(k.path, ownMounts())
	switch {
	case err == nil && t.file.Same(k.file) && !t.mounted:
		f.trail = t
	case err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR):
		f.elsewhere = true
	}
	return f
}

// scriptFile returns what is known of a script by its path, nil if nothing is there.
func (x *examiner) scriptFile(path string) *file {
	t, err := follow(path, ownMounts())
	if err != nil || t.file.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil
	}
	return x.file(fileKey{file: t.file, path: t.path}, nil)
}

// request has a file inspected if that may bring something new. The file is opened through the process that runs it, which
// works for one without a path, or in another mount namespace, and still when the process has ended meanwhile.
func (x *examiner) request(f *file, from *procfs.PID) {
	x.mu.Lock()
	want := !f.queued && !f.done()
	f.queued = f.queued || want
	x.mu.Unlock()
	if !want {
		return
	}
	i := inspection{file: f}
	if from != nil && len(x.inspect) < maxOpen && x.readable(f.key.file, *from) {
		if opened, err := from.OpenExe(); err == nil {
			i.opened = opened
		}
	}
	select {
	case x.inspect <- i:
	default:
		i.close()
		x.counters.dropped.Add(1)
		x.mu.Lock()
		f.queued = false
		x.mu.Unlock()
	}
}

// maxOpen bounds the files held open for inspection.
const maxOpen = 64

// readable reports whether the executable of a process can be read without waiting for a file server.
func (x *examiner) readable(f process.File, p procfs.PID) bool {
	theirs, err := p.Mounts(&x.buffer)
	if err != nil {
		return false
	}
	var st unix.Statx_t
	return f.Mode&unix.S_IFMT == unix.S_IFREG && p.ExeStat(&st) == nil && isLocal(placeOf(&st), ownMounts(), parseMounts(theirs))
}

// writableBy reports whether a user with those groups could replace the file. For root, who could anyway, it is false.
func (f *file) writableBy(uid uint32, groups func() []uint32) bool {
	t := f.trail
	if t.path == "" { // what the file itself says is all there is
		t.pass(&step{file: f.key.file})
	}
	if uid == 0 || t.others || slices.Contains(t.users, uid) || len(t.groups) == 0 {
		return uid != 0 && (t.others || slices.Contains(t.users, uid))
	}
	return slices.ContainsFunc(groups(), func(g uint32) bool { return slices.Contains(t.groups, g) })
}

// inspection is a file to be looked at in depth.
type inspection struct {
	file *file
	// opened is the file itself, nil if it has to be opened by its path.
	opened *os.File
}

func (i inspection) close() {
	if i.opened != nil {
		i.opened.Close()
	}
}
