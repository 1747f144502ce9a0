package source

import "github.com/beaconwatch/beaconwatch/internal/netns"

// Place is the network namespace a source watches. The zero Place is the sensor's own.
type Place struct {
	// NetNS is an open descriptor of it, 0 for the sensor's own; it is only used while the source is opened. NetNSInode is what
	// sends and stats call it (0 = the sensor's own).
	NetNS      int
	NetNSInode uint64
	// Gate, if not nil, tells when sockets come or go there: with none to watch, no sample is taken in between.
	Gate *netns.Gate
	// Share, if not nil, divides the budget of a source among all with the same one.
	Share *Share
}
