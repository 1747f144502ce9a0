//go:build !race

package source

const racing = false
