package soft_test

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// newPair generates a pair and returns the material of both halves.
func newPair(t *testing.T, gen mechanism.Mechanism, what ...object.Attribute) (pub, priv *soft.Material, values object.Template) {
	t.Helper()
	public, err := object.Imply(object.GeneratedPublic, what, gen.Type())
	if err != nil {
		t.Fatal(err)
	}
	private, err := object.Imply(object.GeneratedPrivate, nil, gen.Type())
	if err != nil {
		t.Fatal(err)
	}
	pubValues, privValues, err := soft.GenerateKeyPair(gen, public, private)
	if err != nil {
		t.Fatal(err)
	}
	pub, err = soft.NewMaterial(public.With(pubValues...))
	if err != nil {
		t.Fatal(err)
	}
	priv, err = soft.NewMaterial(private.With(privValues...))
	if err != nil {
		t.Fatal(err)
	}
	return pub, priv, privValues
}

func TestKEMAgreesInEveryParameterSet(t *testing.T) {
	if fips140.Enforced() {
		return // not of the standard library
	}
	for set := object.ParameterSetMLKEM512; set <= object.ParameterSetMLKEM1024; set++ {
		pub, priv, values := newPair(t, mechanism.MLKEMKeyPairGen{}, object.AttrParameterSet.Is(set))
		secret, ciphertext, err := soft.Encapsulate(pub, mechanism.MLKEM{})
		if err != nil {
			t.Fatal(err)
		}
		noSeed, err := soft.NewMaterial(values.Without(object.AttrSeed.Type).With(
			object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyMLKEM)))
		if err != nil {
			t.Fatal(err)
		}
		for name, key := range map[string]*soft.Material{"with seed": priv, "without": noSeed} {
			got, err := soft.Decapsulate(key, mechanism.MLKEM{}, ciphertext)
			if err != nil || !bytes.Equal(got, secret) {
				t.Errorf("set %v, %s: %x, %v, want %x", set, name, got, err, secret)
			}
			altered := bytes.Clone(ciphertext)
			altered[7] ^= 1
			if got, err := soft.Decapsulate(key, mechanism.MLKEM{}, altered); err != nil || bytes.Equal(got, secret) {
				t.Errorf("set %v, %s: an altered ciphertext gives %x, %v", set, name, got, err)
			}
			if _, err := soft.Decapsulate(key, mechanism.MLKEM{}, ciphertext[1:]); ckr.Of(err) != ckr.WrappedKeyLenRange {
				t.Errorf("set %v, %s: a short ciphertext: %v", set, name, err)
			}
		}
	}
}

func TestKEMSeedMustGiveTheValue(t *testing.T) {
	_, _, values := newPair(t, mechanism.MLKEMKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetMLKEM768))
	_, err := soft.NewMaterial(values.With(object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyMLKEM),
		object.AttrSeed.Is(make([]byte, 64))))
	if ckr.Of(err) != ckr.AttributeValueInvalid {
		t.Error(err)
	}
}

func TestSignaturesVerifyAndBindTheirContext(t *testing.T) {
	if fips140.Enforced() {
		return // not of the standard library
	}
	ed448, _ := object.CurveByName("Ed448")
	for _, c := range []struct {
		name        string
		gen         mechanism.Mechanism
		what        object.Attribute
		mech, other mechanism.Mechanism
	}{
		{"ML-DSA-44", mechanism.MLDSAKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetMLDSA44), mechanism.MLDSA{Context: []byte("a")}, mechanism.MLDSA{}},
		{"ML-DSA-65", mechanism.MLDSAKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetMLDSA65), mechanism.MLDSA{}, mechanism.MLDSA{Context: []byte("b")}},
		{"ML-DSA-87", mechanism.MLDSAKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetMLDSA87), mechanism.MLDSA{Hedge: mechanism.DeterministicRequired}, mechanism.MLDSA{Context: []byte("b")}},
		{"SLH-DSA-SHA2-128f", mechanism.SLHDSAKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetSLHDSASHA2_128F), mechanism.SLHDSA{}, mechanism.SLHDSA{Hash: crypto.SHA256}},
		{"SLH-DSA-SHAKE-128f", mechanism.SLHDSAKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetSLHDSASHAKE128F), mechanism.SLHDSA{Hash: crypto.SHA512, Context: []byte("c")}, mechanism.SLHDSA{Hash: crypto.SHA512}},
		{"Ed448", mechanism.ECEdwardsKeyPairGen{}, object.AttrECParams.Is(ed448.Params()), mechanism.EdDSA{Context: []byte("a")}, mechanism.EdDSA{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pub, priv, _ := newPair(t, c.gen, c.what)
			message := []byte("message")
			signature, err := soft.Sign(priv, c.mech, message)
			if err != nil {
				t.Fatal(err)
			}
			if err := soft.Verify(pub, c.mech, message, signature); err != nil {
				t.Error(err)
			}
			if err := soft.Verify(pub, c.other, message, signature); ckr.Of(err) != ckr.SignatureInvalid {
				t.Errorf("another context: %v", err)
			}
			if err := soft.Verify(pub, c.mech, []byte("massage"), signature); ckr.Of(err) != ckr.SignatureInvalid {
				t.Errorf("another message: %v", err)
			}
			if err := soft.Verify(pub, c.mech, message, signature[1:]); ckr.Of(err) != ckr.SignatureLenRange {
				t.Errorf("a short signature: %v", err)
			}
		})
	}
}

func TestX448AgreesAndRefusesSmallOrder(t *testing.T) {
	if fips140.Enforced() {
		return // not of the standard library
	}
	curve, _ := object.CurveByName("X448")
	params := object.AttrECParams.Is(curve.Params())
	_, a, _ := newPair(t, mechanism.ECMontgomeryKeyPairGen{}, params)
	_, b, _ := newPair(t, mechanism.ECMontgomeryKeyPairGen{}, params)
	one, err := soft.Derive(a, mechanism.ECDH{Public: soft.PointOf(b)})
	if err != nil {
		t.Fatal(err)
	}
	other, err := soft.Derive(b, mechanism.ECDH{Public: soft.PointOf(a)})
	if err != nil || !bytes.Equal(one, other) {
		t.Fatalf("%x and %x, %v", one, other, err)
	}
	if _, err := soft.Derive(a, mechanism.ECDH{Public: make([]byte, 56)}); ckr.Of(err) != ckr.MechanismParamInvalid {
		t.Error(err)
	}
}
