// Package faults holds tests alone: the library is given cards that lie, cards
// that are torn out, readers that hang and callers that err, and has to keep
// its promises. What those are is said in docs/robustness.md.
//
// TestFaults has a subtest for each known way in which systems of this kind
// were hurt. TestExhaustive lets every exchange of the usual tasks go wrong in
// every way; with the flag -exhaustive on all of them, otherwise on some.
// FuzzStack gives the whole library a stream of arbitrary answers.
//
// A single package's own rules are tested in that package.
package faults
