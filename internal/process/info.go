package process

import "time"

// Info is what is known of one process for the rows it causes. Fields that could not be read are zero. Cmdline fields are
// redacted and length-capped before they are stored.
type Info struct {
	ID      ID
	Program Program
	// Executable is the file the process runs, as it was when it was read; the zero File if that could not be told.
	Executable File
	// Preload and EnvironRead are as in Facts. Terminal: the process had a controlling terminal.
	Preload, EnvironRead bool
	Terminal             bool
	Name                 string
	Cmdline              string
	Username             string
	Parent               ID
	ParentPath           string
	ParentCmdline        string
	GrandparentPath      string
	GrandparentCmdline   string
	CgroupPath           string
	SystemdUnit          string
	ContainerID          string
	ContainerRuntime     string
	NetNS                uint64
	StartTime            time.Time
	Exited               bool
}
