// Package shrink gives back the room of maps that were once much larger: the runtime never does.
package shrink

import "maps"

// Roomy is how many entries a map may have had without being worth a copy.
const Roomy = 1 << 10

// Map returns m, or a copy if it once was four times as large. most is the largest length since the last copy, as far as Map saw it.
func Map[K comparable, V any](m map[K]V, most *int) map[K]V {
	if *most = max(*most, len(m)); *most < Roomy || len(m) > *most/4 {
		return m
	}
	*most = len(m)
	next := make(map[K]V, len(m)) // maps.Clone would copy the room as well
	maps.Copy(next, m)
	return next
}
