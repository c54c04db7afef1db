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

// parameter reads what follows a type. What has no structure here is nothing or
// a byte array, and the mechanism decides.
func (r *reader) parameter(t mechanism.Type) mechanism.Mechanism {
	shape, blank := mechanism.ShapeOf(t)
	if read := structures[shape]; read != nil {
		return read(r, blank)
	}
	return mechanism.Resolve(mechanism.Raw{T: t, Param: r.plain()})
}

// structures has what reads each shape of parameter that is a structure on the
// wire into a mechanism of which all is set that its type says.
var structures = map[mechanism.Shape]func(r *reader, blank mechanism.Mechanism) mechanism.Mechanism{
	mechanism.ShapePSS:  into((*reader).pss),
	mechanism.ShapeOAEP: into((*reader).oaep),
	mechanism.ShapeECDH: into((*reader).ecdh),
	mechanism.ShapeCTR:  into((*reader).ctr),
	mechanism.ShapeGCM:  into((*reader).gcm),
}

// into makes a reader of one type's parameters one for all types.
func into[M mechanism.Mechanism](read func(*reader, *M)) func(*reader, mechanism.Mechanism) mechanism.Mechanism {
	return func(r *reader, blank mechanism.Mechanism) mechanism.Mechanism {
		m := blank.(M)
		read(r, &m)
		return m
	}
}

func (r *reader) pss(m *mechanism.RSAPSS) {
	implied := m.Hash
	hash, mgf, salt := hashOf(r.ulong()), mgfHash(r.ulong()), r.ulong()
	m.Hash, m.MGF, m.Salt = hash, mgf, int(min(salt, 1<<16))
	if salt == 0 {
		m.Salt = mechanism.NoSalt
	}
	if implied != 0 && hash != implied {
		m.Hash = unknownHash // the parameter contradicts the type
	}
}

func (r *reader) oaep(m *mechanism.RSAOAEP) {
	m.Hash, m.MGF = hashOf(r.ulong()), mgfHash(r.ulong())
	r.ulong() // the source: CKZ_DATA_SPECIFIED or none
	m.Label = clone(r.array())
}

func (r *reader) ecdh(m *mechanism.ECDH) {
	m.KDF = mechanism.KDF(r.ulong())
	m.SharedData, m.Public = clone(r.array()), clone(r.array())
}

func (r *reader) ctr(m *mechanism.AESCTR) {
	m.CounterBits, m.CB = int(min(r.ulong(), 1<<16)), clone(r.array())
}

func (r *reader) gcm(m *mechanism.AESGCM) {
	m.IV = clone(r.array())
	r.ulong() // bits of the vector
	m.AAD, m.TagBits = clone(r.array()), int(min(r.ulong(), 1<<16))
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
