package soft

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"math/big"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/rsapad"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// RSA keys shorter than 1024 bits are refused by the standard library, longer
// ones than 16384 take too long; generating is bounded further, for it takes
// longer still. From soundRSA bits keys are sound.
const (
	minRSA          = 1024
	maxRSA          = 16384
	maxExponent     = 256 // bits of a public exponent, FIPS 186-5 §5.1
	maxGoExponent   = 31  // of one that the standard library takes
	maxGeneratedRSA = 4096
	soundRSA        = 2048
)

var (
	rsaKeys  = pairs(object.KeyRSA)
	rsaSizes = sizes{minRSA, maxRSA} // bits
)

func rsaRows() []row {
	pkcs1 := scheme[mechanism.RSAPKCS]{
		keys: rsaKeys, sizes: rsaSizes, approved: func(m mechanism.RSAPKCS) bool { return m.Hash != 0 },
		sign: (*Material).signPKCS1, verify: (*Material).verifyPKCS1,
		signRecover: (*Material).signPKCS1, verifyRecover: (*Material).recoverPKCS1,
		seal: (*Material).encryptPKCS1, open: (*Material).decryptPKCS1,
		unwrap: (*Material).unwrapPKCS1, unwraps: unwrapsPKCS1,
	}
	pss := scheme[mechanism.RSAPSS]{
		keys: rsaKeys, sizes: rsaSizes, approved: approvedPSS,
		sign: (*Material).signPSS, verify: (*Material).verifyPSS,
	}
	oaep := scheme[mechanism.RSAOAEP]{
		keys: rsaKeys, sizes: rsaSizes,
		seal: (*Material).encryptOAEP, open: (*Material).decryptOAEP,
	}
	bare := scheme[mechanism.RSAX509]{
		keys: rsaKeys, sizes: rsaSizes, unapproved: true,
		sign: (*Material).signX509, verify: (*Material).verifyX509,
		signRecover: (*Material).signX509, verifyRecover: (*Material).recoverX509,
		seal: (*Material).encryptX509, open: (*Material).decryptX509,
		legacy: privateUses | mechanism.FlagVerifyRecover, // it turns decryption into signing and back
	}
	pairGen := scheme[mechanism.RSAKeyPairGen]{keys: rsaKeys, sizes: sizes{minRSA, maxGeneratedRSA}, generatePair: generateRSAPair}
	rows := []row{
		pkcs1.row(mechanism.RSAPKCS{}),
		bare.row(mechanism.RSAX509{}),
		pss.row(mechanism.RSAPSS{Hash: crypto.SHA256, Digested: true}),
		wrapping(oaep).row(mechanism.RSAOAEP{Hash: crypto.SHA256}),
		scheme[mechanism.RSAAESKeyWrap]{
			keys: rsaKeys, sizes: rsaSizes, wrap: (*Material).wrapRSAAES, unwrap: (*Material).unwrapRSAAES,
		}.row(mechanism.RSAAESKeyWrap{KeyBits: 256, OAEP: mechanism.RSAOAEP{Hash: crypto.SHA256}}),
		pairGen.row(mechanism.RSAKeyPairGen{}),
	}
	for _, h := range signing {
		rows = append(rows, pkcs1.signatures().row(mechanism.RSAPKCS{Hash: h}), pss.row(mechanism.RSAPSS{Hash: h}))
	}
	return rows
}

// checkDigest refuses a digest that is not as long as its hash function's.
func checkDigest(digest []byte, size int) error {
	if len(digest) != size {
		return ckr.Newf(ckr.DataLenRange, "sign", "a digest of %d bytes, want %d", len(digest), size)
	}
	return nil
}

// pkcs1Input checks the input of PKCS #1 v1.5 signatures.
func (m *Material) pkcs1Input(mech mechanism.RSAPKCS, input []byte) error {
	if mech.Hash == crypto.MD5 {
		return unsupported(mech)
	}
	if mech.Hash != 0 {
		return checkDigest(input, mech.Hash.Size())
	}
	if len(input) > m.rsaPublic.Size()-11 {
		return ckr.Newf(ckr.DataLenRange, "sign", "%d bytes are too long for the key", len(input))
	}
	return nil
}

