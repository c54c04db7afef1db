// Package mldsa signs and verifies message representatives of ML-DSA, FIPS 204.
//
// A representative µ is a hash of the public key and of what is signed, in
// whichever form: HashML-DSA, §5.4, differs from ML-DSA in nothing else. The
// libraries that this module uses for ML-DSA take messages only.
//
//	mu := mldsa.Representative(mldsa.PublicKeyHash(public), prefixed)
//	signature := mldsa.MLDSA65.Sign(private, mu, random)
//	ok := mldsa.MLDSA65.Verify(public, mu, signature)
//
// Keys come in the encodings of FIPS 204 and are trusted to be sound: what reads
// them checks them. Signing takes time that depends on how often a signature is
// rejected, which tells nothing of the key, and on public values.
package mldsa
