package mechanism

import (
	"encoding/binary"
	"math"
	"reflect"
	"slices"
)

// Resolve returns m as the type of this package that stands for it: a [Raw]
// mechanism of the standard whose parameter is nothing, a plain byte string or
// a CK_ULONG (8 bytes, little-endian) becomes that type, and a pointer to a
// mechanism becomes what it points to.
// Others, and nil, are returned as they are; a nil pointer is returned as nil.
func Resolve(m Mechanism) Mechanism {
	if m == nil {
		return nil
	}
	if v := reflect.ValueOf(m); v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		if inner, ok := v.Elem().Interface().(Mechanism); ok {
			m = inner
		}
	}
	if raw, ok := m.(Raw); ok {
		return resolveRaw(raw)
	}
	return m
}

// plain has the mechanisms that take no parameter.
var plain = []Mechanism{
	RSAPKCS{}, RSAX509{}, ECDSA{}, EdDSA{}, AESECB{}, AESCMAC{}, AESKeyWrap{}, AESKeyWrapKWP{},
	RSAKeyPairGen{}, ECKeyPairGen{}, ECEdwardsKeyPairGen{}, ECMontgomeryKeyPairGen{}, AESKeyGen{}, GenericSecretKeyGen{},
	ChaCha20KeyGen{}, AESXTSKeyGen{}, HKDFKeyGen{}, SHAKEDerive{Bits: 128}, SHAKEDerive{Bits: 256},
	DESECB{}, DES3ECB{}, DESKeyGen{}, DES2KeyGen{}, DES3KeyGen{},
	MLKEM{}, MLKEMKeyPairGen{}, MLDSA{}, MLDSAKeyPairGen{}, SLHDSA{}, SLHDSAKeyPairGen{},
}

func resolveRaw(raw Raw) Mechanism {
	if len(raw.Param) == 8 {
		if m := resolveNumber(raw); m != nil {
			return m
		}
	}
	if len(raw.Param) > 0 {
		return resolveIV(raw)
	}
	if i := slices.IndexFunc(plain, func(m Mechanism) bool { return m.Type() == raw.T }); i >= 0 {
		return plain[i]
	}
	if raw.T == Unavailable {
		return raw
	}
	for _, row := range hashes {
		switch raw.T {
		case row.digest:
			return Digest{Hash: row.hash}
		case row.hmac:
			return HMAC{Hash: row.hash}
		case row.rsaPKCS:
			return RSAPKCS{Hash: row.hash}
		case row.rsaPSS: // the parameter may be left out where the type implies it
			return RSAPSS{Hash: row.hash}
		case row.ecdsa:
			return ECDSA{Hash: row.hash}
		case SLHDSA{Hash: row.hash}.Type():
			return SLHDSA{Hash: row.hash}
		case HashDerive{row.hash}.Type():
			return HashDerive{row.hash}
		}
	}
	return resolveIV(raw)
}

// resolveNumber handles the mechanisms whose parameter is a number: the length
// of a code, or the place of a bit. It returns nil for others, and for numbers
// that those types do not express.
func resolveNumber(raw Raw) Mechanism {
	n := binary.LittleEndian.Uint64(raw.Param)
	switch {
	case raw.T == Unavailable || n > math.MaxInt32:
		return nil
	case raw.T == TypeExtractKeyFromKey:
		return ExtractKeyFromKey{Bit: int(n)}
	case n == 0:
		return nil
	case raw.T == TypeAESCMACGeneral:
		return AESCMAC{Length: int(n)}
	}
	if i := slices.IndexFunc(hashes, func(row hashRow) bool { return row.general == raw.T }); i >= 0 {
		return HMAC{Hash: hashes[i].hash, Length: int(n)}
	}
	return nil
}

// resolveIV handles the mechanisms whose parameter is an initialisation
// vector; a missing one is left for Check to refuse.
func resolveIV(raw Raw) Mechanism {
	switch raw.T {
	case TypeAESCBC:
		return AESCBC{IV: raw.Param}
	case TypeAESCBCPad:
		return AESCBCPad{IV: raw.Param}
	case TypeAESCTS:
		return AESCTS{IV: raw.Param}
	case TypeAESXTS:
		return AESXTS{Tweak: raw.Param}
	case TypeDESCBC:
		return DESCBC{IV: raw.Param}
	case TypeDESCBCPad:
		return DESCBCPad{IV: raw.Param}
	case TypeDES3CBC:
		return DES3CBC{IV: raw.Param}
	case TypeDES3CBCPad:
		return DES3CBCPad{IV: raw.Param}
	case TypeAESKeyWrap:
		return AESKeyWrap{IV: raw.Param}
	case TypeAESKeyWrapKWP:
		return AESKeyWrapKWP{IV: raw.Param}
	}
	return raw
}
