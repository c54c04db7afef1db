package object

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"math/big"
	"slices"
	"sync"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// A Curve is a named curve that this library computes on. Cards may know
// others.
type Curve struct {
	Name  string         // as CKA_EC_PARAMS may spell it, "secp256r1"
	Key   KeyType        // the type of its keys
	NIST  elliptic.Curve // nil for Edwards and Montgomery curves
	OID   asn1.ObjectIdentifier
	Bytes int // the length of a coordinate, and for NIST curves of the order
}

// curves has the curves by their names in the standards of their makers.
var curves = []Curve{
	{"secp256r1", KeyEC, elliptic.P256(), asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, 32},
	{"secp384r1", KeyEC, elliptic.P384(), asn1.ObjectIdentifier{1, 3, 132, 0, 34}, 48},
	{"secp521r1", KeyEC, elliptic.P521(), asn1.ObjectIdentifier{1, 3, 132, 0, 35}, 66},
	{"secp224r1", KeyEC, elliptic.P224(), asn1.ObjectIdentifier{1, 3, 132, 0, 33}, 28},
	{"edwards25519", KeyECEdwards, nil, asn1.ObjectIdentifier{1, 3, 101, 112}, 32},
	{"curve25519", KeyECMontgomery, nil, asn1.ObjectIdentifier{1, 3, 101, 110}, 32},
	{"edwards448", KeyECEdwards, nil, asn1.ObjectIdentifier{1, 3, 101, 113}, 57},
	{"curve448", KeyECMontgomery, nil, asn1.ObjectIdentifier{1, 3, 101, 111}, 56},
}

// Params returns CKA_EC_PARAMS of the curve: its object identifier in DER.
func (c Curve) Params() []byte {
	der, err := asn1.Marshal(c.OID)
	if err != nil {
		return nil // not with the identifiers above
	}
	return der
}

// oids has CKA_EC_PARAMS of each curve, in the order of curves: most
// parameters there are need no decoding.
var oids = sync.OnceValue(func() (der []string) {
	for _, c := range curves {
		der = append(der, string(c.Params()))
	}
	return der
})

// CurveOf reads CKA_EC_PARAMS: the object identifier of a curve or its name as
// a PrintableString. It returns ckr.DomainParamsInvalid if params is
// malformed or says that the curve comes from elsewhere (implicitlyCA), and
// ckr.CurveNotSupported for curves that are given by their equation or that
// this library does not compute on.
func CurveOf(params []byte) (Curve, error) {
	curve, err := namedCurve(params)
	if err == nil && curve.Name == "" {
		return Curve{}, ckr.New(ckr.CurveNotSupported, AttrECParams.String(), nil)
	}
	return curve, err
}

// namedCurve is CurveOf that returns an empty Curve for well-formed names that
// only a card may know.
func namedCurve(params []byte) (Curve, error) {
	for i, der := range oids() {
		if der == string(params) {
			return curves[i], nil
		}
	}
	var value asn1.RawValue
	rest, err := asn1.Unmarshal(params, &value)
	if err != nil || len(rest) != 0 {
		return Curve{}, ckr.Newf(ckr.DomainParamsInvalid, AttrECParams.String(), "malformed")
	}
	var oid asn1.ObjectIdentifier
	switch {
	case value.Class != asn1.ClassUniversal:
		return Curve{}, ckr.Newf(ckr.DomainParamsInvalid, AttrECParams.String(), "malformed")
	case value.Tag == asn1.TagSequence: // an explicit curve may be a weak one, made to betray the key
		return Curve{}, ckr.Newf(ckr.CurveNotSupported, AttrECParams.String(), "only named curves are")
	case value.Tag == asn1.TagPrintableString:
		return curveNamed(string(value.Bytes)), nil
	case value.Tag != asn1.TagOID:
		return Curve{}, ckr.Newf(ckr.DomainParamsInvalid, AttrECParams.String(), "not a named curve")
	}
	if rest, err := asn1.Unmarshal(params, &oid); err != nil || len(rest) != 0 {
		return Curve{}, ckr.Newf(ckr.DomainParamsInvalid, AttrECParams.String(), "malformed")
	}
	i := slices.IndexFunc(curves, func(c Curve) bool { return c.OID.Equal(oid) })
	if i < 0 {
		return Curve{}, nil
	}
	return curves[i], nil
}

