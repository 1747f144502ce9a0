package enrichment

import (
	"bytes"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxMounts bounds how much of a mountinfo file is read.
const maxMounts = 8 << 20

// localTypes are the file systems that answer by themselves. On others (FUSE, NFS, CIFS, 9P …) whoever serves them may
// make a reader wait for ever.
var localTypes = map[string]bool{
	"bcachefs": true, "btrfs": true, "cramfs": true, "devtmpfs": true, "ecryptfs": true, "erofs": true, "exfat": true,
	"ext2": true, "ext3": true, "ext4": true, "f2fs": true, "iso9660": true, "jfs": true, "ntfs3": true, "overlay": true,
	"ramfs": true, "reiserfs": true, "rootfs": true, "squashfs": true, "tmpfs": true, "ubifs": true, "udf": true,
	"vfat": true, "virtiofs": true, "xfs": true, "zfs": true,
}

// mounts says which devices hold local file systems, as a mount namespace has them.
type mounts struct {
	local map[uint64]bool
	// byID says the same of mounts by their identifier.
	byID map[uint64]bool
	// btrfs: there is one whose files show other devices than its mount.
	btrfs bool
}

// place is where a file is: on a device, and on a mount by its identifier, 0 if the kernel does not tell (before 5.8).
type place struct{ device, mount uint64 }

// placeOf is the place that statx(2) says, if it was asked for STATX_MNT_ID.
func placeOf(st *unix.Statx_t) place {
	p := place{device: unix.Mkdev(st.Dev_major, st.Dev_minor)}
	if st.Mask&unix.STATX_MNT_ID != 0 {
		p.mount = st.Mnt_id
	}
	return p
}

// parseMounts decodes lines of proc_pid_mountinfo(5): the identifier of the mount is the first field, the device the third,
// the type follows a dash.
func parseMounts(text []byte) mounts {
	m := mounts{local: make(map[uint64]bool), byID: make(map[uint64]bool)}
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		dash := 6
		for dash < len(fields) && string(fields[dash]) != "-" {
			dash++
		}
		if dash+1 >= len(fields) {
			continue
		}
		device, ok := parseDevice(fields[2])
		if !ok {
			continue
		}
		kind := string(fields[dash+1])
		m.local[device] = localTypes[kind]
		if id, err := strconv.ParseUint(string(fields[0]), 10, 64); err == nil {
			m.byID[id] = localTypes[kind]
		}
		m.btrfs = m.btrfs || kind == "btrfs"
	}
	return m
}

// parseDevice decodes "major:minor".
func parseDevice(b []byte) (uint64, bool) {
	a, c, ok := bytes.Cut(b, []byte{':'})
	major, err := strconv.ParseUint(string(a), 10, 32)
	if !ok || err != nil {
		return 0, false
	}
	minor, err := strconv.ParseUint(string(c), 10, 32)
	if err != nil {
		return 0, false
	}
	return unix.Mkdev(uint32(major), uint32(minor)), true
}

// ownMounts reads the mounts of the sensor's own mount namespace; none if they cannot be read.
func ownMounts() mounts {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return mounts{}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMounts))
	if err != nil {
		return mounts{}
	}
	m := parseMounts(text)
	if device, ok := memfdDevice(); ok {
		m.local[device] = true
	}
	return m
}

// memfdDevice is the device of files that never had a path (memfd_create(2)); no mount shows it.
func memfdDevice() (uint64, bool) {
	fd, err := unix.MemfdCreate("", unix.MFD_CLOEXEC)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return st.Dev, err == nil
}

// isLocal reports whether a file is on a local file system: by its device, or by its mount where files show other devices
// than their mount does, as on the lower layers of an overlay; by the first namespace that has it. What none has is local if
// it is on a real device, not one of those the kernel makes up for file systems without.
func isLocal(at place, namespaces ...mounts) bool {
	btrfs := false
	for _, m := range namespaces {
		if local, found := m.local[at.device]; found {
			return local
		}
		btrfs = btrfs || m.btrfs
	}
	for _, m := range namespaces {
		if local, found := m.byID[at.mount]; found {
			return local
		}
	}
	return btrfs || unix.Major(at.device) != 0
}
