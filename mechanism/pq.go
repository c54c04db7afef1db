package mechanism

import "crypto"

// Hedge says whether a post-quantum signature takes random bytes in, a
// CK_HEDGE_TYPE. Hedged signatures of one message differ from each other.
type Hedge uint64

// The values of Hedge.
const (
	HedgePreferred        Hedge = 0 // CKH_HEDGE_PREFERRED
	HedgeRequired         Hedge = 1 // CKH_HEDGE_REQUIRED
	DeterministicRequired Hedge = 2 // CKH_DETERMINISTIC_REQUIRED
)

// MLDSA is a signature of FIPS 204 over the message itself, CKM_ML_DSA, PKCS
// #11 v3.2 §6. Context is at most 255 bytes. Verification ignores Hedge.
type MLDSA struct {
	Hedge   Hedge
	Context []byte
}

// Type is CKM_ML_DSA.
func (MLDSA) Type() Type { return TypeMLDSA }

func (m MLDSA) problem() string { return additionalProblem(m.Hedge, m.Context) }

// HashMLDSA is HashML-DSA, a signature of FIPS 204 §5.4 over the hash of a
// message, CKM_HASH_ML_DSA_SHA256 and the like, PKCS #11 v3.2 §6. The hash
// function is Hash, or SHAKE of so many bits, 128 or 256; one that is weaker than
// the key makes the signature weaker. The input is the message, or the digest if
// Digested is set; then the mechanism is CKM_HASH_ML_DSA. Context is at most 255
// bytes. Verification ignores Hedge.
type HashMLDSA struct {
	Hash     crypto.Hash
	SHAKE    int
	Digested bool
	Hedge    Hedge
	Context  []byte
}

// Type is CKM_HASH_ML_DSA or the type with the hash.
func (m HashMLDSA) Type() Type {
	t, ok := mlTypes[mlHash{m.Hash, m.SHAKE}]
	switch {
	case m.Digested:
		return TypeHashMLDSA
	case !ok:
		return Unavailable
	}
	return t
}

// DigestSize returns the length in bytes of what the hash function gives: of
// SHAKE128 it is 32, of SHAKE256 64.
func (m HashMLDSA) DigestSize() int {
	switch {
	case m.SHAKE != 0:
		return m.SHAKE / 4
	case usable(m.Hash):
		return m.Hash.Size()
	}
	return 0
}

func (m HashMLDSA) problem() string {
	_, known := mlTypes[mlHash{m.Hash, m.SHAKE}]
	return first(
		additionalProblem(m.Hedge, m.Context),
		when(!known || m.Hash != 0 && !usable(m.Hash), "unknown hash function"))
}

func (m HashMLDSA) hashes() [2]crypto.Hash { return [2]crypto.Hash{m.Hash} }

func (m HashMLDSA) prehash() (crypto.Hash, Mechanism) {
	if m.Digested || m.SHAKE != 0 {
		return 0, nil
	}
	m.Digested = true
	return m.Hash, m
}

// mlHash is the hash function of HashMLDSA.
type mlHash struct {
	hash  crypto.Hash
	shake int
}

var mlTypes = map[mlHash]Type{
	{crypto.SHA224, 0}: TypeHashMLDSASHA224, {crypto.SHA256, 0}: TypeHashMLDSASHA256,
	{crypto.SHA384, 0}: TypeHashMLDSASHA384, {crypto.SHA512, 0}: TypeHashMLDSASHA512,
	{crypto.SHA3_224, 0}: TypeHashMLDSASHA3_224, {crypto.SHA3_256, 0}: TypeHashMLDSASHA3_256,
	{crypto.SHA3_384, 0}: TypeHashMLDSASHA3_384, {crypto.SHA3_512, 0}: TypeHashMLDSASHA3_512,
	{0, 128}: TypeHashMLDSASHAKE128, {0, 256}: TypeHashMLDSASHAKE256,
}

// MLDSAKeyPairGen generates key pairs of the CKA_PARAMETER_SET that the public
// template names, CKM_ML_DSA_KEY_PAIR_GEN.
type MLDSAKeyPairGen struct{}

// Type is CKM_ML_DSA_KEY_PAIR_GEN.
func (MLDSAKeyPairGen) Type() Type { return TypeMLDSAKeyPairGen }

// SLHDSA is a signature of FIPS 205, PKCS #11 v3.2 §6. Context is at most
// 255 bytes. Verification ignores Hedge.
//
// Without a Hash it is CKM_SLH_DSA, pure; with one it is
// CKM_HASH_SLH_DSA_SHA256 and the like. The input is the message in both
// cases: the hash is part of the signature scheme.
type SLHDSA struct {
	Hash    crypto.Hash
	Hedge   Hedge
	Context []byte
}

// Type is CKM_SLH_DSA or the type with the hash.
func (m SLHDSA) Type() Type {
	if m.Hash == 0 {
		return TypeSLHDSA
	}
	if t, ok := slhTypes[m.Hash]; ok {
		return t
	}
	return Unavailable
}

func (m SLHDSA) problem() string {
	_, known := slhTypes[m.Hash]
	return first(
		additionalProblem(m.Hedge, m.Context),
		when(m.Hash != 0 && (!known || !usable(m.Hash)), "unknown hash function"))
}

func (m SLHDSA) hashes() [2]crypto.Hash { return [2]crypto.Hash{m.Hash} }

var slhTypes = map[crypto.Hash]Type{
	crypto.SHA224: TypeHashSLHDSASHA224, crypto.SHA256: TypeHashSLHDSASHA256,
	crypto.SHA384: TypeHashSLHDSASHA384, crypto.SHA512: TypeHashSLHDSASHA512,
	crypto.SHA3_224: TypeHashSLHDSASHA3_224, crypto.SHA3_256: TypeHashSLHDSASHA3_256,
	crypto.SHA3_384: TypeHashSLHDSASHA3_384, crypto.SHA3_512: TypeHashSLHDSASHA3_512,
}

// SLHDSAKeyPairGen generates key pairs of the CKA_PARAMETER_SET that the
// public template names, CKM_SLH_DSA_KEY_PAIR_GEN.
type SLHDSAKeyPairGen struct{}

// Type is CKM_SLH_DSA_KEY_PAIR_GEN.
func (SLHDSAKeyPairGen) Type() Type { return TypeSLHDSAKeyPairGen }

func additionalProblem(h Hedge, context []byte) string {
	return first(
		when(h > DeterministicRequired, "unknown hedge variant"),
		when(len(context) > 255, "context longer than 255 bytes"))
}

func pqForms() []form {
	list := []form{
		plain(MLKEM{}), plain(MLKEMKeyPairGen{}),
		optional(ShapeSigning, MLDSA{}), structure(ShapeUnknown, HashMLDSA{Digested: true}), plain(MLDSAKeyPairGen{}),
		optional(ShapeSigning, SLHDSA{}), plain(SLHDSAKeyPairGen{}),
	}
	for h := range mlTypes {
		list = append(list, optional(ShapeSigning, HashMLDSA{Hash: h.hash, SHAKE: h.shake}))
	}
	for h := range slhTypes {
		list = append(list, optional(ShapeSigning, SLHDSA{Hash: h}))
	}
	return list
}
