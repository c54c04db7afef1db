package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/fips140"
	"crypto/rsa"
	"fmt"
	"math/big"
	"slices"

	"github.com/cloudflare/circl/sign/slhdsa"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
)

// Material is a key in memory, made by [NewMaterial], which owns copies of
// all its bytes. It may be used by several goroutines at once until it is
// cleared.
type Material struct {
	class object.Class
	key   object.KeyType
	curve object.Curve // of keys on elliptic curves

	rsaPublic  *rsa.PublicKey
	exponent   *big.Int // of rsaPublic, whose own is 0 if it is too long for the standard library
	rsaPrivate *rsa.PrivateKey
	ecPublic   *ecdsa.PublicKey
	ecPrivate  *ecdsa.PrivateKey
	point      []byte // the public key of the other curves
	edPrivate  ed25519.PrivateKey
	aes        cipher.Block
	gcm        cipher.AEAD // for IVs of 12 bytes
	secret     []byte      // the value of secret keys, and the private value of EC keys at its full length

	// Post-quantum keys.
	set          object.ParameterSet
	public       []byte // the encoded public key
	seed         []byte // of a private key that came with one
	encapsulator encapsulator
	decapsulator decapsulator
	ciphertext   int // the length of what is decapsulated
	mldsa        *mldsaKey
	slhPublic    *slhdsa.PublicKey
	slhPrivate   *slhdsa.PrivateKey
}

// Format keeps keys out of logs: every verb prints the kind of key only.
func (m *Material) Format(f fmt.State, _ rune) {
	if m == nil {
		fmt.Fprint(f, "no key material")
		return
	}
	fmt.Fprintf(f, "key material (%s, %s)", m.class, m.key)
}

// NewMaterial makes a key of all attributes of a public, private or secret
// key, hidden ones included. It returns ckr.KeyTypeInconsistent for objects
// that are no keys or of a type that software does not know,
// ckr.TemplateIncomplete if a value is missing, ckr.CurveNotSupported,
// ckr.DomainParamsInvalid and ckr.AttributeValueInvalid for bad values, and
// ckr.KeySizeRange for RSA keys that the standard library refuses.
func NewMaterial(all object.Template) (*Material, error) {
	class, _ := object.In(all, object.AttrClass)
	key, ok := object.In(all, object.AttrKeyType)
	m := &Material{class: class, key: key}
	var err error
	switch {
	case !ok || !class.IsKey():
		return nil, ckr.Newf(ckr.KeyTypeInconsistent, "key", "not a key")
	case class == object.ClassSecretKey:
		err = m.loadSecret(all)
	case key == object.KeyRSA:
		err = m.loadRSA(all)
	case key == object.KeyEC, key == object.KeyECEdwards, key == object.KeyECMontgomery:
		err = m.loadEC(all)
	case key == object.KeyMLKEM:
		err = m.loadMLKEM(all)
	case key == object.KeyMLDSA:
		err = m.loadMLDSA(all)
	case key == object.KeySLHDSA:
		err = m.loadSLHDSA(all)
	default:
		err = ckr.Newf(ckr.KeyTypeInconsistent, "key", "%s is not known to software", key)
	}
	if err != nil {
		Clear(m)
		return nil, err
	}
	return m, nil
}

func missing(a interface{ String() string }) error {
	return ckr.New(ckr.TemplateIncomplete, a.String(), nil)
}

func (m *Material) loadSecret(all object.Template) error {
	value, ok := object.In(all, object.AttrValue)
	if !ok || len(value) == 0 {
		return missing(object.AttrValue)
	}
	m.secret = value
	if m.key != object.KeyAES {
		return nil
	}
	block, err := aes.NewCipher(value)
	if err != nil {
		return nil // object.Finish tells of lengths
	}
	m.aes = block
	if !fips140.Enforced() {
		m.gcm, _ = cipher.NewGCM(block) // never fails with AES
	}
	return nil
}

func (m *Material) loadRSA(all object.Template) error {
	n, hasN := object.In(all, object.AttrModulus)
	e, hasE := object.In(all, object.AttrPublicExponent)
	switch {
	case !hasN:
		return missing(object.AttrModulus)
	case !hasE:
		return missing(object.AttrPublicExponent)
	case n.BitLen() < minRSA || n.BitLen() > maxRSA || e.BitLen() > longestExponent(m.class) || e.Bit(0) == 0 || e.BitLen() < 2 || n.Bit(0) == 0:
		return ckr.Newf(ckr.KeySizeRange, "RSA key", "%d bits with an exponent of %d bits", n.BitLen(), e.BitLen())
	}
	m.rsaPublic, m.exponent = &rsa.PublicKey{N: n}, e
	if !m.wide() {
		m.rsaPublic.E = int(e.Int64())
	}
	if m.class != object.ClassPrivateKey {
		return nil
	}
	return m.loadPrivateRSA(all)
}

