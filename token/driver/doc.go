// Package driver is for authors of drivers: what a family of cards, or of tokens
// that are no cards, must do to be PKCS #11 tokens of this library.
//
// A [Driver] looks at a card and returns a [Backend] for each user PIN on it. A
// Backend has eight methods: it describes the token, lists its objects as a
// [Record] each, reads attributes, says what its keys can do and what they ask
// for, and verifies PINs. What a family can do beyond that it says by
// implementing more interfaces, such as [Signer], [Decrypter], [Storer] or
// [PINManager]; what it does not implement is refused with the right code.
// The example is a whole driver for a card of one key.
//
// The library does the rest, the same for every family: sessions and their
// states, who may see and do what, logins of several applications on one card,
// handles, searches, session objects, mechanisms in software, padding and hashing
// before a signature, and what to do after a reset or another program's visit. A
// Backend therefore
//   - sends a PIN once for each call, and never keeps it,
//   - answers from the card or from what it read since others used it,
//   - gives another object another Ref, or leaves it to the library to compare
//     public keys (see [Prover]),
//   - writes data before the directory entry that names them, and takes back what
//     it could not finish, with [CleanupContext],
//   - returns *ckr.Error where the card's answer has a meaning of its own, with the
//     tries left of a PIN, and otherwise the errors of package apdu as they are:
//     their code is [StatusCode].
//
// Backends whose cards speak APDUs run their transactions by [Exclusive]; others
// bring their own [Tx].
package driver
