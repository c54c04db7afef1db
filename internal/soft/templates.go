package soft

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/mlkem"
	"crypto/rsa"
	"math/big"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
)

// PublicKey returns the public key that a template of a public or private key
// describes, as the standard library has it: *rsa.PublicKey,
// *ecdsa.PublicKey, ed25519.PublicKey, *ecdh.PublicKey for X25519, or
// *mlkem.EncapsulationKey768 and 1024. It returns ckr.KeyTypeInconsistent if the template does not say enough or the
// key is of another type, and ckr.AttributeValueInvalid if it is no sound key.
func PublicKey(t object.Template) (crypto.PublicKey, error) {
	key, err := object.GoPublicKey(t)
	if err != nil {
		return nil, err
	}
	if key == nil {
		if key = kemPublicKey(t); key == nil {
			return nil, ckr.Newf(ckr.KeyTypeInconsistent, "public key", "not a key that the standard library knows")
		}
	}
	return key, nil
}

// kemPublicKey returns the key of a template that tells one of crypto/mlkem.
func kemPublicKey(t object.Template) crypto.PublicKey {
	if class, _ := object.In(t, object.AttrClass); class != object.ClassPublicKey {
		info, _ := object.In(t, object.AttrPublicKeyInfo)
		t, _, _ = object.ParseInfo(info)
	}
	key, _ := object.In(t, object.AttrKeyType)
	set, _ := object.In(t, object.AttrParameterSet)
	value, _ := object.In(t, object.AttrValue)
	if key != object.KeyMLKEM || kemSets[set].public == nil {
		return nil
	}
	public, err := kemSets[set].public(value)
	if err != nil {
		return nil
	}
	return public
}

// PublicTemplate describes a public key of the standard library: its class,
// type and values. It returns ckr.KeyTypeInconsistent for keys of other kinds
// and ckr.CurveNotSupported for other curves.
func PublicTemplate(pub crypto.PublicKey) (object.Template, error) {
	class := object.AttrClass.Is(object.ClassPublicKey)
	switch key := pub.(type) {
	case *rsa.PublicKey:
		if key == nil || key.N == nil {
			break
		}
		return append(object.Template{class, object.AttrKeyType.Is(object.KeyRSA)}, rsaValues(key)...), nil
	case *ecdsa.PublicKey:
		return ecdsaTemplate(key, class)
	case ed25519.PublicKey:
		return pointTemplate("Ed25519", class, key)
	case *ecdh.PublicKey:
		if key == nil {
			break
		}
		if key.Curve() == ecdh.X25519() {
			return pointTemplate("X25519", class, key.Bytes())
		}
		return pointTemplate(nistNames[key.Curve()], class, key.Bytes())
	case *mlkem.EncapsulationKey768:
		if key != nil {
			return kemTemplate(class, object.ParameterSetMLKEM768, object.AttrValue.Is(key.Bytes())), nil
		}
	case *mlkem.EncapsulationKey1024:
		if key != nil {
			return kemTemplate(class, object.ParameterSetMLKEM1024, object.AttrValue.Is(key.Bytes())), nil
		}
	}
	return nil, ckr.Newf(ckr.KeyTypeInconsistent, "public key", "%T", pub)
}

func kemTemplate(class object.Attribute, set object.ParameterSet, values ...object.Attribute) object.Template {
	return append(object.Template{class, object.AttrKeyType.Is(object.KeyMLKEM), object.AttrParameterSet.Is(set)}, values...)
}

var nistNames = map[ecdh.Curve]string{ecdh.P256(): "P-256", ecdh.P384(): "P-384", ecdh.P521(): "P-521"}

func rsaValues(key *rsa.PublicKey) object.Template {
	return object.Template{object.AttrModulus.Is(key.N), object.AttrPublicExponent.Is(big.NewInt(int64(key.E)))}
}

func ecdsaTemplate(key *ecdsa.PublicKey, class object.Attribute) (object.Template, error) {
	if key == nil || key.Curve == nil {
		return nil, ckr.Newf(ckr.KeyTypeInconsistent, "public key", "no key")
	}
	curve, ok := object.CurveFor(key.Curve)
	if !ok {
		return nil, ckr.Newf(ckr.CurveNotSupported, "public key", "%s", key.Params().Name)
	}
	point, err := key.Bytes()
	if err != nil {
		return nil, ckr.New(ckr.AttributeValueInvalid, "public key", err)
	}
	return pointTemplate(curve.Name, class, point)
}