// longestExponent bounds the public exponent, in bits. Public keys with one that
// the standard library does not take are computed here, unless the FIPS mode
// wants its own modules only.
func longestExponent(class object.Class) int {
	if class == object.ClassPublicKey && !fips140.Enforced() {
		return maxExponent
	}
	return maxGoExponent
}

// wide reports whether the standard library does not take the public exponent.
func (m *Material) wide() bool { return m.exponent.BitLen() > maxGoExponent }

func (m *Material) loadPrivateRSA(all object.Template) error {
	all, err := object.Finish(all.Without(object.AttrPublicKeyInfo.Type)) // checks the parts and finds the primes
	if err != nil {
		return err
	}
	d, hasD := object.In(all, object.AttrPrivateExponent)
	p, hasP := object.In(all, object.AttrPrime1)
	q, hasQ := object.In(all, object.AttrPrime2)
	if !hasD || !hasP || !hasQ {
		return missing(object.AttrPrivateExponent)
	}
	m.rsaPrivate = &rsa.PrivateKey{PublicKey: *m.rsaPublic, D: d, Primes: []*big.Int{p, q}}
	m.rsaPrivate.Precompute()
	if err := m.rsaPrivate.Validate(); err != nil {
		return ckr.New(ckr.AttributeValueInvalid, "RSA key", err)
	}
	return nil
}

func (m *Material) loadEC(all object.Template) error {
	params, ok := object.In(all, object.AttrECParams)
	if !ok {
		return missing(object.AttrECParams)
	}
	var err error
	if m.curve, err = object.CurveOf(params); err != nil {
		return err
	}
	if m.curve.Key != m.key {
		return ckr.Newf(ckr.KeyTypeInconsistent, "key", "%s on %s", m.key, m.curve.Name)
	}
	if m.class == object.ClassPrivateKey {
		return m.loadPrivateEC(all)
	}
	encoded, ok := object.In(all, object.AttrECPoint)
	if !ok {
		return missing(object.AttrECPoint)
	}
	if m.point, err = m.curve.Point(encoded); err != nil {
		return err
	}
	if m.curve.NIST != nil {
		m.ecPublic, err = ecdsa.ParseUncompressedPublicKey(m.curve.NIST, m.point)
	}
	return err
}

func (m *Material) loadPrivateEC(all object.Template) error {
	value, ok := object.In(all, object.AttrValue)
	if !ok {
		return missing(object.AttrValue)
	}
	defer clear(value)
	var err error
	if m.secret, err = m.curve.Scalar(value); err != nil {
		return err
	}
	switch {
	case m.curve.NIST != nil:
		if m.ecPrivate, err = ecdsa.ParseRawPrivateKey(m.curve.NIST, m.secret); err != nil {
			return ckr.New(ckr.AttributeValueInvalid, object.AttrValue.String(), err)
		}
	case m.curve.Name == "edwards25519":
		m.edPrivate = ed25519.NewKeyFromSeed(m.secret)
	case m.curve.Name == "edwards448":
		return m.loadEd448(all)
	case m.curve.Name == "curve448":
		return m.loadX448(all)
	}
	return nil
}

// Clear overwrites the secrets of a key with zeros; it is of no use after.
// What the standard library has computed from private keys within itself is
// left to the garbage collector. Clearing nil does nothing.
func Clear(m *Material) {
	if m == nil {
		return
	}
	clear(m.secret)
	clear(m.seed)
	clear(m.edPrivate)
	m.secret, m.seed, m.edPrivate = nil, nil, nil
	m.decapsulator, m.slhPrivate, m.aes, m.gcm = nil, nil, nil, nil
	if m.mldsa != nil && m.mldsa.private != nil {
		m.mldsa = nil
	}
	if m.rsaPrivate != nil {
		parts := slices.Concat(m.rsaPrivate.Primes, []*big.Int{m.rsaPrivate.D, m.rsaPrivate.Precomputed.Dp, m.rsaPrivate.Precomputed.Dq, m.rsaPrivate.Precomputed.Qinv})
		for _, n := range parts {
			clearInt(n)
		}
	}
	if m.ecPrivate != nil {
		clearInt(m.ecPrivate.D)
	}
	m.rsaPrivate, m.ecPrivate = nil, nil
}

func clearInt(n *big.Int) {
	if n != nil {
		clear(n.Bits())
	}
}

// private reports whether the material is that of a private key, which has
// not been cleared.
func (m *Material) private() bool {
	return m.class == object.ClassPrivateKey && (m.rsaPrivate != nil || m.secret != nil)
}

// wrongKey is the error of a key that does not fit a mechanism.
func (m *Material) wrongKey(why string) error {
	return ckr.Newf(ckr.KeyTypeInconsistent, "key", "%s of a %s", why, m.key)
}
