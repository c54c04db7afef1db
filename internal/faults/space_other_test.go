//go:build !linux

package faults_test

import "testing"

// Limits to files, and the rights of a thread, are set in the way of Linux.
func fullDisk(string) int          { return 2 }
func outOfSpace(*testing.T)        {}
func withoutPermission(*testing.T) {}
