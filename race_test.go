//go:build race

package cryptoki_test

// raceEnabled tells that allocations of the race detector count, too.
const raceEnabled = true
