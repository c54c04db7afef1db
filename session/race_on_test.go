//go:build race

package session_test

// raceDetector tells that the race detector makes everything ten times slower.
const raceDetector = true
