package inventory

import "slices"

// Code is a word of the reason_codes vocabulary.
type Code string

// Suspicions: what speaks against a program. Each has a weight in the vocabulary.
const (
	MemfdExecutable       Code = "memfd_executable"
	DeletedExecutable     Code = "deleted_executable"
	AlteredExecutable     Code = "altered_executable"
	WorldWritablePath     Code = "world_writable_path"
	HiddenPath            Code = "hidden_path"
	MountedOver           Code = "mounted_over"
	Preload               Code = "preload"
	SelfWritable          Code = "self_writable"
	NoPackage             Code = "no_package"
	NotExamined           Code = "not_examined"
	NotVerified           Code = "not_verified"
	NameAlike             Code = "name_alike"
	KernelThreadName      Code = "kernel_thread_name"
	RecentExecutable      Code = "recent_executable"
	YoungerThanBeacon     Code = "younger_than_beacon"
	NewProgram            Code = "new_program"
	NewDestination        Code = "new_destination"
	GeneralPurposeTool    Code = "general_purpose_tool"
	InlineCode            Code = "inline_code"
	ParentWebServer       Code = "parent_web_server"
	ParentDatabase        Code = "parent_database"
	ParentShellNoTerminal Code = "parent_shell_no_terminal"
	OrphanedDaemon        Code = "orphaned_daemon"
	RuledOut              Code = "ruled_out"
	DestinationNotCovered Code = "destination_not_covered"
	PeriodNotCovered      Code = "period_not_covered"
)

// Verdicts and observations: they weigh nothing.
const (
	Expected        Code = "expected"
	RuleExpired     Code = "rule_expired"
	Unattributed    Code = "unattributed"
	InContainer     Code = "in_container"
	Listens         Code = "listens"
	ManyPeers       Code = "many_peers"
	LongKnown       Code = "long_known"
	SizesCiphertext Code = "sizes_ciphertext"
)

// Word is an entry of the vocabulary.
type Word struct {
	Code Code
	// Weight of a suspicion, 1 to 6; 0 for verdicts and observations.
	Weight int
	// Meaning completes a sentence about the program.
	Meaning string
}

// vocabulary is a constant in all but name. What names the strongest suspicion comes first.
var vocabulary = []Word{
	{MemfdExecutable, 6, "it runs from memory, without a file"},
	{KernelThreadName, 5, "its name pretends to be a kernel thread"},
	{AlteredExecutable, 5, "its file is not the one its package installed"},
	{WorldWritablePath, 4, "it runs from a directory that anybody may write to"},
	{DeletedExecutable, 3, "its executable has been deleted"},
	{MountedOver, 3, "its path leads to another file on this host"},
	{Preload, 3, "LD_PRELOAD or LD_AUDIT puts other code into it"},
	{ParentWebServer, 3, "a web server started it"},
	{ParentDatabase, 3, "a database server started it"},
	{RuledOut, 3, "a rule says that it has no business talking"},
	{NoPackage, 2, "no package lists its file"},
	{NotExamined, 2, "it was gone before it could be examined"},
	{NotVerified, 2, "it is not verified to be what the entry of that name means"},
	{NameAlike, 2, "it has the name of a known program at another path"},
	{GeneralPurposeTool, 2, "it is a general-purpose tool or interpreter, which does what it is told"},
	{InlineCode, 2, "it interprets code from its command line or standard input"},
	{HiddenPath, 2, "it runs from a hidden file or directory"},
	{SelfWritable, 2, "the user it runs as can replace its file"},
	{YoungerThanBeacon, 2, "its file is younger than the beacon"},
	{DestinationNotCovered, 2, "it is expected to talk, but not there"},
	{PeriodNotCovered, 1, "it is expected to talk there, but not this often"},
	{RecentExecutable, 1, "its file has changed within the last 7 days"},
	{NewProgram, 1, "it is new on this host"},
	{NewDestination, 1, "its destination is new on this host"},
	{ParentShellNoTerminal, 1, "a shell without a terminal started it"},
	{OrphanedDaemon, 1, "its parent has left it to init"},
	{Expected, 0, "a rule covers this program, destination and period"},
	{RuleExpired, 0, "the rule that covered it has expired"},
	{Unattributed, 0, "the process could not be found"},
	{InContainer, 0, "it runs in a container"},
	{Listens, 0, "it listens on a socket that is not loopback"},
	{ManyPeers, 0, "it talks to many destinations"},
	{LongKnown, 0, "it has talked for a week or more"},
	{SizesCiphertext, 0, "its payloads are encrypted: sizes are those of the ciphertext"},
}

// Vocabulary returns the words this package adds to the reason codes, the heaviest first. Those of timing and sizes are
// beacon's.
func Vocabulary() []Word { return slices.Clone(vocabulary) }

// word finds a code, which is always there.
func word(c Code) Word {
	for _, w := range vocabulary {
		if w.Code == c {
			return w
		}
	}
	return Word{Code: c}
}
