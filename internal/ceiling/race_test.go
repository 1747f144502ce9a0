//go:build race

package ceiling

// The race detector keeps several bytes for each that is in use.
const detector = 4