// curveTemplate is the beginning of templates of keys on a curve.
func curveTemplate(name string, class object.Attribute) (object.Template, error) {
	curve, ok := object.CurveByName(name)
	if !ok {
		return nil, ckr.New(ckr.CurveNotSupported, "key", nil)
	}
	return object.Template{class, object.AttrKeyType.Is(curve.Key), object.AttrECParams.Is(curve.Params())}, nil
}

func pointTemplate(name string, class object.Attribute, point []byte) (object.Template, error) {
	t, err := curveTemplate(name, class)
	if err != nil {
		return nil, err
	}
	return append(t, object.AttrECPoint.Is(object.EncodePoint(point))), nil
}

// PrivateTemplate describes a private key of the standard library: its class,
// type and all values, secret ones included, which are the caller's to clear.
// It returns ckr.KeyTypeInconsistent for keys of other kinds and
// ckr.CurveNotSupported for other curves.
func PrivateTemplate(key crypto.PrivateKey) (object.Template, error) {
	class := object.AttrClass.Is(object.ClassPrivateKey)
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key != nil && key.N != nil && key.D != nil {
			return rsaPrivateTemplate(key, class)
		}
	case *ecdsa.PrivateKey:
		if key != nil && key.Curve != nil && key.D != nil {
			return ecdsaPrivateTemplate(key, class)
		}
	case ed25519.PrivateKey:
		if len(key) == ed25519.PrivateKeySize {
			return valueTemplate("Ed25519", class, key.Seed())
		}
	case *ecdh.PrivateKey:
		switch {
		case key == nil:
		case key.Curve() == ecdh.X25519():
			return valueTemplate("X25519", class, key.Bytes())
		default:
			return valueTemplate(nistNames[key.Curve()], class, key.Bytes())
		}
	case *mlkem.DecapsulationKey768:
		if key != nil {
			return seedTemplate(class, object.KeyMLKEM, object.ParameterSetMLKEM768, key.Bytes())
		}
	case *mlkem.DecapsulationKey1024:
		if key != nil {
			return seedTemplate(class, object.KeyMLKEM, object.ParameterSetMLKEM1024, key.Bytes())
		}
	}
	return nil, ckr.Newf(ckr.KeyTypeInconsistent, "private key", "%T", key)
}

func rsaPrivateTemplate(key *rsa.PrivateKey, class object.Attribute) (object.Template, error) {
	t := append(object.Template{class, object.AttrKeyType.Is(object.KeyRSA)}, rsaValues(&key.PublicKey)...)
	t = append(t, object.AttrPrivateExponent.Is(key.D))
	if len(key.Primes) != 2 {
		return nil, ckr.Newf(ckr.KeyTypeInconsistent, "private key", "a key of %d primes", len(key.Primes))
	}
	p, q, one := key.Primes[0], key.Primes[1], big.NewInt(1)
	inverse := new(big.Int).ModInverse(q, p)
	if inverse == nil || p.Cmp(one) <= 0 || q.Cmp(one) <= 0 {
		return nil, ckr.Newf(ckr.AttributeValueInvalid, "private key", "the primes are none")
	}
	return append(t, object.AttrPrime1.Is(p), object.AttrPrime2.Is(q),
		object.AttrExponent1.Is(new(big.Int).Mod(key.D, new(big.Int).Sub(p, one))),
		object.AttrExponent2.Is(new(big.Int).Mod(key.D, new(big.Int).Sub(q, one))),
		object.AttrCoefficient.Is(inverse)), nil
}

func ecdsaPrivateTemplate(key *ecdsa.PrivateKey, class object.Attribute) (object.Template, error) {
	curve, ok := object.CurveFor(key.Curve)
	if !ok {
		return nil, ckr.Newf(ckr.CurveNotSupported, "private key", "%s", key.Params().Name)
	}
	value, err := key.Bytes()
	if err != nil {
		return nil, ckr.New(ckr.AttributeValueInvalid, "private key", err)
	}
	return valueTemplate(curve.Name, class, value)
}

// valueTemplate takes the private value over and clears it.
func valueTemplate(name string, class object.Attribute, value []byte) (object.Template, error) {
	defer clear(value)
	t, err := curveTemplate(name, class)
	if err != nil {
		return nil, err
	}
	return append(t, object.AttrValue.Is(value)), nil
}
