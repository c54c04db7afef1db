// Package faults holds tests alone: the library is given cards that lie, cards
// that are torn out, readers that hang and callers that err, and has to keep
// its promises. What those are is said in docs/robustness.md, and which flags
// have the tests done in full.
//
// TestFaults has a subtest for each known way in which systems of this kind
// were hurt. TestExhaustive lets every exchange of the usual tasks go wrong in
// every way on every kind of card. FuzzStack gives the whole library a stream of
// arbitrary answers.
//
// What goes wrong is made to by the faults of package virtual. A single
// package's own rules are tested in that package.
package faults
