//go:build !race

package cryptoki_test

const raceEnabled = false
