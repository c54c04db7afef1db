package soft

import (
	"crypto"
	"crypto/fips140"
	"slices"
	"sync"

	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// hashes are the hash functions that software computes.
var hashes = []crypto.Hash{
	crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA1, crypto.SHA224, crypto.SHA512_224, crypto.SHA512_256,
	crypto.SHA3_224, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512, crypto.MD5,
}

// A row says what software does with one mechanism: both ways of it, of which
// a public key has one and its private key the other.
type row struct {
	mech            mechanism.Mechanism
	public, private mechanism.Flags // of key pairs
	secret          mechanism.Flags
	min, max        uint64
	keys            []object.KeyType // nil for mechanisms without a key
	legacy          bool             // broken or weak: only where it is asked for
}

const (
	signs    = mechanism.FlagSign
	verifies = mechanism.FlagVerify
	encrypts = mechanism.FlagEncrypt
	decrypts = mechanism.FlagDecrypt
	derives  = mechanism.FlagDerive
	wraps    = mechanism.FlagWrap
	unwraps  = mechanism.FlagUnwrap
	makes    = mechanism.FlagGenerate
	pairs    = mechanism.FlagGenerateKeyPair
	encaps   = mechanism.FlagEncapsulate
	decaps   = mechanism.FlagDecapsulate
	macs     = signs | verifies
	recovers = mechanism.FlagSignRecover
	reads    = mechanism.FlagVerifyRecover
	ciphers  = encrypts | decrypts
	onCurve  = mechanism.FlagECFP | mechanism.FlagECOID | mechanism.FlagECCurveName | mechanism.FlagECUncompress
)

var (
	rsaKeys = []object.KeyType{object.KeyRSA}
	ecKeys  = []object.KeyType{object.KeyEC}
	edKeys  = []object.KeyType{object.KeyECEdwards}
	aesKeys = []object.KeyType{object.KeyAES}
	kemKeys = []object.KeyType{object.KeyMLKEM}
	dsaKeys = []object.KeyType{object.KeyMLDSA}
	slhKeys = []object.KeyType{object.KeySLHDSA}
	xtsKeys = []object.KeyType{object.KeyAESXTS}

	chachaKeys = []object.KeyType{object.KeyChaCha20}
	// anySecret stands for all types of secret keys.
	anySecret = []object.KeyType{object.KeyType(1<<64 - 1)}
)

// Parameters in the table, of which only the form matters.
var (
	iv    = make([]byte, 16)
	point = []byte{4}
)

// table returns all that software does.
func table() []row {
	rows := []row{
		{mechanism.RSAPKCS{}, verifies | encrypts | reads, signs | decrypts | recovers | unwraps, 0, minRSA, maxRSA, rsaKeys, false},
		{mechanism.RSAX509{}, verifies | encrypts, 0, 0, minRSA, maxRSA, rsaKeys, false},
		{mechanism.RSAX509{}, verifies | encrypts | reads, signs | decrypts | recovers, 0, minRSA, maxRSA, rsaKeys, true},
		{mechanism.RSAPSS{Hash: crypto.SHA256, Digested: true}, verifies, signs, 0, minRSA, maxRSA, rsaKeys, false},
		{mechanism.RSAOAEP{Hash: crypto.SHA256}, encrypts | wraps, decrypts | unwraps, 0, minRSA, maxRSA, rsaKeys, false},
		{mechanism.ECDSA{}, verifies | onCurve, signs | onCurve, 0, minCurve, maxCurve, ecKeys, false},
		{mechanism.EdDSA{}, verifies | onCurve, signs | onCurve, 0, other25519, other448, edKeys, false},
		{mechanism.ECDH{Public: point}, 0, derives | onCurve, 0, minCurve, maxCurve, []object.KeyType{object.KeyEC, object.KeyECMontgomery}, false},
		{mechanism.ECDH{Public: point, Cofactor: true}, 0, derives | onCurve, 0, minCurve, maxCurve, ecKeys, false},
		{mechanism.MLKEM{}, encaps, decaps, 0, 800, 1568, kemKeys, false},
		{mechanism.MLDSA{}, verifies, signs, 0, 1312, 2592, dsaKeys, false},
		{mechanism.SLHDSA{}, verifies, signs, 0, 32, 64, slhKeys, false},
		{mechanism.RSAKeyPairGen{}, pairs, 0, 0, minRSA, maxGeneratedRSA, nil, false},
		{mechanism.ECKeyPairGen{}, pairs | onCurve, 0, 0, minCurve, maxCurve, nil, false},
		{mechanism.ECEdwardsKeyPairGen{}, pairs | onCurve, 0, 0, other25519, other448, nil, false},
		{mechanism.ECMontgomeryKeyPairGen{}, pairs | onCurve, 0, 0, other25519, other448, nil, false},
		{mechanism.MLKEMKeyPairGen{}, pairs, 0, 0, 800, 1568, nil, false},
		{mechanism.MLDSAKeyPairGen{}, pairs, 0, 0, 1312, 2592, nil, false},
		{mechanism.SLHDSAKeyPairGen{}, pairs, 0, 0, 32, 64, nil, false},
	}
	rows = append(rows, secretRows()...)
	rows = append(rows, deriveRows()...)
	rows = append(rows, desRows()...)
	for _, h := range hashes {
		rows = append(rows, hashRows(h)...)
	}
	return rows
}

// secretRows has ciphers, and what generates their keys.
func secretRows() []row {
	return []row{
		{mechanism.AESECB{}, 0, 0, ciphers, minAES, maxAES, aesKeys, false},
		{mechanism.AESCBC{IV: iv}, 0, 0, ciphers, minAES, maxAES, aesKeys, false},
		{mechanism.AESCBCPad{IV: iv}, 0, 0, ciphers, minAES, maxAES, aesKeys, false},
		{mechanism.AESCTR{CounterBits: 128, CB: iv}, 0, 0, ciphers, minAES, maxAES, aesKeys, false},
		{mechanism.AESCTS{IV: iv}, 0, 0, ciphers, minAES, maxAES, aesKeys, false},
		{mechanism.AESXTS{Tweak: iv}, 0, 0, ciphers, minXTS, maxXTS, xtsKeys, false},
		{mechanism.AESGCM{IV: iv}, 0, 0, ciphers | wraps | unwraps, minAES, maxAES, aesKeys, false},
		{mechanism.AESCCM{Nonce: iv[:12]}, 0, 0, ciphers | wraps | unwraps, minAES, maxAES, aesKeys, false},
		{mechanism.AESCMAC{}, 0, 0, macs, minAES, maxAES, aesKeys, false},
		{mechanism.AESCMAC{Length: 8}, 0, 0, macs, minAES, maxAES, aesKeys, false},
		{mechanism.AESGMAC{IV: iv}, 0, 0, macs, minAES, maxAES, aesKeys, false},
		{mechanism.AESKeyWrap{}, 0, 0, ciphers | wraps | unwraps, minAES, maxAES, aesKeys, false},
		{mechanism.AESKeyWrapKWP{}, 0, 0, ciphers | wraps | unwraps, minAES, maxAES, aesKeys, false},
		{mechanism.ChaCha20Poly1305{Nonce: iv[:12]}, 0, 0, ciphers, 32, 32, chachaKeys, false},
		{mechanism.AESKeyGen{}, makes, 0, 0, minAES, maxAES, nil, false},
		{mechanism.AESXTSKeyGen{}, makes, 0, 0, minXTS, maxXTS, nil, false},
		{mechanism.ChaCha20KeyGen{}, makes, 0, 0, 32, 32, nil, false},
		{mechanism.GenericSecretKeyGen{}, makes, 0, 0, minMAC, maxMAC, nil, false},
		{mechanism.HKDFKeyGen{}, makes, 0, 0, minMAC, maxMAC, nil, false},
		{mechanism.PBKDF2{Hash: crypto.SHA256, Salt: iv, Iterations: 1}, makes, 0, 0, 0, 0, nil, false},
	}
}

// deriveRows has what makes secrets of secrets.
func deriveRows() []row {
	prf := mechanism.HMAC{Hash: crypto.SHA256}
	fields := []mechanism.Field{{Kind: mechanism.IterationField, Width: 32}}
	rows := []row{
		{mechanism.AESECBEncryptData{Data: iv}, 0, 0, derives, minAES, maxAES, aesKeys, false},
		{mechanism.AESCBCEncryptData{IV: iv, Data: iv}, 0, 0, derives, minAES, maxAES, aesKeys, false},
	}
	for _, m := range []mechanism.Mechanism{
		mechanism.ConcatenateBaseAndKey{Key: anyKey{}}, mechanism.ConcatenateBaseAndData{}, mechanism.ConcatenateDataAndBase{},
		mechanism.XORBaseAndData{Data: iv}, mechanism.ExtractKeyFromKey{},
		mechanism.SHAKEDerive{Bits: 128}, mechanism.SHAKEDerive{Bits: 256},
		mechanism.HKDF{Hash: crypto.SHA256, Extract: true}, mechanism.HKDF{Hash: crypto.SHA256, Extract: true, ToData: true},
		mechanism.KBKDF{PRF: prf, Fields: fields}, mechanism.KBKDF{Mode: mechanism.FeedbackMode, PRF: prf, Fields: fields},
		mechanism.KBKDF{Mode: mechanism.DoublePipelineMode, PRF: prf, Fields: fields},
	} {
		rows = append(rows, row{m, 0, 0, derives, minMAC, maxMAC, anySecret, false})
	}
	return rows
}

// desRows has DES of one to three keys, for what is old.
func desRows() []row {
	short, des, des3 := iv[:8], []object.KeyType{object.KeyDES}, []object.KeyType{object.KeyDES2, object.KeyDES3}
	return []row{
		{mechanism.DESECB{}, 0, 0, ciphers, 8, 8, des, true},
		{mechanism.DESCBC{IV: short}, 0, 0, ciphers, 8, 8, des, true},
		{mechanism.DESCBCPad{IV: short}, 0, 0, ciphers, 8, 8, des, true},
		{mechanism.DES3ECB{}, 0, 0, ciphers, 16, 24, des3, true},
		{mechanism.DES3CBC{IV: short}, 0, 0, ciphers, 16, 24, des3, true},
		{mechanism.DES3CBCPad{IV: short}, 0, 0, ciphers, 16, 24, des3, true},
		{mechanism.DESKeyGen{}, makes, 0, 0, 8, 8, nil, true},
		{mechanism.DES2KeyGen{}, makes, 0, 0, 16, 16, nil, true},
		{mechanism.DES3KeyGen{}, makes, 0, 0, 24, 24, nil, true},
	}
}

// anyKey is a second key of which only the presence matters.
type anyKey struct{}

func (anyKey) IsKeyRef() {}

// hashRows returns what software does with one hash function. Signatures are
// not made of MD5: others are found for them.
func hashRows(h crypto.Hash) []row {
	signs, verifies, old := signs, verifies, h == crypto.MD5
	if old {
		signs, verifies = 0, 0
	}
	own := mechanism.HMAC{Hash: h}.Type()
	secrets := []object.KeyType{object.KeyGenericSecret, hmacKeys[own]}
	return []row{
		{mechanism.Digest{Hash: h}, mechanism.FlagDigest, 0, 0, 0, 0, nil, old},
		{mechanism.RSAPKCS{Hash: h}, verifies, signs, 0, minRSA, maxRSA, rsaKeys, old},
		{mechanism.RSAPSS{Hash: h}, verifies, signs, 0, minRSA, maxRSA, rsaKeys, old},
		{mechanism.ECDSA{Hash: h}, verifies | onCurve, signs | onCurve, 0, minCurve, maxCurve, ecKeys, old},
		{mechanism.SLHDSA{Hash: h}, verifies, signs, 0, 32, 64, slhKeys, old},
		{mechanism.HMAC{Hash: h}, 0, 0, macs, minMAC, maxMAC, secrets, old},
		{mechanism.HMAC{Hash: h, Length: 8}, 0, 0, macs, minMAC, maxMAC, secrets, old},
		{mechanism.HashDerive{Hash: h}, 0, 0, derives, minMAC, maxMAC, anySecret, old},
	}
}

// offered returns the rows that this program may do: not those that no
// mechanism of the standard stands for, nor those that its FIPS 140 mode
// forbids.
var offered = sync.OnceValue(func() []row {
	return slices.DeleteFunc(table(), func(r row) bool {
		_, prepared := mechanism.Prehash(r.mech)
		return r.public|r.private|r.secret == 0 || mechanism.Check(r.mech) != nil || forbidden(prepared) != nil
	})
})

// at returns the row for who asks for what is old, or does not.
func (r row) at(legacy bool) (row, bool) {
	if !legacy && r.min == minRSA && r.max >= maxGeneratedRSA {
		r.min = soundRSA
	}
	return r, legacy || !r.legacy
}

func (r row) info(flags mechanism.Flags) mechanism.Info {
	return mechanism.Info{MinKeySize: r.min, MaxKeySize: r.max, Flags: flags}
}

// All returns all that software does, with public keys and keys of sessions;
// with legacy also what is broken or weak.
func All(legacy bool) map[mechanism.Type]mechanism.Info {
	all := map[mechanism.Type]mechanism.Info{}
	for _, r := range offered() {
		if r, ok := r.at(legacy); ok {
			all[r.mech.Type()] = r.info(all[r.mech.Type()].Flags | r.public | r.private | r.secret)
		}
	}
	return all
}

// Supports reports whether software does a mechanism with some key.
func Supports(t mechanism.Type, legacy bool) bool {
	return slices.ContainsFunc(offered(), func(r row) bool { return r.mech.Type() == t && (legacy || !r.legacy) })
}

// kind is what the mechanisms of a key depend on.
type kind struct {
	class  object.Class
	key    object.KeyType
	legacy bool
}

// kinds holds what was found for each kind: a map that is shared.
var kinds sync.Map

// Mechanisms returns what software does with the key that a template
// describes, whose values need not be known; with legacy also what is broken
// or weak. The key's own usage flags and CKA_ALLOWED_MECHANISMS are not looked
// at. Keys that software cannot use, as those of unknown curves and of sizes
// out of range, have none. The map is shared: it is not to be changed.
func Mechanisms(all object.Template, legacy bool) map[mechanism.Type]mechanism.Info {
	class, _ := object.In(all, object.AttrClass)
	key, ok := object.In(all, object.AttrKeyType)
	if !ok || !class.IsKey() || !usable(class, key, all) || !legacy && Weak(all) {
		return nil
	}
	k := kind{class, key, legacy}
	if found, ok := kinds.Load(k); ok {
		return found.(map[mechanism.Type]mechanism.Info)
	}
	found := map[mechanism.Type]mechanism.Info{}
	for _, r := range offered() {
		r, ok := r.at(legacy)
		if flags := r.of(class); ok && flags&^onCurve != 0 && r.takes(key) {
			found[r.mech.Type()] = r.info(flags | found[r.mech.Type()].Flags)
		}
	}
	if key < object.KeyVendorDefined { // those are bounded
		kinds.Store(k, found)
	}
	return found
}

// takes reports whether the mechanism works with keys of a type.
func (r row) takes(key object.KeyType) bool {
	return slices.Contains(r.keys, key) || len(r.keys) == 1 && r.keys[0] == anySecret[0]
}

// Weak reports whether a template describes a key that is used only where
// what is old is asked for: DES, and RSA with less than 2048 bits.
func Weak(all object.Template) bool {
	key, _ := object.In(all, object.AttrKeyType)
	switch key {
	case object.KeyDES, object.KeyDES2, object.KeyDES3, object.KeyMD5HMAC:
		return true
	case object.KeyRSA:
		if n, ok := object.In(all, object.AttrModulus); ok {
			return n.BitLen() < soundRSA
		}
		bits, ok := object.In(all, object.AttrModulusBits)
		return ok && bits < soundRSA
	}
	return false
}

// of returns what is done with keys of a class.
func (r row) of(class object.Class) mechanism.Flags {
	switch class {
	case object.ClassPublicKey:
		return r.public
	case object.ClassPrivateKey:
		return r.private
	}
	return r.secret
}

// usable reports whether software computes with keys of that curve or size.
func usable(class object.Class, key object.KeyType, all object.Template) bool {
	switch {
	case class == object.ClassSecretKey:
		return key != object.KeyRSA
	case key == object.KeyRSA:
		n, hasN := object.In(all, object.AttrModulus)
		e, hasE := object.In(all, object.AttrPublicExponent)
		return hasN && n.BitLen() >= minRSA && n.BitLen() <= maxRSA && (!hasE || e.BitLen() <= 31)
	case seedSizes[key] > 0 || key == object.KeySLHDSA:
		set, _ := object.In(all, object.AttrParameterSet)
		_, known := object.PublicLength(key, set)
		return known
	}
	params, _ := object.In(all, object.AttrECParams)
	curve, err := object.CurveOf(params)
	return err == nil && curve.Key == key && !((key == object.KeyECMontgomery || curve.Name == "edwards448") && fips140.Enforced())
}
