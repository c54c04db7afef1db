package object

import "encoding/asn1"

// pqOIDs has the last arcs of the algorithm identifiers of post-quantum keys
// below the arcs of NIST, RFC 9881, RFC 9909 and RFC 9935, by parameter set.
var pqOIDs = map[KeyType]struct {
	arcs  asn1.ObjectIdentifier
	first int // of the parameter sets from 1
	sets  map[ParameterSet]int
}{
	KeyMLKEM: {arcs: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 4}, first: 1},
	KeyMLDSA: {arcs: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3}, first: 17},
	KeySLHDSA: {arcs: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3}, sets: map[ParameterSet]int{
		ParameterSetSLHDSASHA2_128S: 20, ParameterSetSLHDSASHA2_128F: 21, ParameterSetSLHDSASHA2_192S: 22,
		ParameterSetSLHDSASHA2_192F: 23, ParameterSetSLHDSASHA2_256S: 24, ParameterSetSLHDSASHA2_256F: 25,
		ParameterSetSLHDSASHAKE128S: 26, ParameterSetSLHDSASHAKE128F: 27, ParameterSetSLHDSASHAKE192S: 28,
		ParameterSetSLHDSASHAKE192F: 29, ParameterSetSLHDSASHAKE256S: 30, ParameterSetSLHDSASHAKE256F: 31,
	}},
}

// pqOID returns the algorithm identifier of a parameter set.
func pqOID(key KeyType, set ParameterSet) (asn1.ObjectIdentifier, bool) {
	row := pqOIDs[key]
	if _, ok := pqLengths[key][set]; !ok {
		return nil, false
	}
	last, ok := row.sets[set]
	if !ok {
		last = row.first + int(set) - 1
	}
	return append(append(asn1.ObjectIdentifier(nil), row.arcs...), last), true
}

// AlgorithmOf returns the algorithm identifier of post-quantum keys of a
// parameter set.
func AlgorithmOf(key KeyType, set ParameterSet) (asn1.ObjectIdentifier, bool) {
	return pqOID(key, set)
}

// ParameterSetOf returns the type and parameter set of post-quantum keys with
// an algorithm identifier.
func ParameterSetOf(oid asn1.ObjectIdentifier) (key KeyType, set ParameterSet, ok bool) {
	for key, sets := range pqLengths {
		for set := range sets {
			if other, _ := pqOID(key, set); other.Equal(oid) {
				return key, set, true
			}
		}
	}
	return 0, 0, false
}

// pqInfo returns SubjectPublicKeyInfo of a public key, or nothing of a private
// one: who can compute it from the value asks [PublicKeyInfo].
func pqInfo(key KeyType, t Template) ([]byte, error) {
	value, ok := In(t, AttrValue)
	if class, _ := In(t, AttrClass); class != ClassPublicKey || !ok {
		return nil, nil
	}
	set, _ := In(t, AttrParameterSet)
	return PublicKeyInfo(key, set, value)
}

// PublicKeyInfo returns SubjectPublicKeyInfo in DER of a post-quantum public
// key, or nothing if there is no such parameter set.
func PublicKeyInfo(key KeyType, set ParameterSet, value []byte) ([]byte, error) {
	oid, ok := pqOID(key, set)
	if !ok {
		return nil, nil
	}
	return marshalInfo(oid, value)
}

// ParseInfo reads SubjectPublicKeyInfo of a public key that package x509 does
// not know: it returns the template of the public key, and its bytes. ok is
// false for keys that it does, and for malformed input.
func ParseInfo(info []byte) (t Template, value []byte, ok bool) {
	var parsed spki
	if rest, err := asn1.Unmarshal(info, &parsed); err != nil || len(rest) != 0 {
		return nil, nil, false
	}
	value = parsed.Key.RightAlign()
	for _, c := range curves {
		if c.rare() && c.OID.Equal(parsed.Algorithm.OID) {
			return Template{AttrClass.Is(ClassPublicKey), AttrKeyType.Is(c.Key), AttrECParams.Is(c.Params()), AttrECPoint.Is(EncodePoint(value))}, value, true
		}
	}
	key, set, ok := ParameterSetOf(parsed.Algorithm.OID)
	if !ok {
		return nil, nil, false
	}
	return Template{AttrClass.Is(ClassPublicKey), AttrKeyType.Is(key), AttrParameterSet.Is(set), AttrValue.Is(value)}, value, true
}
