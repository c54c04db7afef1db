package object

import (
	"bytes"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// finishEC checks a key on an elliptic curve. Points are stored within a DER
// OCTET STRING, private values of NIST curves as big integers.
func finishEC(class Class, key KeyType, t Template) (Template, error) {
	params, ok := In(t, AttrECParams)
	if !ok {
		return t, nil
	}
	curve, err := namedCurve(params)
	if err != nil {
		return nil, err
	}
	if curve.Name != "" && curve.Key != key {
		return nil, ckr.Newf(ckr.TemplateInconsistent, AttrECParams.String(), "%s is no curve of %s", curve.Name, key)
	}
	if t, err = finishPoint(curve, key, t); err != nil {
		return nil, err
	}
	if class != ClassPrivateKey || curve.Name == "" {
		return t, nil
	}
	return finishScalar(curve, t)
}

// finishPoint brings CKA_EC_POINT into its DER form.
func finishPoint(curve Curve, key KeyType, t Template) (Template, error) {
	given, ok := In(t, AttrECPoint)
	if !ok {
		return t, nil
	}
	point, err := given, error(nil)
	if curve.Name != "" {
		point, err = curve.Point(given)
	} else {
		point, err = unknownPoint(key, given)
	}
	if err != nil {
		return nil, err
	}
	return t.With(AttrECPoint.Is(EncodePoint(point))), nil
}

// unknownPoint reads a point of a curve that only a card knows.
func unknownPoint(key KeyType, encoded []byte) ([]byte, error) {
	for _, point := range pointForms(encoded) {
		if key != KeyEC && len(point) > 0 || len(point) >= 3 && len(point)%2 == 1 && point[0] == 4 {
			return point, nil
		}
	}
	return nil, invalid(AttrECPoint.Type, "not an uncompressed point")
}

// finishScalar checks the private value and that a given point is its own.
func finishScalar(curve Curve, t Template) (Template, error) {
	value, ok := In(t, AttrValue)
	if !ok {
		return t, nil
	}
	scalar, err := curve.Scalar(value)
	clear(value)
	if err != nil {
		return nil, err
	}
	defer clear(scalar)
	if curve.NIST != nil {
		t = t.With(AttrValue.Is(trimZeros(scalar)))
	}
	given, ok := In(t, AttrECPoint)
	if !ok {
		return t, nil
	}
	point, err := curve.public(scalar)
	if err != nil {
		return nil, invalid(AttrValue.Type, "no key of "+curve.Name)
	}
	if len(point) != 0 && !bytes.Equal(EncodePoint(point), given) {
		return nil, invalid(AttrECPoint.Type, "it does not belong to the private value")
	}
	return t, nil
}
