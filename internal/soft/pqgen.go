package soft

import (
	"crypto/rand"

	"github.com/cloudflare/circl/sign/ed448"
	"github.com/cloudflare/circl/sign/slhdsa"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// seedSizes are the lengths in bytes of the seeds that make private keys.
var seedSizes = map[object.KeyType]int{object.KeyMLKEM: 64, object.KeyMLDSA: 32}

// parameterSet returns the parameter set that the public template asks for.
func parameterSet(pub object.Template) (object.ParameterSet, error) {
	set, ok := object.In(pub, object.AttrParameterSet)
	if !ok {
		return 0, missing(object.AttrParameterSet)
	}
	return set, nil
}

// generatePQ returns what generates post-quantum key pairs of a type, and returns
// the values of both keys.
func generatePQ[M mechanism.Mechanism](key object.KeyType) func(mech M, pub object.Template) (public, private object.Template, err error) {
	return func(mech M, pub object.Template) (public, private object.Template, err error) {
		set, err := parameterSet(pub)
		if err != nil {
			return nil, nil, err
		}
		class := object.AttrClass.Is(object.ClassPrivateKey)
		if key == object.KeySLHDSA {
			private, err = generateSLHDSA(class, set)
		} else {
			private, err = seedTemplate(class, key, set, randomSeed(seedSizes[key]))
		}
		if err != nil {
			return nil, nil, err
		}
		return pairOf(mech, private)
	}
}

func generateSLHDSA(class object.Attribute, set object.ParameterSet) (object.Template, error) {
	id, ok := slhSets[set]
	if !ok {
		return nil, ckr.New(ckr.ParameterSetNotSupported, object.AttrParameterSet.String(), nil)
	}
	_, key, err := slhdsa.GenerateKey(rand.Reader, id)
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "generate", err)
	}
	value, err := key.MarshalBinary()
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "generate", err)
	}
	defer clear(value)
	return object.Template{class, object.AttrKeyType.Is(object.KeySLHDSA), object.AttrParameterSet.Is(set), object.AttrValue.Is(value)}, nil
}

// seedTemplate describes a private key by its seed and the value that this
// gives. It takes the seed over and clears it.
func seedTemplate(class object.Attribute, key object.KeyType, set object.ParameterSet, seed []byte) (object.Template, error) {
	defer clear(seed)
	t := object.Template{class, object.AttrKeyType.Is(key), object.AttrParameterSet.Is(set), object.AttrSeed.Is(seed)}
	m, err := NewMaterial(t)
	if err != nil {
		t.Clear()
		return nil, err
	}
	defer Clear(m)
	return append(t, object.AttrValue.Is(m.secret)), nil
}

// pairOf describes both keys by the values of the private one, and clears
// those if it fails.
func pairOf(mech mechanism.Mechanism, private object.Template) (public, priv object.Template, err error) {
	m, err := NewMaterial(private)
	if err != nil {
		private.Clear()
		return nil, nil, err
	}
	defer Clear(m)
	public = object.Template{object.AttrClass.Is(object.ClassPublicKey)}
	for _, t := range []object.Type{object.AttrKeyType.Type, object.AttrParameterSet.Type, object.AttrECParams.Type} {
		if a, ok := private.Lookup(t); ok {
			public = append(public, a)
		}
	}
	if m.curve.Name != "" {
		public = append(public, object.AttrECPoint.Is(object.EncodePoint(m.point)))
	} else {
		public = append(public, object.AttrValue.Is(m.public))
	}
	if public, err = finished(public, mech); err != nil {
		private.Clear()
		return nil, nil, err
	}
	if info, ok := public.Lookup(object.AttrPublicKeyInfo.Type); ok {
		private = private.With(info)
	}
	priv, err = finished(private, mech)
	return public.Without(object.AttrParameterSet.Type), priv, err
}

// generate448 generates a key on a curve that the standard library does not
// have.
func generate448(mech mechanism.Mechanism, curve object.Curve) (public, private object.Template, err error) {
	size := curve.Bytes
	if curve.Key == object.KeyECEdwards {
		size = ed448.SeedSize
	}
	value, err := valueTemplate(curve.Name, object.AttrClass.Is(object.ClassPrivateKey), randomSeed(size))
	if err != nil {
		return nil, nil, err
	}
	return pairOf(mech, value)
}
