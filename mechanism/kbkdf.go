package mechanism

import "crypto"

// KBKDFMode is the way in which [KBKDF] calls its function.
type KBKDFMode int

// The modes of SP 800-108.
const (
	CounterMode KBKDFMode = iota
	FeedbackMode
	DoublePipelineMode
)

// FieldKind is the kind of a part of what [KBKDF] hashes in each round, a
// CK_PRF_DATA_TYPE.
type FieldKind uint64

// The kinds of fields.
const (
	IterationField FieldKind = 1 // the counter in counter mode, else the previous round's result
	CounterField   FieldKind = 2 // a counter beside it, in the other modes
	LengthField    FieldKind = 3 // the length in bits of all that is derived
	BytesField     FieldKind = 4 // bytes that are given
	KeyField       FieldKind = 5 // the value of another key
)

// Field is one part of what each round takes in, in the order of the caller.
// Width, 8 to 64 and a multiple of 8, is the length in bits of a counter or a
// length; they are big endian unless LittleEndian says otherwise. A length is
// that of the keys, or of the whole rounds that they are cut from if Segments
// is set.
type Field struct {
	Kind         FieldKind
	Width        int
	LittleEndian bool
	Segments     bool
	Bytes        []byte
	Key          KeyRef
}

// KBKDF is the key derivation of SP 800-108, CKM_SP800_108_COUNTER_KDF and its
// like, PKCS #11 v3.2 §6. PRF is an [HMAC] without Length, or [AESCMAC]{}.
// IV is what feedback mode begins with.
type KBKDF struct {
	Mode   KBKDFMode
	PRF    Mechanism
	Fields []Field
	IV     []byte
}

// Type is CKM_SP800_108_COUNTER_KDF and the like.
func (m KBKDF) Type() Type {
	switch m.Mode {
	case CounterMode:
		return TypeSP800_108CounterKDF
	case FeedbackMode:
		return TypeSP800_108FeedbackKDF
	case DoublePipelineMode:
		return TypeSP800_108DoublePipelineKDF
	}
	return Unavailable
}

func (m KBKDF) hashes() [2]crypto.Hash { return hashesOf(Resolve(m.PRF)) }

func (m KBKDF) keys() (keys []KeyRef) {
	for _, f := range m.Fields {
		if f.Kind == KeyField {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// maxFields bounds the number of fields.
const maxFields = 64

func (m KBKDF) problem() string {
	if m.Type() == Unavailable || len(m.Fields) > maxFields || len(m.IV) > maxShared {
		return "unknown mode, or too many parameters"
	}
	if prf, ok := Resolve(m.PRF).(interface{ pseudorandom() bool }); !ok || !prf.pseudorandom() {
		return "no pseudorandom function"
	}
	count := map[FieldKind]int{}
	for _, f := range m.Fields {
		count[f.Kind]++
		if problem := fieldProblem(m.Mode, f); problem != "" {
			return problem
		}
	}
	return first(
		when(count[IterationField] != 1, "one iteration field is needed"),
		when(count[CounterField] > 1 || count[LengthField] > 1, "two counters or lengths"),
		when(m.Mode == CounterMode && count[CounterField] > 0, "counter mode has its counter in the iteration field"),
		when(m.Mode != FeedbackMode && len(m.IV) > 0, "only feedback mode has an initial value"))
}

func fieldProblem(mode KBKDFMode, f Field) string {
	number := f.Kind == CounterField || f.Kind == LengthField || f.Kind == IterationField && mode == CounterMode
	switch {
	case f.Kind < IterationField || f.Kind > KeyField:
		return "unknown kind of field"
	case number && (f.Width < 8 || f.Width > 64 || f.Width%8 != 0):
		return "a number of 8 to 64 bits is needed"
	case f.Kind == KeyField && f.Key == nil:
		return "no key"
	case len(f.Bytes) > maxShared:
		return "field too long"
	}
	return ""
}
