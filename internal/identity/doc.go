// Package identity holds tests alone: that what the library finds again is
// what it was before. Programs change cards behind a Key that is held, people
// swap cards that look alike, change PINs and reset cards; a Key must go on to
// be the key that its public half names, a handle the object that was read
// through it, and a PIN must reach the card that it was given for.
//
// TestWalk lets all of that happen at random, from a seed that it prints, and
// judges every result. Each exchange with a card waits for its turn, so that
// the steps interleave in the middle of operations, and a seed gives nearly the
// same walk again. TestRush is the same walk with many turns at once, for the race
// detector. The other tests do one thing each.
//
//	go test ./internal/identity -run 'TestWalk' -steps 100000 -seed 7
package identity
