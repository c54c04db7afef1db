package soft

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// GenerateKeyPair generates a key pair for two completed templates. It returns
// the values to add to them, CKA_KEY_GEN_MECHANISM and what follows from the
// values included; the private ones are the caller's to clear.
//
// It returns ckr.TemplateIncomplete if the public template lacks what
// describes the key, ckr.AttributeValueInvalid for RSA exponents other than
// 65537 and for moduli of less than 1024 or more than 4096 bits,
// ckr.CurveNotSupported and ckr.DomainParamsInvalid, and ckr.MechanismInvalid
// for mechanisms that software does not do.
func GenerateKeyPair(mech mechanism.Mechanism, pub, priv object.Template) (pubValues, privValues object.Template, err error) {
	r, mech, err := find(mech, mechanism.FlagGenerateKeyPair)
	if err != nil {
		return nil, nil, err
	}
	if err := object.CheckPair(pub, priv); err != nil {
		return nil, nil, err
	}
	return r.generatePair(mech, pub)
}

// pairValues describes a pair by the values of both keys.
func pairValues(mech mechanism.Mechanism, key crypto.PrivateKey) (pubValues, privValues object.Template, err error) {
	public, err := PublicTemplate(publicOf(key))
	if err != nil {
		return nil, nil, err
	}
	private, err := PrivateTemplate(key)
	if err != nil {
		return nil, nil, err
	}
	if public, err = finished(public, mech); err != nil {
		return nil, nil, err
	}
	if private, err = finished(private, mech); err != nil {
		return nil, nil, err
	}
	return public, private, nil
}

// publicOf returns the public key of one that was generated here.
func publicOf(key crypto.PrivateKey) crypto.PublicKey {
	if k, ok := key.(interface{ Public() crypto.PublicKey }); ok {
		return k.Public()
	}
	return nil
}

// finished adds what follows from values, and takes off what the completed
// template has already.
func finished(t object.Template, mech mechanism.Mechanism) (object.Template, error) {
	out, err := object.Finish(t)
	if err != nil {
		t.Clear()
		return nil, err
	}
	return out.Without(object.AttrClass.Type, object.AttrKeyType.Type).With(object.AttrKeyGenMechanism.Is(mech.Type())), nil
}

func generateRSAPair(mech mechanism.RSAKeyPairGen, pub object.Template) (public, private object.Template, err error) {
	key, err := generateRSA(pub)
	if err != nil {
		return nil, nil, err
	}
	return pairValues(mech, key)
}

func generateRSA(pub object.Template) (*rsa.PrivateKey, error) {
	bits, ok := object.In(pub, object.AttrModulusBits)
	if !ok {
		return nil, missing(object.AttrModulusBits)
	}
	least := uint64(minRSA)
	if fips140.Enforced() {
		least = 2048
	}
	if bits < least || bits > maxGeneratedRSA || bits%2 != 0 {
		return nil, ckr.Newf(ckr.AttributeValueInvalid, object.AttrModulusBits.String(), "%d is not even or not within %d and %d", bits, least, maxGeneratedRSA)
	}
	if e, ok := object.In(pub, object.AttrPublicExponent); ok && (!e.IsInt64() || e.Int64() != 65537) {
		return nil, ckr.Newf(ckr.AttributeValueInvalid, object.AttrPublicExponent.String(), "software generates keys with 65537 only")
	}
	key, err := rsa.GenerateKey(rand.Reader, int(bits))
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "generate", err)
	}
	return key, nil
}

// generateOn returns what generates key pairs of a type on a curve.
func generateOn[M mechanism.Mechanism](key object.KeyType) func(mech M, pub object.Template) (public, private object.Template, err error) {
	return func(mech M, pub object.Template) (public, private object.Template, err error) {
		params, ok := object.In(pub, object.AttrECParams)
		if !ok {
			return nil, nil, missing(object.AttrECParams)
		}
		curve, err := object.CurveOf(params)
		switch {
		case err != nil:
			return nil, nil, err
		case curve.Key != key:
			return nil, nil, ckr.Newf(ckr.TemplateInconsistent, object.AttrECParams.String(), "%s is not for %s", curve.Name, mech.Type())
		case curve.NIST == nil && curve.Bytes > 32:
			return generate448(mech, curve)
		}
		made, err := generateEC(curve)
		if err != nil {
			return nil, nil, err
		}
		return pairValues(mech, made)
	}
}

func generateEC(curve object.Curve) (key crypto.PrivateKey, err error) {
	switch curve.Key {
	case object.KeyECEdwards:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case object.KeyECMontgomery:
		key, err = ecdh.X25519().GenerateKey(rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(curve.NIST, rand.Reader)
	}
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "generate", err)
	}
	return key, nil
}
