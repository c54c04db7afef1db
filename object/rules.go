package object

import (
	"cmp"
	"iter"
	"slices"
	"sync"
)

// Footnote is a set of rules on an attribute: the numbered footnotes of PKCS
// #11 v3.2 §4.1 and what the text says beside them.
type Footnote uint16

// The footnotes, with their numbers in the standard.
const (
	MustCreate        Footnote = 1 << iota // 1: must be given to C_CreateObject
	NotCreate                              // 2: must not be
	MustGenerate                           // 3: must be given when generating
	NotGenerate                            // 4: must not be
	MustUnwrap                             // 5: must be given to C_UnwrapKey
	NotUnwrap                              // 6: must not be
	HiddenIfSensitive                      // 7: not shown of sensitive or unextractable keys
	Modifiable                             // 8: may be changed by C_SetAttributeValue
	Copyable                               // may be changed by C_CopyObject
	TokenDefault                           // 9: the token chooses the default
	SOOnlyTrue                             // 10: only the security officer may set it true
	StickyTrue                             // 11: once true, stays so
	StickyFalse                            // 12: once false, stays so
	ModuleMade                             // 13: made by the module for key pairs
)

// Has reports whether all footnotes of want are set.
func (f Footnote) Has(want Footnote) bool { return f&want == want }

// Rule is what the standard says of an attribute in objects of some class.
type Rule struct {
	Type  Type
	Kind  Kind
	Notes Footnote
}

// scope says which objects a row of the table speaks of, from the widest.
type scope uint8

const (
	scopeAll     scope = iota // every object
	scopeStorage              // objects that a token or session stores
	scopeKey                  // public, private and secret keys
	scopeClass                // one class
	scopeSub                  // one type of key, certificate or feature
)

type ruleRow struct {
	scope scope
	class Class
	sub   uint64
	rule  Rule
}

// extraRules has what the tables lack and callers use: the public point of an
// EC private key, which tokens need where they cannot compute it.
var extraRules = [...]ruleRow{
	{scopeSub, ClassPrivateKey, uint64(KeyEC), Rule{AttrECPoint.Type, KindBytes, NotGenerate | NotUnwrap}},
	{scopeSub, ClassPrivateKey, uint64(KeyECEdwards), Rule{AttrECPoint.Type, KindBytes, NotGenerate | NotUnwrap}},
	{scopeSub, ClassPrivateKey, uint64(KeyECMontgomery), Rule{AttrECPoint.Type, KindBytes, NotGenerate | NotUnwrap}},
}

// RuleSet is the rules for the objects of one class and type.
type RuleSet struct {
	class      Class
	sub        uint64
	permissive bool // the class, or the type within it, has no table

	// Of a set that is known, all its rules in the order of their types.
	rules []Rule
}

// setKey names a set of rules.
type setKey struct {
	class Class
	sub   uint64
}

// known holds the sets that have tables, which are as many as the standard has
// types, by setKey.
var known sync.Map

// Rules returns the rules for objects of a class. sub is the key type,
// certificate type or hardware feature type within it, where the class has
// them. The rules of a type go before those of its class, and those before the
// general ones. Classes and types that the standard has no table for, as those
// of a token's maker, get a permissive set: any attribute is allowed, and
// those that any key hides are hidden.
func Rules(class Class, sub uint64) *RuleSet {
	key := setKey{class, sub}
	if s, ok := known.Load(key); ok {
		return s.(*RuleSet)
	}
	s := &RuleSet{class: class, sub: sub}
	if s.permissive = !slices.ContainsFunc(ruleTable[:], s.specific); s.permissive {
		return s
	}
	for _, a := range attributes {
		if rule, ok := s.search(a.typ); ok {
			s.rules = append(s.rules, rule)
		}
	}
	known.Store(key, s)
	return s
}

// RulesOf returns the rules for the object that a template describes.
func RulesOf(t Template) *RuleSet {
	class := ^Class(0)
	if a, ok := t.Lookup(AttrClass.Type); ok {
		if n, ok := decodeUlong(a.value); ok {
			class = Class(n)
		}
	}
	return Rules(class, subOf(class, t))
}

// noSub is the type of an object whose template does not tell.
const noSub = ^uint64(0)

