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
)

// Parameters in the table, of which only the form matters.
var (
	iv    = make([]byte, 16)
	point = []byte{4}
)

// table returns all that software does.
func table() []row {
	rows := []row{
		{mechanism.RSAPKCS{}, verifies | encrypts, signs | decrypts, 0, minRSA, maxRSA, rsaKeys},
		{mechanism.RSAX509{}, verifies | encrypts, 0, 0, minRSA, maxRSA, rsaKeys},
		{mechanism.RSAPSS{Hash: crypto.SHA256, Digested: true}, verifies, signs, 0, minRSA, maxRSA, rsaKeys},
		{mechanism.RSAOAEP{Hash: crypto.SHA256}, encrypts | wraps, decrypts | unwraps, 0, minRSA, maxRSA, rsaKeys},
		{mechanism.ECDSA{}, verifies | onCurve, signs | onCurve, 0, minCurve, maxCurve, ecKeys},
		{mechanism.EdDSA{}, verifies | onCurve, signs | onCurve, 0, other25519, other448, edKeys},
		{mechanism.ECDH{Public: point}, 0, derives | onCurve, 0, minCurve, maxCurve, []object.KeyType{object.KeyEC, object.KeyECMontgomery}},
		{mechanism.ECDH{Public: point, Cofactor: true}, 0, derives | onCurve, 0, minCurve, maxCurve, ecKeys},
		{mechanism.AESECB{}, 0, 0, encrypts | decrypts, minAES, maxAES, aesKeys},
		{mechanism.AESCBC{IV: iv}, 0, 0, encrypts | decrypts, minAES, maxAES, aesKeys},
		{mechanism.AESCBCPad{IV: iv}, 0, 0, encrypts | decrypts, minAES, maxAES, aesKeys},
		{mechanism.AESCTR{CounterBits: 128, CB: iv}, 0, 0, encrypts | decrypts, minAES, maxAES, aesKeys},
		{mechanism.AESGCM{IV: iv}, 0, 0, encrypts | decrypts | wraps | unwraps, minAES, maxAES, aesKeys},
		{mechanism.AESCMAC{}, 0, 0, signs | verifies, minAES, maxAES, aesKeys},
		{mechanism.AESCMAC{Length: 8}, 0, 0, signs | verifies, minAES, maxAES, aesKeys},
		{mechanism.AESKeyWrap{}, 0, 0, encrypts | decrypts | wraps | unwraps, minAES, maxAES, aesKeys},
		{mechanism.AESKeyWrapKWP{}, 0, 0, encrypts | decrypts | wraps | unwraps, minAES, maxAES, aesKeys},
		{mechanism.RSAKeyPairGen{}, pairs, 0, 0, minRSA, maxGeneratedRSA, nil},
		{mechanism.ECKeyPairGen{}, pairs | onCurve, 0, 0, minCurve, maxCurve, nil},
		{mechanism.ECEdwardsKeyPairGen{}, pairs | onCurve, 0, 0, other25519, other448, nil},
		{mechanism.ECMontgomeryKeyPairGen{}, pairs | onCurve, 0, 0, other25519, other448, nil},
		{mechanism.MLKEM{}, encaps, decaps, 0, 800, 1568, kemKeys},
		{mechanism.MLKEMKeyPairGen{}, pairs, 0, 0, 800, 1568, nil},
		{mechanism.MLDSA{}, verifies, signs, 0, 1312, 2592, dsaKeys},
		{mechanism.MLDSAKeyPairGen{}, pairs, 0, 0, 1312, 2592, nil},
		{mechanism.SLHDSA{}, verifies, signs, 0, 32, 64, slhKeys},
		{mechanism.SLHDSAKeyPairGen{}, pairs, 0, 0, 32, 64, nil},
		{mechanism.AESKeyGen{}, makes, 0, 0, minAES, maxAES, nil},
		{mechanism.GenericSecretKeyGen{}, makes, 0, 0, minMAC, maxMAC, nil},
	}
	for _, h := range hashes {
		rows = append(rows, hashRows(h)...)
	}
	return rows
}

// hashRows returns what software does with one hash function. Signatures are
// not made of MD5: others are found for them.
func hashRows(h crypto.Hash) []row {
	signs, verifies := signs, verifies
	if h == crypto.MD5 {
		signs, verifies = 0, 0
	}
	secrets := []object.KeyType{object.KeyGenericSecret, hmacKeys[mechanism.HMAC{Hash: h}.Type()]}
	return []row{
		{mechanism.Digest{Hash: h}, mechanism.FlagDigest, 0, 0, 0, 0, nil},
		{mechanism.RSAPKCS{Hash: h}, verifies, signs, 0, minRSA, maxRSA, rsaKeys},
		{mechanism.RSAPSS{Hash: h}, verifies, signs, 0, minRSA, maxRSA, rsaKeys},
		{mechanism.ECDSA{Hash: h}, verifies | onCurve, signs | onCurve, 0, minCurve, maxCurve, ecKeys},
		{mechanism.SLHDSA{Hash: h}, verifies, signs, 0, 32, 64, slhKeys},
		{mechanism.HMAC{Hash: h}, 0, 0, macs, minMAC, maxMAC, secrets},
		{mechanism.HMAC{Hash: h, Length: 8}, 0, 0, macs, minMAC, maxMAC, secrets},
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

func (r row) info(flags mechanism.Flags) mechanism.Info {
	return mechanism.Info{MinKeySize: r.min, MaxKeySize: r.max, Flags: flags}
}

// All returns all that software does, with public keys and keys of sessions.
func All() map[mechanism.Type]mechanism.Info {
	all := map[mechanism.Type]mechanism.Info{}
	for _, r := range offered() {
		all[r.mech.Type()] = r.info(r.public | r.private | r.secret)
	}
	return all
}

// Supports reports whether software does a mechanism with some key.
func Supports(t mechanism.Type) bool {
	return slices.ContainsFunc(offered(), func(r row) bool { return r.mech.Type() == t })
}

// Mechanisms returns what software does with the key that a template
// describes, whose values need not be known. The key's own usage flags and
// CKA_ALLOWED_MECHANISMS are not looked at. Keys that software cannot use, as
// those of unknown curves and of sizes out of range, have none.
func Mechanisms(all object.Template) map[mechanism.Type]mechanism.Info {
	class, _ := object.In(all, object.AttrClass)
	key, ok := object.In(all, object.AttrKeyType)
	found := map[mechanism.Type]mechanism.Info{}
	if !ok || !class.IsKey() || !usable(class, key, all) {
		return found
	}
	for _, r := range offered() {
		if flags := r.of(class); flags&^onCurve != 0 && slices.Contains(r.keys, key) {
			found[r.mech.Type()] = r.info(flags)
		}
	}
	return found
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
