// Package piv drives PIV cards: those of the US government and others by NIST
// SP 800-73-5, and YubiKeys and their like with Yubico's extensions. Its Driver
// goes to slot.NewList or cryptoki.WithDrivers; programs need nothing else of
// it.
//
//	list := slot.NewList(provider, []token.Driver{piv.Driver()})
//
// A card is one token. Its key slots are private keys, public keys and
// certificates with the CKA_ID 01 (9A), 02 (9C), 03 (9D), 04 (9E), 05 to 18
// (82 to 95); its other data objects are CKO_DATA with their object
// identifiers. Key 9C asks for the PIN at each use (CKA_ALWAYS_AUTHENTICATE),
// 9E needs none. A card shows what is in it: whether certificates are valid,
// and whether signatures on objects are, is for the relying party to judge.
// Only that a key signs what its certificate verifies is looked at, once.
// Application.Inspect tells on demand what is wrong with a card: what was
// tampered with, is expired, missing, or does not belong together.
//
// PIV cards have no directory. Objects are looked for when somebody asks for
// such as they may be, so a search that names a class and a CKA_ID costs least.
//
// The security officer is who has the management key: CKU_SO logs in with its
// 16, 24 or 32 bytes, or twice as many hexadecimal digits. Writing as the user
// needs that key, too; it is asked for through session.WithPINFunc, or taken
// from where YubiKey Manager keeps it for the user's PIN. Application gives
// what PKCS #11 has no calls for: version, tries, reset.
//
// A management key that YubiKey Manager derives from the PIN follows the PIN, and
// one that it keeps on the card is kept there when it is changed. PIN and touch
// policies of YubiKeys are the attributes AttrPINPolicy and AttrTouchPolicy.
//
// Labels, identifiers and uses of keys are those of the slots and cannot be
// changed; secure messaging and biometry are left out.
package piv