// subOf returns the type within the class.
func subOf(class Class, t Template) uint64 {
	number := func(typ Type) uint64 {
		if a, ok := t.Lookup(typ); ok {
			if n, ok := decodeUlong(a.value); ok {
				return n
			}
		}
		return noSub
	}
	switch class {
	case ClassPublicKey, ClassPrivateKey, ClassSecretKey, ClassOTPKey, ClassDomainParameters:
		return number(AttrKeyType.Type)
	case ClassCertificate:
		return number(AttrCertificateType.Type)
	case ClassHWFeature:
		return number(AttrHWFeatureType.Type)
	case ClassMechanism:
		return number(AttrMechanismType.Type)
	}
	return noSub
}

// typed reports whether objects of the class have a type within it that
// brings attributes of its own.
func (c Class) typed() bool {
	switch c {
	case ClassPublicKey, ClassPrivateKey, ClassSecretKey, ClassCertificate, ClassDomainParameters, ClassHWFeature:
		return true
	}
	return false
}

// stored reports whether the objects are storage objects, which have a label
// and may be private (PKCS #11 v3.2 §4.4).
func (c Class) stored() bool {
	switch c {
	case ClassHWFeature, ClassMechanism, ClassProfile, ClassValidation:
		return false
	}
	return true
}

// specific reports whether a row is what makes the set known.
func (s *RuleSet) specific(row ruleRow) bool {
	if row.class != s.class || row.scope < scopeClass {
		return false
	}
	return row.scope == scopeSub && row.sub == s.sub || row.scope == scopeClass && !s.class.typed()
}

// applies reports whether a row speaks of the objects of the set.
func (s *RuleSet) applies(row ruleRow) bool {
	switch row.scope {
	case scopeAll:
		return true
	case scopeStorage:
		return s.class.stored()
	case scopeKey:
		return s.class.IsKey() || s.class == ClassOTPKey
	case scopeClass:
		return row.class == s.class
	}
	return row.class == s.class && row.sub == s.sub
}

// rowsOf returns the rows of one attribute.
func rowsOf(t Type) []ruleRow {
	i, _ := slices.BinarySearchFunc(ruleTable[:], t, func(r ruleRow, t Type) int { return cmp.Compare(r.rule.Type, t) })
	j := i
	for j < len(ruleTable) && ruleTable[j].rule.Type == t {
		j++
	}
	return ruleTable[i:j]
}

// Lookup returns the rule for an attribute. ok is false if such objects do
// not have it.
func (s *RuleSet) Lookup(t Type) (rule Rule, ok bool) {
	if s.rules == nil {
		rule, ok = s.search(t)
	} else {
		var i int
		i, ok = slices.BinarySearchFunc(s.rules, t, func(r Rule, t Type) int { return cmp.Compare(r.Type, t) })
		if ok {
			return s.rules[i], true
		}
	}
	if ok {
		return rule, true
	}
	if t.Vendor() {
		return Rule{Type: t, Kind: KindBytes, Notes: Modifiable | Copyable}, true
	}
	if s.permissive && t.Known() {
		return Rule{Type: t, Kind: t.Kind(), Notes: s.anyHides(t)}, true
	}
	return Rule{}, false
}

// search looks a rule up in the tables: that of the narrowest scope.
func (s *RuleSet) search(t Type) (rule Rule, ok bool) {
	widest := scope(0)
	for _, rows := range [...][]ruleRow{rowsOf(t), extraRules[:]} {
		for _, row := range rows {
			if row.rule.Type == t && s.applies(row) && (!ok || row.scope >= widest) {
				rule, ok, widest = row.rule, true, row.scope
			}
		}
	}
	return rule, ok
}

// anyHides returns the footnote that hides an attribute if any key has it.
func (s *RuleSet) anyHides(t Type) Footnote {
	if row, _ := find(t); row.secret {
		return HiddenIfSensitive
	}
	return 0
}

// All goes over the rules of all attributes that such objects have by the
// standard, in the order of their numbers.
func (s *RuleSet) All() iter.Seq[Rule] {
	return func(yield func(Rule) bool) {
		if s.rules != nil {
			for _, rule := range s.rules {
				if !yield(rule) {
					return
				}
			}
			return
		}
		for _, a := range attributes {
			if rule, ok := s.Lookup(a.typ); ok && !yield(rule) {
				return
			}
		}
	}
}