func (m *Material) signPKCS1(mech mechanism.RSAPKCS, input []byte) ([]byte, error) {
	if err := m.pkcs1Input(mech, input); err != nil {
		return nil, err
	}
	signature, err := rsa.SignPKCS1v15(nil, m.rsaPrivate, mech.Hash, input)
	return signature, library(err)
}

// library turns an error of the standard library into one of ours: only the
// size of a key, or in FIPS mode its exponent, is left to be wrong.
func library(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rsa.ErrMessageTooLong), fips140.Enforced():
		return ckr.New(ckr.KeySizeRange, "RSA key", err)
	}
	return ckr.New(ckr.FunctionFailed, "RSA", err)
}

// checkSignature refuses signatures that cannot be any of the key.
func (m *Material) checkSignature(signature []byte) error {
	if len(signature) != m.rsaPublic.Size() {
		return ckr.Newf(ckr.SignatureLenRange, "verify", "%d bytes, want %d", len(signature), m.rsaPublic.Size())
	}
	return nil
}

// verified tells a signature that is not good from a key that the FIPS mode
// does not like.
func verified(err error) error {
	if errors.Is(err, rsa.ErrVerification) {
		return badSignature()
	}
	return library(err)
}

func badSignature() error { return ckr.New(ckr.SignatureInvalid, "verify", nil) }

func (m *Material) verifyPKCS1(mech mechanism.RSAPKCS, input, signature []byte) error {
	if err := m.pkcs1Input(mech, input); err != nil {
		return err
	}
	if err := m.checkSignature(signature); err != nil {
		return err
	}
	if mech.Hash != 0 {
		if !m.wide() {
			return verified(rsa.VerifyPKCS1v15(m.rsaPublic, mech.Hash, input, signature))
		}
		var err error
		if input, err = rsapad.DigestInfo(mech.Hash, input); err != nil {
			return err
		}
	}
	want, err := rsapad.PadSignature(m.rsaPublic.Size(), input)
	if err != nil {
		return err
	}
	return m.compare(signature, want)
}

// compare checks that a signature is that of a block.
func (m *Material) compare(signature, want []byte) error {
	got, ok := m.raw(signature)
	if !ok || subtle.ConstantTimeCompare(got, want) != 1 {
		return badSignature()
	}
	return nil
}

// raw is the operation of the public key. ok is false if the input is not
// less than the modulus.
func (m *Material) raw(in []byte) (out []byte, ok bool) {
	n := new(big.Int).SetBytes(in)
	if n.Cmp(m.rsaPublic.N) >= 0 {
		return nil, false
	}
	n.Exp(n, m.exponent, m.rsaPublic.N)
	return n.FillBytes(make([]byte, m.rsaPublic.Size())), true
}

// extended puts zeros before input to the length of the modulus.
func (m *Material) extended(input []byte) ([]byte, error) {
	size := m.rsaPublic.Size()
	if len(input) > size || new(big.Int).SetBytes(input).Cmp(m.rsaPublic.N) >= 0 {
		return nil, ckr.Newf(ckr.DataLenRange, "RSA", "the input is not less than the modulus")
	}
	return append(make([]byte, size-len(input)), input...), nil
}

func (m *Material) verifyX509(_ mechanism.RSAX509, input, signature []byte) error {
	want, err := m.extended(input)
	if err != nil {
		return err
	}
	if err := m.checkSignature(signature); err != nil {
		return err
	}
	return m.compare(signature, want)
}

func (m *Material) encryptX509(_ mechanism.RSAX509, data []byte) ([]byte, error) {
	block, err := m.extended(data)
	if err != nil {
		return nil, err
	}
	out, _ := m.raw(block)
	return out, nil
}

