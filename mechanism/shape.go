package mechanism

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"
)

// Shape is the form of a mechanism's parameter in C: who reads parameters off a
// wire reads one of a shape, whichever mechanism it is for.
type Shape int

// The shapes of parameters.
const (
	ShapeUnknown Shape = iota // a structure that has no shape here, or an unknown mechanism
	ShapeNone                 // no parameter
	ShapeBytes                // a byte string, such as an initialisation vector
	ShapeNumber               // a CK_ULONG
	ShapePSS                  // CK_RSA_PKCS_PSS_PARAMS
	ShapeOAEP                 // CK_RSA_PKCS_OAEP_PARAMS
	ShapeECDH                 // CK_ECDH1_DERIVE_PARAMS
	ShapeCTR                  // CK_AES_CTR_PARAMS
	ShapeGCM                  // CK_GCM_PARAMS
	ShapeEdDSA                // CK_EDDSA_PARAMS
	ShapeSigning              // CK_SIGN_ADDITIONAL_CONTEXT
)

// ShapeOf returns the shape of a mechanism's parameter, and the mechanism as far
// as its type alone says it: for CKM_SHA256_RSA_PKCS_PSS, RSAPSS with SHA-256.
// For ShapeUnknown and ShapeNumber blank is nil.
func ShapeOf(t Type) (shape Shape, blank Mechanism) {
	f := forms()[t]
	return f.shape, f.blank
}

// A form says how a mechanism is made of its type and a parameter.
type form struct {
	typ   Type
	shape Shape
	blank Mechanism                    // what the type alone says
	bare  bool                         // the parameter may be missing
	parse func(param []byte) Mechanism // nil for structures; it returns nil for a parameter that it does not express
}

// plain is the form of a mechanism that takes no parameter.
func plain(m Mechanism) form { return form{typ: m.Type(), shape: ShapeNone, blank: m, bare: true} }

// structure is the form of a mechanism whose parameter is a structure.
func structure(shape Shape, m Mechanism) form {
	return form{typ: m.Type(), shape: shape, blank: m}
}

// optional is the form of a mechanism whose parameter is a structure that may be
// missing.
func optional(shape Shape, m Mechanism) form {
	return form{typ: m.Type(), shape: shape, blank: m, bare: true}
}

// bytesOf is the form of a mechanism whose parameter is a byte string. One that
// is missing is left for Check to refuse.
func bytesOf(of func(b []byte) Mechanism) form {
	m := of(nil)
	return form{typ: m.Type(), shape: ShapeBytes, blank: m, bare: true, parse: of}
}

// numberOf is the form of a mechanism whose parameter is a number, of which the
// mechanism expresses those from least.
func numberOf(t Type, least uint64, of func(n int) Mechanism) form {
	return form{typ: t, shape: ShapeNumber, parse: func(param []byte) Mechanism {
		if len(param) != 8 {
			return nil
		}
		n := binary.LittleEndian.Uint64(param)
		if n < least || n > math.MaxInt32 {
			return nil
		}
		return of(int(n))
	}}
}

// forms has the form of each mechanism. Hash functions that the standard does
// not have a mechanism with give the type Unavailable, which has none.
var forms = sync.OnceValue(func() map[Type]form {
	list := slices.Concat(aesForms(), aeadForms(), desForms(), digestForms(), ecForms(), deriveForms(), generateForms(), pqForms(), rsaForms())
	index := make(map[Type]form, len(list))
	for _, f := range list {
		index[f.typ] = f
	}
	delete(index, Unavailable)
	return index
})
