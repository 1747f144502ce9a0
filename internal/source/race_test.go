//go:build race

package source

// racing: this binary is slower by far under the race detector.
const racing = true