// ownPSS reports whether the standard library does not have such PSS: it has
// one hash function for both uses, and no word for an empty salt.
func ownPSS(mech mechanism.RSAPSS) bool {
	return mech.MGFHash() != mech.Hash || mech.SaltLength() == 0
}

// approvedPSS reports whether FIPS 140 only mode allows such PSS.
func approvedPSS(m mechanism.RSAPSS) bool { return !ownPSS(m) && m.SaltLength() <= m.Hash.Size() }

func (m *Material) signPSS(mech mechanism.RSAPSS, digest []byte) ([]byte, error) {
	bits := m.rsaPublic.N.BitLen()
	if ownPSS(mech) {
		block, err := rsapad.PSS(mech.Hash, mech.MGFHash(), mech.SaltLength(), digest, bits)
		if err != nil {
			return nil, err
		}
		return m.rawPrivate(block)
	}
	if err := checkDigest(digest, mech.Hash.Size()); err != nil {
		return nil, err
	}
	signature, err := rsa.SignPSS(rand.Reader, m.rsaPrivate, mech.Hash, digest, &rsa.PSSOptions{SaltLength: mech.SaltLength()})
	if err != nil && !fips140.Enforced() { // the digest and the key are known to be sound
		return nil, ckr.New(ckr.KeySizeRange, "PSS", err)
	}
	return signature, library(err)
}

func (m *Material) verifyPSS(mech mechanism.RSAPSS, digest, signature []byte) error {
	if err := checkDigest(digest, mech.Hash.Size()); err != nil {
		return err
	}
	if err := m.checkSignature(signature); err != nil {
		return err
	}
	if !ownPSS(mech) && !m.wide() {
		return verified(rsa.VerifyPSS(m.rsaPublic, mech.Hash, digest, signature, &rsa.PSSOptions{SaltLength: mech.SaltLength()}))
	}
	block, ok := m.raw(signature)
	if !ok {
		return badSignature()
	}
	return rsapad.VerifyPSS(mech.Hash, mech.MGFHash(), mech.SaltLength(), digest, block, m.rsaPublic.N.BitLen())
}

// rawPrivate is the operation of the private key, by the Chinese remainder
// theorem. math/big does not run in constant time: a random factor keeps time
// from telling about the input, and the result is checked, since a fault in
// one half would betray the primes.
func (m *Material) rawPrivate(block []byte) ([]byte, error) {
	key := m.rsaPrivate
	n, e := key.N, m.exponent
	r, inverse := new(big.Int), (*big.Int)(nil)
	for inverse == nil {
		var err error
		if r, err = rand.Int(rand.Reader, n); err != nil {
			return nil, ckr.New(ckr.FunctionFailed, "RSA", err)
		}
		inverse = new(big.Int).ModInverse(r, n)
	}
	blinded := new(big.Int).Exp(r, e, n)
	blinded.Mul(blinded, new(big.Int).SetBytes(block)).Mod(blinded, n)

	p, q := key.Primes[0], key.Primes[1]
	inP := new(big.Int).Exp(blinded, key.Precomputed.Dp, p)
	inQ := new(big.Int).Exp(blinded, key.Precomputed.Dq, q)
	inP.Sub(inP, inQ).Mul(inP, key.Precomputed.Qinv).Mod(inP, p)
	out := inP.Mul(inP, q).Add(inP, inQ)
	out.Mul(out, inverse).Mod(out, n)

	result := out.FillBytes(make([]byte, key.Size()))
	if back, ok := m.raw(result); !ok || !bytes.Equal(back, block) {
		return nil, ckr.Newf(ckr.FunctionFailed, "RSA", "the result does not verify")
	}
	return result, nil
}

func (m *Material) encryptPKCS1(mech mechanism.RSAPKCS, data []byte) ([]byte, error) {
	if mech.Hash != 0 {
		return nil, unsupported(mech)
	}
	block, err := rsapad.PadMessage(m.rsaPublic.Size(), data)
	if err != nil {
		return nil, err
	}
	defer clear(block)
	out, _ := m.raw(block)
	return out, nil
}

