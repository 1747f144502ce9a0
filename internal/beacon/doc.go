// Package beacon scores one flow for beaconing (MITRE ATT&CK AN0597): a series of sends in, evidence and reasons out. It
// answers two of the analytic's three questions, whether the timing is uniform and whether the sizes are similar. It knows
// no sockets and no processes, so it cannot answer the third, whether this process should be talking at all; it keeps no
// state between flows, and everything it returns is finite.
//
// # How a flow is judged
//
// The flow is read three ways: raw, and merged into check-ins at two lengths of silence (readings.go, rhythm.go). In each
// reading the gaps are laid out on a logarithmic scale, and for twelve widths from ±2 % to ±70 % the fullest band is found
// (timing.go). A band is evidence as far as its share, bounded from below (Wilson), diverges (Kullback–Leibler) from the
// most that could be there without a timer: the largest share any steady random sender puts into a band of that width, the
// flow's own gaps smeared, the tail of a falling density, a random wait after a least time (chance.go, tail.go). What the
// search over widths, places and readings costs is taken off, as is what stands for only a small part of the flow (standing.go), lies near the grid of
// the clock (clock.go) or goes at the pace of round trips (pace.go).
//
// Where one band leaves doubt, richer patterns are tried, each at its own price: two periods, one after the other or mixed
// (twobands.go), an interval that grows (trend.go) and maybe starts over (sawtooth.go), several gaps that repeat
// (cycle.go), a wide jitter under heavy loss (lossy.go), a rhythm under other traffic (echo.go), two timers of one interval
// (pairs.go) and the sends of one size by themselves (group.go). None of them hides a plain rhythm of nearly all check-ins
// that is worth more. Back-off and retries to a dead server are one attempt each (backoff.go, failed.go), so they make no
// rhythm.
//
// Sizes go through the same scan (size.go) and count only as far as the timing does.
package beacon
