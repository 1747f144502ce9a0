//go:build !race

package ceiling

const detector = 1
