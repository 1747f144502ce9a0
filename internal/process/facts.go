package process

import "time"

// Facts is what an examination of a running process and its executable found: evidence for a verdict, never a verdict.
// The zero value says that nothing is known.
type Facts struct {
	// Examined: the executable file was read. Without it every field below but those of the process is unknown.
	Examined bool
	// Device, Inode, Size, Mode (permission and type bits as in stat(2)), Owner and Changed (the later of mtime and ctime)
	// are those of the executable, read through /proc/PID/exe where the process still lives.
	Device, Inode uint64
	Size          int64
	Mode          uint32
	Owner         uint32
	Changed       time.Time
	// SHA256 of the executable in lower-case hex; empty if it is larger than the cap or not hashed yet.
	SHA256 string
	// Elsewhere: the path does not lead to this file in the sensor's own mount namespace, or leads there through a mount on
	// the file itself: a container's root, a bind mount, or the file was replaced or removed before it was examined.
	Elsewhere bool
	// Package, PackageVersion and PackageManager ("dpkg", "rpm", "snap") name the package that lists the path; empty if none
	// does or the file is Elsewhere. PackageKnown: this was looked up, so that no package means that there is none.
	Package, PackageVersion, PackageManager string
	PackageKnown                            bool
	// Intact: the file has the digest its package recorded for it. Altered: it has another. Neither: no digest is recorded.
	Intact, Altered bool
	// Protected: the file and every directory above it belong to root and can be written by nobody else.
	Protected bool
	// SelfWritable: the user the process runs as, root excepted, could replace the executable.
	SelfWritable bool
	// FirstSeen is when this file identity (device, inode, size, change time) was first seen on this host. Initial: that was
	// within the first day of the record itself, when everything is seen for the first time and nothing follows from it.
	FirstSeen time.Time
	Initial   bool
	// ScriptPackage, ScriptIntact, ScriptAltered and ScriptProtected say the same of the script file that an interpreter
	// runs, where Program.Script is the absolute path of one: without them an entry for a script could be borrowed by
	// anybody who can write a file of that name.
	ScriptPackage                                string
	ScriptIntact, ScriptAltered, ScriptProtected bool
	// Preload: the process was started with LD_PRELOAD or LD_AUDIT in its environment, or with the variable that makes its
	// interpreter load code (PYTHONPATH, PERL5OPT …). Values are not kept. EnvironRead: the environment could be read while
	// the process lived; without it nothing is known of Preload.
	Preload, EnvironRead bool
	// Terminal: the process has a controlling terminal (tty_nr in proc_pid_stat(5)).
	Terminal bool
	// Unlinked: the executable was removed while the process ran, and nothing was put in its place. What was removed before the
	// process was met shows in its path.
	Unlinked bool
	// Image and ContainerName are the image of the container and what it is called, where the runtime's files on this host
	// tell them. A container of a pod is called NAMESPACE/POD/CONTAINER.
	Image, ContainerName string
}
