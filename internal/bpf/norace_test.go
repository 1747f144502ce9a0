//go:build !race

package bpf

const racing = false
