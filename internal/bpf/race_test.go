//go:build race

package bpf

// racing: processes of this binary take much longer to start under the race detector.
const racing = true
