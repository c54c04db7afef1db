// Package interop has programs from elsewhere judge the cards of this library,
// and this library the cards of theirs. It has tests only.
//
// The tests need Debian's packages pcscd, vsmartcard-vpcd and opensc, and a
// running pcscd. Where something is missing they say so and are skipped; with
// INTEROP=require in the environment they fail.
package interop
