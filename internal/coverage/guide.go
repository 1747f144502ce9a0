package coverage

import "slices"

// guide is the blind-spot guide (packs/blind-spots.md) as data: the shapes that a level is not said to find. Rotation needs
// processes that are named: at L0 those that outlive a look. Level proc sees its own network namespace and no bytes.
var guide = map[string][]string{
	"L3":   nil,
	"L2":   nil,
	"L1":   nil,
	"L0":   {"udp-dns", "rotating-destinations"},
	"proc": {"timer-curl", "python-loop", "jittered-implant", "chunked-exfiltration", "udp-dns", "short-lived", "rotating-destinations"},
}

// Promised reports whether the guide says that a level finds a shape.
func Promised(level, shape string) bool {
	missing, known := guide[level]
	if !known {
		return false
	}
	return !slices.Contains(missing, shape)
}
