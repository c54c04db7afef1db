package soft

import (
	"hash"
	"iter"
	"slices"
	"sync"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// table has a row for each mechanism that software does. The rows stand beside
// the functions that they name.
var table = sync.OnceValue(func() *index {
	return newIndex(slices.Concat(
		aesRows(), aeadRows(), desRows(), macRows(), digestRows(),
		rsaRows(), ecRows(), ecdhRows(), mlkemRows(), mldsaRows(), slhdsaRows(),
		deriveRows(), kbkdfRows(), secretRows()))
})

// A row is what software does with one mechanism.
type row struct {
	mech   mechanism.Mechanism // one of it, whose parameters are sound
	keys   keySet              // that it works with, or makes
	sizes  sizes               // of those keys
	flags  mechanism.Flags     // what there are functions for
	legacy mechanism.Flags     // which of that is broken or weak: only where it is asked for
	operations
}

// A scheme is what software does with the mechanisms of one type. Of the
// functions, nil is "not this operation"; the flags follow from those that there
// are.
//
// A function is called with a key that the scheme works with, of the class for
// the operation, and with a mechanism that mechanism.Check has passed, whose
// input is hashed already if mechanism.Prehash says so.
type scheme[M mechanism.Mechanism] struct {
	keys       keySet
	sizes      sizes
	legacy     mechanism.Flags
	approved   func(m M) bool // whether FIPS 140 only mode allows it with its parameters; nil: with all
	unapproved bool           // that mode never allows it

	sign          func(k *Material, m M, input []byte) ([]byte, error)
	verify        func(k *Material, m M, input, signature []byte) error
	signRecover   func(k *Material, m M, input []byte) ([]byte, error)
	verifyRecover func(k *Material, m M, signature []byte) ([]byte, error)

	mac     func(k *Material, m M) (hash.Hash, error) // of message authentication codes: signs and verifies
	macSize func(m M) int                             // the length of the code in bytes
	keeps   bool                                      // the code needs all input at once

	crypt  func(k *Material, m M, data []byte, decrypt bool) ([]byte, error) // of ciphers with secret keys: both ways
	seal   func(k *Material, m M, plain []byte) ([]byte, error)              // of others: with the public key
	open   func(k *Material, m M, sealed []byte) ([]byte, error)             // with the private key
	stream func(k *Material, m M, decrypt bool) (Stream, error)              // nil: data is kept until the end

	wrap    func(k *Material, m M, value []byte) ([]byte, error)
	unwrap  func(k *Material, m M, wrapped []byte, t object.Template) ([]byte, error)
	unwraps func(m M, t object.Template) error // whether keys of a template are unwrapped so; nil: all

	derive      func(k *Material, m M, d derivation) ([]byte, error)
	encapsulate func(k *Material, m M) (secret, ciphertext []byte, err error)
	decapsulate func(k *Material, m M, ciphertext []byte) ([]byte, error)

	digest       func(m M) hash.Hash
	generate     func(m M, length int) ([]byte, error)
	generatePair func(m M, pub object.Template) (public, private object.Template, err error)
}

// row returns the row of a mechanism of the scheme.
func (s scheme[M]) row(m M) row {
	if s.mac != nil {
		s.sign, s.verify = s.signMAC, s.verifyMAC
	}
	return row{mech: m, keys: s.keys, sizes: s.sizes, flags: s.flags(), legacy: s.legacy, operations: &typed[M]{s}}
}

// signatures returns what of the scheme signs and verifies.
func (s scheme[M]) signatures() scheme[M] {
	return scheme[M]{keys: s.keys, sizes: s.sizes, legacy: s.legacy, approved: s.approved, unapproved: s.unapproved, sign: s.sign, verify: s.verify}
}

// flags returns what there are functions for.
func (s scheme[M]) flags() (f mechanism.Flags) {
	for _, does := range []struct {
		flag mechanism.Flags
		ok   bool
	}{
		{mechanism.FlagSign, s.sign != nil},
		{mechanism.FlagVerify, s.verify != nil},
		{mechanism.FlagSignRecover, s.signRecover != nil},
		{mechanism.FlagVerifyRecover, s.verifyRecover != nil},
		{mechanism.FlagEncrypt, s.crypt != nil || s.seal != nil},
		{mechanism.FlagDecrypt, s.crypt != nil || s.open != nil},
		{mechanism.FlagWrap, s.wrap != nil},
		{mechanism.FlagUnwrap, s.unwrap != nil},
		{mechanism.FlagDerive, s.derive != nil},
		{mechanism.FlagEncapsulate, s.encapsulate != nil},
		{mechanism.FlagDecapsulate, s.decapsulate != nil},
		{mechanism.FlagDigest, s.digest != nil},
		{mechanism.FlagGenerate, s.generate != nil},
		{mechanism.FlagGenerateKeyPair, s.generatePair != nil},
	} {
		if does.ok {
			f |= does.flag
		}
	}
	if f != 0 && s.keys.onCurves() {
		f |= onCurve
	}
	return f
}

// onCurve are the flags that say how keys on elliptic curves are given.
const onCurve = mechanism.FlagECFP | mechanism.FlagECOID | mechanism.FlagECCurveName | mechanism.FlagECUncompress

// all is the legacy mark of a mechanism that is broken or weak whatever it is
// used for.
const all = ^mechanism.Flags(0)

// sizes are the bounds of the size of keys, in the mechanism's unit.
type sizes struct{ min, max uint64 }

// A keySet is a set of types of keys: of pairs, or of secret keys. Without types
// it is all secret keys.
type keySet struct {
	pair  bool
	types []object.KeyType
}

func pairs(types ...object.KeyType) keySet   { return keySet{pair: true, types: types} }
func secrets(types ...object.KeyType) keySet { return keySet{types: types} }

func (s keySet) has(key object.KeyType) bool {
	return !s.pair && len(s.types) == 0 || slices.Contains(s.types, key)
}

func (s keySet) onCurves() bool {
	return s.pair && slices.ContainsFunc(s.types, func(t object.KeyType) bool {
		return t == object.KeyEC || t == object.KeyECEdwards || t == object.KeyECMontgomery
	})
}

// The operations of the two halves of a pair.
const (
	publicUses = mechanism.FlagVerify | mechanism.FlagVerifyRecover | mechanism.FlagEncrypt | mechanism.FlagWrap |
		mechanism.FlagEncapsulate
	privateUses = mechanism.FlagSign | mechanism.FlagSignRecover | mechanism.FlagDecrypt | mechanism.FlagUnwrap |
		mechanism.FlagDerive | mechanism.FlagDecapsulate
)

// class returns the class of the keys that do one operation.
func (s keySet) class(use mechanism.Flags) object.Class {
	switch {
	case !s.pair:
		return object.ClassSecretKey
	case use&publicUses != 0:
		return object.ClassPublicKey
	}
	return object.ClassPrivateKey
}

// uses returns which operations keys of a class do.
func (s keySet) uses(class object.Class) mechanism.Flags {
	switch {
	case s.pair && class == object.ClassPublicKey:
		return publicUses
	case s.pair && class == object.ClassPrivateKey:
		return privateUses
	case !s.pair && class == object.ClassSecretKey:
		return publicUses | privateUses
	}
	return 0
}

// An index finds rows by their mechanism's type, of which the last 8 bits are the
// place on a page: it is asked for every operation.
type index struct {
	pages [0x41]*[256]*row
}

// newIndex indexes rows. Those of mechanisms that the standard does not have, as
// ECDSA with some hash functions, are left out.
func newIndex(rows []row) *index {
	x := new(index)
	for i := range rows {
		t := rows[i].mech.Type()
		if t == mechanism.Unavailable {
			continue
		}
		page := &x.pages[t>>8]
		if *page == nil {
			*page = new([256]*row)
		}
		if (*page)[t&0xff] != nil {
			panic("soft: two rows of " + t.String())
		}
		(*page)[t&0xff] = &rows[i]
	}
	return x
}

// row returns the row of a mechanism, or nil.
func (x *index) row(t mechanism.Type) *row {
	if page := t >> 8; page < mechanism.Type(len(x.pages)) && x.pages[page] != nil {
		return x.pages[page][t&0xff]
	}
	return nil
}

// all returns all rows.
func (x *index) all() iter.Seq2[mechanism.Type, *row] {
	return func(yield func(mechanism.Type, *row) bool) {
		for _, page := range x.pages {
			if page == nil {
				continue
			}
			for _, r := range page {
				if r != nil && !yield(r.mech.Type(), r) {
					return
				}
			}
		}
	}
}

// operations is a scheme of which only it knows the type of mechanism. What the
// scheme has no function for, and mechanisms of other types, are
// ckr.MechanismInvalid.
type operations interface {
	allowed(m mechanism.Mechanism) bool
	sign(k *Material, m mechanism.Mechanism, input []byte) ([]byte, error)
	verify(k *Material, m mechanism.Mechanism, input, signature []byte) error
	verifyRecover(k *Material, m mechanism.Mechanism, signature []byte) ([]byte, error)
	mac(k *Material, m mechanism.Mechanism) (hash.Hash, error)
	macSize(m mechanism.Mechanism) int
	streamsMAC() bool
	seal(k *Material, m mechanism.Mechanism, plain []byte) ([]byte, error)
	open(k *Material, m mechanism.Mechanism, sealed []byte) ([]byte, error)
	stream(k *Material, m mechanism.Mechanism, decrypt bool) (Stream, error) // nil if there is none
	wrap(k *Material, m mechanism.Mechanism, value []byte) ([]byte, error)
	unwrap(k *Material, m mechanism.Mechanism, wrapped []byte, t object.Template) ([]byte, error)
	unwraps(m mechanism.Mechanism, t object.Template) error
	derive(k *Material, m mechanism.Mechanism, d derivation) ([]byte, error)
	encapsulate(k *Material, m mechanism.Mechanism) (secret, ciphertext []byte, err error)
	decapsulate(k *Material, m mechanism.Mechanism, ciphertext []byte) ([]byte, error)
	digest(m mechanism.Mechanism) (hash.Hash, error)
	generate(m mechanism.Mechanism, length int) ([]byte, error)
	generatePair(m mechanism.Mechanism, pub object.Template) (public, private object.Template, err error)
}

func unsupported(mech mechanism.Mechanism) error {
	return ckr.Newf(ckr.MechanismInvalid, mech.Type().String(), "software does not do it here")
}

// typed are the operations of a scheme.
type typed[M mechanism.Mechanism] struct{ does scheme[M] }

// one calls a function that makes bytes of bytes.
func one[M mechanism.Mechanism](f func(*Material, M, []byte) ([]byte, error), k *Material, m mechanism.Mechanism, in []byte) ([]byte, error) {
	own, ok := m.(M)
	if !ok || f == nil {
		return nil, unsupported(m)
	}
	return f(k, own, in)
}

func (t *typed[M]) sign(k *Material, m mechanism.Mechanism, input []byte) ([]byte, error) {
	return one(t.does.sign, k, m, input)
}

func (t *typed[M]) verifyRecover(k *Material, m mechanism.Mechanism, signature []byte) ([]byte, error) {
	return one(t.does.verifyRecover, k, m, signature)
}

func (t *typed[M]) seal(k *Material, m mechanism.Mechanism, plain []byte) ([]byte, error) {
	own, ok := m.(M)
	if !ok {
		return nil, unsupported(m)
	}
	return t.encrypt(k, own, plain)
}

func (t *typed[M]) open(k *Material, m mechanism.Mechanism, sealed []byte) ([]byte, error) {
	own, ok := m.(M)
	if !ok {
		return nil, unsupported(m)
	}
	return t.decrypt(k, own, sealed)
}

func (t *typed[M]) encrypt(k *Material, m M, plain []byte) ([]byte, error) {
	switch {
	case t.does.crypt != nil:
		return t.does.crypt(k, m, plain, false)
	case t.does.seal != nil:
		return t.does.seal(k, m, plain)
	}
	return nil, unsupported(m)
}

func (t *typed[M]) decrypt(k *Material, m M, sealed []byte) ([]byte, error) {
	switch {
	case t.does.crypt != nil:
		return t.does.crypt(k, m, sealed, true)
	case t.does.open != nil:
		return t.does.open(k, m, sealed)
	}
	return nil, unsupported(m)
}

func (t *typed[M]) wrap(k *Material, m mechanism.Mechanism, value []byte) ([]byte, error) {
	return one(t.does.wrap, k, m, value)
}

func (t *typed[M]) decapsulate(k *Material, m mechanism.Mechanism, ciphertext []byte) ([]byte, error) {
	return one(t.does.decapsulate, k, m, ciphertext)
}

func (t *typed[M]) allowed(m mechanism.Mechanism) bool {
	own, ok := m.(M)
	return !ok || !t.does.unapproved && (t.does.approved == nil || t.does.approved(own))
}

func (t *typed[M]) verify(k *Material, m mechanism.Mechanism, input, signature []byte) error {
	own, ok := m.(M)
	if !ok || t.does.verify == nil {
		return unsupported(m)
	}
	return t.does.verify(k, own, input, signature)
}

func (t *typed[M]) mac(k *Material, m mechanism.Mechanism) (hash.Hash, error) {
	own, ok := m.(M)
	if !ok || t.does.mac == nil {
		return nil, unsupported(m)
	}
	return t.does.mac(k, own)
}

func (t *typed[M]) macSize(m mechanism.Mechanism) int {
	own, ok := m.(M)
	if !ok || t.does.macSize == nil {
		return 0
	}
	return t.does.macSize(own)
}

func (t *typed[M]) streamsMAC() bool { return t.does.mac != nil && !t.does.keeps }

func (t *typed[M]) stream(k *Material, m mechanism.Mechanism, decrypt bool) (Stream, error) {
	own, ok := m.(M)
	switch {
	case !ok:
		return nil, unsupported(m)
	case t.does.stream == nil:
		return nil, nil
	}
	return t.does.stream(k, own, decrypt)
}

func (t *typed[M]) unwrap(k *Material, m mechanism.Mechanism, wrapped []byte, tmpl object.Template) ([]byte, error) {
	own, ok := m.(M)
	if !ok || t.does.unwrap == nil {
		return nil, unsupported(m)
	}
	return t.does.unwrap(k, own, wrapped, tmpl)
}

func (t *typed[M]) unwraps(m mechanism.Mechanism, tmpl object.Template) error {
	own, ok := m.(M)
	switch {
	case !ok || t.does.unwrap == nil:
		return unsupported(m)
	case t.does.unwraps == nil:
		return nil
	}
	return t.does.unwraps(own, tmpl)
}

func (t *typed[M]) derive(k *Material, m mechanism.Mechanism, d derivation) ([]byte, error) {
	own, ok := m.(M)
	if !ok || t.does.derive == nil {
		return nil, unsupported(m)
	}
	return t.does.derive(k, own, d)
}

func (t *typed[M]) encapsulate(k *Material, m mechanism.Mechanism) (secret, ciphertext []byte, err error) {
	own, ok := m.(M)
	if !ok || t.does.encapsulate == nil {
		return nil, nil, unsupported(m)
	}
	return t.does.encapsulate(k, own)
}

func (t *typed[M]) digest(m mechanism.Mechanism) (hash.Hash, error) {
	own, ok := m.(M)
	if !ok || t.does.digest == nil {
		return nil, unsupported(m)
	}
	return t.does.digest(own), nil
}

func (t *typed[M]) generate(m mechanism.Mechanism, length int) ([]byte, error) {
	own, ok := m.(M)
	if !ok || t.does.generate == nil {
		return nil, unsupported(m)
	}
	return t.does.generate(own, length)
}

func (t *typed[M]) generatePair(m mechanism.Mechanism, pub object.Template) (public, private object.Template, err error) {
	own, ok := m.(M)
	if !ok || t.does.generatePair == nil {
		return nil, nil, unsupported(m)
	}
	return t.does.generatePair(own, pub)
}
