package soft

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
)

// privateValues reads PKCS #8 of a private key, of those that package x509
// does not know as well.
func privateValues(der []byte) (object.Template, error) {
	if parsed, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return PrivateTemplate(parsed)
	}
	var info pkcs8
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) != 0 || info.Version != 0 {
		return nil, ckr.New(ckr.AttributeValueInvalid, "PKCS #8", nil)
	}
	class := object.AttrClass.Is(object.ClassPrivateKey)
	if curve, ok := object.CurveByOID(info.Algorithm.Algorithm); ok {
		var value []byte
		if rest, err := asn1.Unmarshal(info.Key, &value); err != nil || len(rest) != 0 {
			return nil, ckr.New(ckr.AttributeValueInvalid, "PKCS #8", nil)
		}
		return valueTemplate(curve.Name, class, value)
	}
	key, set, ok := object.ParameterSetOf(info.Algorithm.Algorithm)
	if !ok {
		return nil, ckr.New(ckr.AttributeValueInvalid, "PKCS #8", nil)
	}
	t := object.Template{class, object.AttrKeyType.Is(key), object.AttrParameterSet.Is(set)}
	if key == object.KeySLHDSA {
		return append(t, object.AttrValue.Is(info.Key)), nil
	}
	return pqValues(t, info.Key)
}

// seeded is the form of ML-KEM and ML-DSA private keys that has both, RFC 9935
// §6 and RFC 9881 §6.
type seeded struct{ Seed, Value []byte }

// pqValues reads the three forms of a private key: seed, value, or both.
func pqValues(t object.Template, der []byte) (object.Template, error) {
	var raw asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &raw); err != nil || len(rest) != 0 {
		return nil, ckr.New(ckr.AttributeValueInvalid, "PKCS #8", nil)
	}
	switch {
	case raw.Class == asn1.ClassContextSpecific && raw.Tag == 0 && !raw.IsCompound:
		return append(t, object.AttrSeed.Is(raw.Bytes)), nil
	case raw.Class == asn1.ClassUniversal && raw.Tag == asn1.TagOctetString:
		return append(t, object.AttrValue.Is(raw.Bytes)), nil
	}
	var both seeded
	if rest, err := asn1.Unmarshal(der, &both); err != nil || len(rest) != 0 {
		return nil, ckr.New(ckr.AttributeValueInvalid, "PKCS #8", nil)
	}
	return append(t, object.AttrSeed.Is(both.Seed), object.AttrValue.Is(both.Value)), nil
}

// exportPQ returns PKCS #8 of a post-quantum private key: with its seed where
// it has one.
func (m *Material) exportPQ() ([]byte, error) {
	oid, ok := object.AlgorithmOf(m.key, m.set)
	if !ok {
		return nil, ckr.New(ckr.KeyNotWrappable, "wrap", nil)
	}
	inner := m.secret
	var err error
	switch {
	case m.key == object.KeySLHDSA:
	case m.seed != nil:
		inner, err = asn1.Marshal(seeded{m.seed, m.secret})
		defer clear(inner)
	default:
		inner, err = asn1.Marshal(m.secret)
		defer clear(inner)
	}
	if err != nil {
		return nil, ckr.New(ckr.KeyNotWrappable, "wrap", err)
	}
	return encoded(asn1.Marshal(pkcs8{Algorithm: pkix.AlgorithmIdentifier{Algorithm: oid}, Key: inner}))
}

// Computed returns what of a private key object.Finish cannot compute:
// CKA_PUBLIC_KEY_INFO, and the value of a key that came as its seed. It is the
// caller's to clear.
func Computed(m *Material) (t object.Template) {
	if m == nil || m.class != object.ClassPrivateKey {
		return nil
	}
	var info []byte
	var err error
	switch {
	case m.public != nil:
		info, err = object.PublicKeyInfo(m.key, m.set, m.public)
	case m.curve.Name != "" && m.point != nil:
		info, err = m.curve.PublicKeyInfo(m.point)
	}
	if err == nil && len(info) > 0 {
		t = append(t, object.AttrPublicKeyInfo.Is(info))
	}
	if m.seed != nil {
		t = append(t, object.AttrValue.Is(m.secret))
	}
	return t
}
