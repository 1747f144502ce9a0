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
	// btrfs: there is one whose files show other devices than its mount.
	btrfs bool
}

// parseMounts decodes lines of proc_pid_mountinfo(5): the device is the third field, the type follows a dash.
func parseMounts(text []byte) mounts {
	m := mounts{local: make(map[uint64]bool)}
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

// isLocal reports whether a device holds a local file system, by the first namespace that has it. One that none has is
// local if it is a real device, not one of those the kernel makes up for file systems without.
func isLocal(device uint64, namespaces ...mounts) bool {
	btrfs := false
	for _, m := range namespaces {
		if local, found := m.local[device]; found {
			return local
		}
		btrfs = btrfs || m.btrfs
	}
	return btrfs || unix.Major(device) != 0
}
