package p11kit

import (
	"crypto"
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/mechanism"
)

// nullMechanism is the type of a NULL mechanism, which ends an operation.
const nullMechanism = 0xFFFFFFFF

// mechanism is a field M; nil is a NULL mechanism. The client's version says
// how it travels.
func (r *reader) mechanism() mechanism.Mechanism {
	t := r.u32()
	if t == nullMechanism {
		return nil
	}
	typ := mechanism.Type(t)
	if r.offered >= 2 {
		r.flag = nil
		if !r.hasNone(typ) {
			r.flag = r.take(1)
		}
		if len(r.flag) == 0 || r.flag[0] == 0 {
			return mechanism.Resolve(mechanism.Raw{T: typ})
		}
	}
	return r.parameter(typ)
}

// hasNone tells of a mechanism that came from a client of version 2 whether
// nothing follows its type, not even a byte that says so. Which mechanisms
// those are differs between releases of the client; but only one way to read
// the message comes out even.
func (r *reader) hasNone(t mechanism.Type) bool {
	flagged := reader{b: r.b, offered: r.offered}
	if flagged.byte() == 1 {
		flagged.parameter(t)
	}
	none := reader{b: r.b, offered: r.offered}
	return none.skips(r.rest) && !flagged.skips(r.rest)
}

// skips tells whether exactly the fields of a signature are left.
func (r *reader) skips(signature string) bool {
	for signature != "" && r.err == nil {
		field := signature[:1]
		if field == "a" || field == "f" {
			field = signature[:2]
		}
		signature = signature[len(field):]
		switch field {
		case "u":
			r.ulong()
		case "ay":
			r.bytes()
		case "fy":
			r.room()
		case "aA":
			r.template(0)
		default:
			return false
		}
	}
	return r.err == nil && len(r.b) == 0
}

// parameter reads the structure that follows a type. What has none of its own
// here is nothing or a byte array, and the mechanism decides.
func (r *reader) parameter(t mechanism.Type) mechanism.Mechanism {
	if h, digested, ok := pssOf(t); ok {
		return r.pss(h, digested)
	}
	switch t {
	case mechanism.TypeRSAPKCSOAEP:
		hash, mgf := r.ulong(), r.ulong()
		r.ulong() // the source: CKZ_DATA_SPECIFIED or none
		label := r.array()
		return mechanism.RSAOAEP{Hash: hashOf(hash), MGF: mgfHash(mgf), Label: clone(label)}
	case mechanism.TypeECDH1Derive, mechanism.TypeECDH1CofactorDerive:
		kdf, shared, public := r.ulong(), r.array(), r.array()
		return mechanism.ECDH{
			KDF: mechanism.KDF(kdf), SharedData: clone(shared), Public: clone(public),
			Cofactor: t == mechanism.TypeECDH1CofactorDerive,
		}
	case mechanism.TypeAESCTR:
		bits, block := r.ulong(), r.array()
		return mechanism.AESCTR{CounterBits: int(min(bits, 1<<16)), CB: clone(block)}
	case mechanism.TypeAESGCM:
		iv := r.array()
		r.ulong() // bits of the vector
		aad, tag := r.array(), r.ulong()
		return mechanism.AESGCM{IV: clone(iv), AAD: clone(aad), TagBits: int(min(tag, 1<<16))}
	}
	return mechanism.Resolve(mechanism.Raw{T: t, Param: r.plain()})
}

// plain is a parameter that is a byte array or a number, as the length of a
// CK_MAC_GENERAL_PARAMS is; of the two, it is what makes the message come out
// even. Numbers are returned as C has them.
func (r *reader) plain() []byte {
	bytes, number := *r, *r
	bytes.array()
	n := number.ulong()
	if !bytes.skips(r.rest) && number.skips(r.rest) {
		r.ulong()
		return binary.LittleEndian.AppendUint64(nil, n)
	}
	return clone(r.array())
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

// pssOf tells of a PSS mechanism which hash its type implies.
func pssOf(t mechanism.Type) (h crypto.Hash, digested, ok bool) {
	if t == mechanism.TypeRSAPKCSPSS {
		return 0, true, true
	}
	for h := crypto.Hash(1); h < unknownHash; h++ {
		if (mechanism.RSAPSS{Hash: h}).Type() == t && t != mechanism.Unavailable {
			return h, false, true
		}
	}
	return 0, false, false
}

func (r *reader) pss(implied crypto.Hash, digested bool) mechanism.Mechanism {
	hash, mgf, salt := hashOf(r.ulong()), mgfHash(r.ulong()), r.ulong()
	m := mechanism.RSAPSS{Hash: hash, MGF: mgf, Salt: int(min(salt, 1<<16)), Digested: digested}
	if salt == 0 {
		m.Salt = mechanism.NoSalt
	}
	if implied != 0 && hash != implied {
		m.Hash = unknownHash // the parameter contradicts the type
	}
	return m
}

// unknownHash is refused by every mechanism.
const unknownHash = crypto.Hash(255)

func hashOf(n uint64) crypto.Hash {
	if h, ok := mechanism.HashOf(mechanism.Type(n)); ok {
		return h
	}
	return unknownHash
}

func mgfHash(n uint64) crypto.Hash {
	if h, ok := mechanism.MGF(n).Hash(); ok {
		return h
	}
	return unknownHash
}
