package attribution

import "maps"

// roomy is how many entries a map may have had without being worth a copy.
const roomy = 1 << 10

// shrunk returns m, or a copy if it once was four times as large: a map never gives back the room of what it has forgotten. most
// is the largest length since the last copy.
func shrunk[K comparable, V any](m map[K]V, most *int) map[K]V {
	if *most = max(*most, len(m)); *most < roomy || len(m) > *most/4 {
		return m
	}
	*most = len(m)
	return maps.Clone(m)
}