func (m *Material) encryptOAEP(mech mechanism.RSAOAEP, data []byte) ([]byte, error) {
	if m.wide() {
		block, err := rsapad.PadOAEP(mech.Hash, mech.MGFHash(), mech.Label, data, m.rsaPublic.Size())
		if err != nil {
			return nil, err
		}
		defer clear(block)
		out, _ := m.raw(block)
		return out, nil
	}
	options := &rsa.OAEPOptions{Hash: mech.Hash, MGFHash: mech.MGFHash(), Label: mech.Label}
	out, err := rsa.EncryptOAEPWithOptions(rand.Reader, m.rsaPublic, data, options)
	if errors.Is(err, rsa.ErrMessageTooLong) {
		return nil, ckr.Newf(ckr.DataLenRange, "encrypt", "%d bytes are too long for the key", len(data))
	}
	return out, library(err)
}

// checkSealed refuses input that the private key cannot have made.
func (m *Material) checkSealed(data []byte) error {
	if len(data) != m.rsaPublic.Size() {
		return ckr.Newf(ckr.EncryptedDataLenRange, "decrypt", "%d bytes, want %d", len(data), m.rsaPublic.Size())
	}
	return nil
}

func (m *Material) decryptPKCS1(mech mechanism.RSAPKCS, data []byte) ([]byte, error) {
	if mech.Hash != 0 {
		return nil, unsupported(mech)
	}
	if err := m.checkSealed(data); err != nil {
		return nil, err
	}
	if n := mech.SessionKeyLen; n > 0 {
		key := make([]byte, n)
		rand.Read(key)
		if err := rsa.DecryptPKCS1v15SessionKey(nil, m.rsaPrivate, data, key); err != nil {
			return opened(nil, err)
		}
		return key, nil
	}
	return opened(rsa.DecryptPKCS1v15(nil, m.rsaPrivate, data))
}

func (m *Material) decryptOAEP(mech mechanism.RSAOAEP, data []byte) ([]byte, error) {
	if err := m.checkSealed(data); err != nil {
		return nil, err
	}
	options := &rsa.OAEPOptions{Hash: mech.Hash, MGFHash: mech.MGFHash(), Label: mech.Label}
	return opened(m.rsaPrivate.Decrypt(nil, data, options))
}

// opened has one error for whatever is wrong with encrypted data.
func opened(out []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, ckr.New(ckr.EncryptedDataInvalid, "decrypt", nil)
	}
	return out, nil
}

// unwrapPKCS1 never says whether the padding was good: with a bad one there comes
// out a random key of the length that the template wants.
func (m *Material) unwrapPKCS1(_ mechanism.RSAPKCS, wrapped []byte, t object.Template) ([]byte, error) {
	length, _ := object.In(t, object.AttrValueLen)
	if size := m.rsaPublic.Size(); len(wrapped) != size || length > uint64(size-11) {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "unwrap", "%d bytes", len(wrapped))
	}
	value := randomSeed(int(length))
	if err := rsa.DecryptPKCS1v15SessionKey(nil, m.rsaPrivate, wrapped, value); err != nil {
		return nil, ckr.New(ckr.EncryptedDataInvalid, "unwrap", nil) // not less than the modulus
	}
	return value, nil
}

// unwrapsPKCS1 takes secret keys whose length the template tells, without which
// the key's own length would tell of the padding.
func unwrapsPKCS1(m mechanism.RSAPKCS, t object.Template) error {
	class, _ := object.In(t, object.AttrClass)
	if m != (mechanism.RSAPKCS{}) || class != object.ClassSecretKey {
		return unsupported(m)
	}
	if n, ok := object.In(t, object.AttrValueLen); !ok || n == 0 || n > maxRSA/8 {
		return missing(object.AttrValueLen)
	}
	return nil
}
