package soft

import (
	"crypto/fips140"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// forbidden refuses what the program's FIPS 140 only mode does not allow and
// the standard library would answer with an error or a panic.
func forbidden(mech mechanism.Mechanism) error {
	if !fips140.Enforced() || approved(mech) {
		return nil
	}
	return ckr.Newf(ckr.MechanismInvalid, mech.Type().String(), "the FIPS 140 mode of this program forbids it")
}

// approved reports whether the standard library does a mechanism in FIPS 140
// only mode. Hash functions were looked at before.
func approved(mech mechanism.Mechanism) bool {
	switch mech := mech.(type) {
	case mechanism.RSAPKCS: // with a hash function only, and not for encryption
		return mech.Hash != 0
	case mechanism.RSAX509, mechanism.AESGCM, mechanism.AESGMAC, mechanism.ECMontgomeryKeyPairGen:
		return false
	case mechanism.ChaCha20Poly1305, mechanism.ChaCha20KeyGen, mechanism.AESXTS,
		mechanism.DESECB, mechanism.DESCBC, mechanism.DESCBCPad, mechanism.DESKeyGen,
		mechanism.DES3ECB, mechanism.DES3CBC, mechanism.DES3CBCPad, mechanism.DES2KeyGen, mechanism.DES3KeyGen:
		return false
	case mechanism.MLDSA, mechanism.MLDSAKeyPairGen, mechanism.SLHDSA, mechanism.SLHDSAKeyPairGen: // not of the standard library
		return false
	case mechanism.RSAPSS:
		return !ownPSS(mech) && mech.SaltLength() <= mech.Hash.Size()
	case mechanism.EdDSA:
		return len(mech.Context) == 0 || mech.Prehash
	}
	return true
}