// otherNames has names of curves that are the same as others.
var otherNames = map[string]string{
	"prime256v1": "secp256r1", "P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1", "P-224": "secp224r1",
	"Ed25519": "edwards25519", "X25519": "curve25519", "Ed448": "edwards448", "X448": "curve448",
}

func curveNamed(name string) Curve {
	if other, ok := otherNames[name]; ok {
		name = other
	}
	i := slices.IndexFunc(curves, func(c Curve) bool { return c.Name == name })
	if i < 0 {
		return Curve{}
	}
	return curves[i]
}

// CurveFor returns the curve of a NIST curve of the standard library.
func CurveFor(nist elliptic.Curve) (Curve, bool) {
	i := slices.IndexFunc(curves, func(c Curve) bool { return c.NIST != nil && c.NIST == nist })
	if i < 0 {
		return Curve{}, false
	}
	return curves[i], true
}

// CurveByName returns a curve by its name, such as "secp256r1" or "P-256".
func CurveByName(name string) (Curve, bool) {
	c := curveNamed(name)
	return c, c.Name != ""
}

// CurveByOID returns the curve with an object identifier.
func CurveByOID(oid asn1.ObjectIdentifier) (Curve, bool) {
	i := slices.IndexFunc(curves, func(c Curve) bool { return c.OID.Equal(oid) })
	if i < 0 {
		return Curve{}, false
	}
	return curves[i], true
}

// Point reads CKA_EC_POINT or the public data of a key agreement for the
// curve: the bytes as they are or within a DER OCTET STRING. It returns the
// bytes as they are: 04‖X‖Y for NIST curves, as long as a coordinate otherwise. Points not
// on the curve, of small order or compressed, and the point at infinity are
// ckr.AttributeValueInvalid; those of X25519 and of the curves of 448 bits show
// only when a key is used.
func (c Curve) Point(encoded []byte) ([]byte, error) {
	for _, point := range pointForms(encoded) {
		if c.valid(point) {
			return point, nil
		}
	}
	return nil, invalid(AttrECPoint.Type, "not a point of "+c.Name)
}

func (c Curve) valid(point []byte) bool {
	switch {
	case c.Name == "edwards25519":
		return validEdwards(point)
	case c.NIST == nil:
		return len(point) == c.Bytes
	}
	if len(point) != 1+2*c.Bytes || point[0] != 4 {
		return false
	}
	_, err := ecdsa.ParseUncompressedPublicKey(c.NIST, point)
	return err == nil
}

// pointForms returns what encoded may mean: the content of an OCTET STRING, if
// it is one, and the bytes as they are. A raw point begins with 04 too, the
// tag of an OCTET STRING, and Montgomery keys may begin with anything: who
// reads it must try both.
func pointForms(encoded []byte) [][]byte {
	if inner, ok := octetString(encoded); ok {
		return [][]byte{inner, encoded}
	}
	return [][]byte{encoded}
}

func octetString(der []byte) ([]byte, bool) {
	var inner []byte
	rest, err := asn1.Unmarshal(der, &inner)
	return inner, err == nil && len(rest) == 0 && len(der) > 0 && der[0] == asn1.TagOctetString
}

// EncodePoint returns CKA_EC_POINT of a point given as it is: a DER OCTET
// STRING.
func EncodePoint(point []byte) []byte {
	der, err := asn1.Marshal(bytes.Clone(point))
	if err != nil {
		return nil // not with bytes
	}
	return der
}

// Scalar returns a private value, as CKA_VALUE has it, at its full length:
// big endian within the order of a NIST curve, as long as a coordinate in
// their own order for others. The result is the caller's to clear. It returns ckr.AttributeValueInvalid if the value is none of
// the curve.
func (c Curve) Scalar(value []byte) ([]byte, error) {
	if c.NIST == nil {
		if len(value) != c.Bytes {
			return nil, invalid(AttrValue.Type, "wrong length for "+c.Name)
		}
		return bytes.Clone(value), nil
	}
	d := new(big.Int).SetBytes(value)
	if d.Sign() == 0 || d.Cmp(c.NIST.Params().N) >= 0 {
		return nil, invalid(AttrValue.Type, "not within the order of "+c.Name)
	}
	return d.FillBytes(make([]byte, c.Bytes)), nil
}
