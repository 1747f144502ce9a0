package process

import (
	"time"

	"golang.org/x/sys/unix"
)

// File identifies what a file holds, as statx(2) shows it: whatever changes its bytes, its owner or its mode changes the
// File too, or its own clock was tampered with. The zero File is none.
type File struct {
	Device, Inode uint64
	Size          int64
	// Mode has type and permission bits as in stat(2).
	Mode  uint32
	Owner uint32
	Group uint32
	// Changed is the later of mtime and ctime, in nanoseconds since the Unix epoch.
	Changed int64
	// Born is when it was made, in nanoseconds since the Unix epoch; 0 where the file system does not keep that. It tells a
	// file from an earlier one whose inode it was given.
	Born int64
}

// FileOf is the File that st describes.
func FileOf(st *unix.Statx_t) File {
	f := File{Device: unix.Mkdev(st.Dev_major, st.Dev_minor), Inode: st.Ino, Size: int64(st.Size), Mode: uint32(st.Mode),
		Owner: st.Uid, Group: st.Gid, Changed: max(nanoseconds(st.Mtime), nanoseconds(st.Ctime))}
	if st.Mask&unix.STATX_BTIME != 0 {
		f.Born = nanoseconds(st.Btime)
	}
	return f
}

// Same reports whether it is the same file, though it may have changed since.
func (f File) Same(other File) bool {
	return f.Device == other.Device && f.Inode == other.Inode && f.Born == other.Born
}

// Known reports whether it is a file at all.
func (f File) Known() bool { return f != File{} }

// At is Changed as a time.
func (f File) At() time.Time { return time.Unix(0, f.Changed).UTC() }

func nanoseconds(t unix.StatxTimestamp) int64 { return t.Sec*int64(time.Second) + int64(t.Nsec) }
