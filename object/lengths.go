package object

import "github.com/go-cryptoki/cryptoki/ckr"

// pqLengths has the lengths in bytes of the values of post-quantum keys, by
// parameter set: FIPS 203 §8, FIPS 204 §4, FIPS 205 §11. Seeds of private keys
// may stand beside or in place of values.
var pqLengths = map[KeyType]map[ParameterSet]struct{ public, private, seed int }{
	KeyMLDSA: {
		ParameterSetMLDSA44: {1312, 2560, 32},
		ParameterSetMLDSA65: {1952, 4032, 32},
		ParameterSetMLDSA87: {2592, 4896, 32},
	},
	KeyMLKEM: {
		ParameterSetMLKEM512:  {800, 1632, 64},
		ParameterSetMLKEM768:  {1184, 2400, 64},
		ParameterSetMLKEM1024: {1568, 3168, 64},
	},
	KeySLHDSA: {
		ParameterSetSLHDSASHA2_128S: {32, 64, 0}, ParameterSetSLHDSASHAKE128S: {32, 64, 0},
		ParameterSetSLHDSASHA2_128F: {32, 64, 0}, ParameterSetSLHDSASHAKE128F: {32, 64, 0},
		ParameterSetSLHDSASHA2_192S: {48, 96, 0}, ParameterSetSLHDSASHAKE192S: {48, 96, 0},
		ParameterSetSLHDSASHA2_192F: {48, 96, 0}, ParameterSetSLHDSASHAKE192F: {48, 96, 0},
		ParameterSetSLHDSASHA2_256S: {64, 128, 0}, ParameterSetSLHDSASHAKE256S: {64, 128, 0},
		ParameterSetSLHDSASHA2_256F: {64, 128, 0}, ParameterSetSLHDSASHAKE256F: {64, 128, 0},
	},
}

// checkLengths checks the values of keys that nothing else is computed of.
func checkLengths(class Class, key KeyType, t Template) error {
	sets, ok := pqLengths[key]
	if !ok {
		return nil
	}
	set, ok := In(t, AttrParameterSet)
	if !ok {
		return nil
	}
	lengths, ok := sets[set]
	if !ok {
		return ckr.Newf(ckr.ParameterSetNotSupported, AttrParameterSet.String(), "%v of %v", set, key)
	}
	want := lengths.public
	if class == ClassPrivateKey {
		want = lengths.private
	}
	if value, ok := t.Lookup(AttrValue.Type); ok && value.Len() != want {
		return invalid(AttrValue.Type, "wrong length for the parameter set")
	}
	if seed, ok := t.Lookup(AttrSeed.Type); ok && seed.Len() != lengths.seed {
		return invalid(AttrSeed.Type, "wrong length for the parameter set")
	}
	return nil
}

// PublicLength returns the length in bytes of a post-quantum public key; ok is
// false if there is no such parameter set.
func PublicLength(key KeyType, set ParameterSet) (n int, ok bool) {
	lengths, ok := pqLengths[key][set]
	return lengths.public, ok
}
