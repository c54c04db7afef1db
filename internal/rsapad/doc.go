// Package rsapad pads and unpads for RSA as PKCS #1 (RFC 8017) has it, where
// the RSA operation itself is done elsewhere: on a card that knows numbers
// only.
//
//	block, err := rsapad.PSS(crypto.SHA256, crypto.SHA256, 32, digest, bits) // to be signed raw
//	message, err := rsapad.UnpadOAEP(crypto.SHA256, crypto.SHA256, label, block)
//
// What comes out of a private key is secret until its padding is known to be
// good. The functions that take padding off touch memory and take branches by
// the length of the block only, never by its content: whether the padding is
// good, why it is not and how long the message is stay in masks until the
// single decision at the end. They return one error for all failures,
// ckr.EncryptedDataInvalid. That error itself tells an attacker who may ask
// again and again whether a PKCS #1 v1.5 block was good; [SessionKey] does not
// even tell that.
//
// Buffers that held secrets are cleared, other than the results, which belong
// to the caller.
package rsapad
