// Package soft does mechanisms in software: with public keys, with the keys
// of sessions, and hashing.
//
//	m, err := soft.NewMaterial(template)        // all attributes, secret ones included
//	defer soft.Clear(m)
//	signature, err := soft.Sign(m, mechanism.ECDSA{}, digest)
//
// A [Material] is a key ready for use. It has no exported methods and no
// exported fields: a secret that has become Material leaves it only wrapped, or
// as the result of a mechanism. Whether its owner may use it so, and what
// CKA_ALLOWED_MECHANISMS and the usage flags say, is the caller's to decide
// beforehand; so is hashing, see mechanism.Prehash.
//
// Errors are those of PKCS #11: ckr.KeyTypeInconsistent for a key that does
// not fit the mechanism, ckr.KeySizeRange, ckr.MechanismInvalid for mechanisms
// that software does not do, ckr.MechanismParamInvalid, ckr.DataLenRange,
// ckr.SignatureInvalid and so on. In a program that runs in FIPS 140 only mode
// (GODEBUG=fips140=only), what the mode forbids is ckr.MechanismInvalid; nothing
// panics.
//
// Private operations are those of the standard library and run in constant
// time, but for PSS signatures with an empty salt or two different hash
// functions, and for raw RSA, which the library does not offer: they run on
// math/big behind blinding. Raw RSA with private keys turns decryption into
// signing and back; it is among what [Mechanisms] has only for who asks for what
// is old, as DES, MD5 and short RSA keys are. What Go does not have comes from
// circl: ML-KEM-512, ML-DSA, SLH-DSA, Ed448 and X448.
//
// A mechanism is a row of one table: a scheme, which has the functions that do
// it, the keys that it works with, and what FIPS 140 and legacy rules say of it.
// An operation without a function is ckr.MechanismInvalid, and what is offered
// follows from the functions that there are. Rows stand beside the functions
// that they name, in the file of the mechanism. Ciphers that take data in parts
// are a [Stream].
package soft
