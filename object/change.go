package object

import (
	"github.com/go-cryptoki/cryptoki/ckr"
)

// CheckSet checks the changes of C_SetAttributeValue to an object (PKCS #11
// v3.2 §5.7.6), where current is what is known of it and so says that the
// security officer is logged in.
//
// It returns ckr.ActionProhibited if the object is not modifiable,
// ckr.AttributeReadOnly for an attribute that cannot change or not in this
// direction, ckr.AttributeTypeInvalid for one that such objects do not have,
// and ckr.AttributeValueInvalid and ckr.TemplateInconsistent for wrong values.
//
// Beyond the standard, data objects may change their value, and keys keep the
// roles that they were made with: CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP and
// CKA_UNWRAP never change, since a key that wraps today and decrypts tomorrow
// shows what it wrapped.
func CheckSet(current Template, changes []Attribute, so bool) error {
	const op = "set attributes"
	if modifiable, ok := In(current, AttrModifiable); ok && !modifiable {
		return ckr.Newf(ckr.ActionProhibited, op, "the object is not modifiable")
	}
	t := Template(changes)
	if err := t.Validate(); err != nil {
		return ckr.New(ckr.OK, op, err)
	}
	rules := RulesOf(current)
	for _, a := range t {
		if err := rules.checkSet(current, a, so); err != nil {
			return ckr.New(ckr.OK, op, err)
		}
	}
	changed := current.With(changes...)
	if err := consistent(changed); err != nil {
		return ckr.New(ckr.OK, op, err)
	}
	if t.Has(AttrPublicKeyInfo.Type) {
		if _, err := Finish(changed); err != nil {
			return ckr.New(ckr.OK, op, err)
		}
	}
	return nil
}

// checkSet checks one change.
func (s *RuleSet) checkSet(current Template, a Attribute, so bool) error {
	rule, ok := s.Lookup(a.Type)
	switch {
	case !ok:
		return ckr.Newf(ckr.AttributeTypeInvalid, a.Type.String(), "a %s does not have it", s.class.words())
	case a.Type == AttrTrusted.Type && so && !s.trustedCertificate(current):
		return nil
	case s.class == ClassCertificate && Is(current, AttrTrusted):
		return ckr.Newf(ckr.AttributeReadOnly, a.Type.String(), "the certificate is trusted")
	case a.Type == AttrWrapWithTrusted.Type && isTrue(a): // footnote 11: it may tighten
		return nil
	case !rule.Notes.Has(Modifiable) && !s.dataContent(a.Type):
		return ckr.New(ckr.AttributeReadOnly, a.Type.String(), nil)
	}
	return s.checkDirection(rule, current, a)
}

func (s *RuleSet) trustedCertificate(current Template) bool {
	return s.class == ClassCertificate && Is(current, AttrTrusted)
}

// dataContent reports whether the attribute is what a data object is for. The
// table has no footnote there, and tokens let it change.
func (s *RuleSet) dataContent(t Type) bool {
	return s.class == ClassData && (t == AttrValue.Type || t == AttrApplication.Type || t == AttrObjectID.Type)
}

// checkDirection refuses changes that loosen what only tightens, and changes
// of roles.
func (s *RuleSet) checkDirection(rule Rule, current Template, a Attribute) error {
	old, ok := current.Lookup(a.Type)
	if ok && old.Equal(a) {
		return nil
	}
	was, is := ok && isTrue(old), isTrue(a)
	switch {
	case rule.Notes.Has(StickyTrue) && was && !is,
		rule.Notes.Has(StickyFalse) && ok && !was && is:
		return ckr.Newf(ckr.AttributeReadOnly, a.Type.String(), "it only tightens")
	case s.class.IsKey() && role(a.Type) && (ok || is):
		return ckr.Newf(ckr.AttributeReadOnly, a.Type.String(), "a key keeps its roles")
	}
	return nil
}

// role reports whether the attribute says in which direction a key turns
// other keys into data.
func role(t Type) bool {
	switch t {
	case AttrEncrypt.Type, AttrDecrypt.Type, AttrWrap.Type, AttrUnwrap.Type:
		return true
	}
	return false
}

// Copy checks the changes of C_CopyObject (PKCS #11 v3.2 §5.7.2) and returns
// the template of the copy, where current is what is known of the object,
// secret values included, and so says that the security officer is logged in.
// CKA_UNIQUE_ID of the copy is the caller's to give; only the security
// officer's copies stay trusted. The result shares the bytes of both.
//
// Beside what may be set, a copy may have another CKA_TOKEN, CKA_PRIVATE,
// CKA_MODIFIABLE and CKA_DESTROYABLE, and may give CKA_COPYABLE up. It returns
// ckr.ActionProhibited if the object is not copyable, ckr.TemplateInconsistent
// for a public copy of a private object, and otherwise what [CheckSet]
// returns. A value that is the old one is no change.
func Copy(current Template, changes []Attribute, so bool) (Template, error) {
	const op = "copy"
	if copyable, ok := In(current, AttrCopyable); ok && !copyable {
		return nil, ckr.Newf(ckr.ActionProhibited, op, "the object is not copyable")
	}
	t := Template(changes)
	if err := t.Validate(); err != nil {
		return nil, ckr.New(ckr.OK, op, err)
	}
	if key, _ := In(current, AttrKeyType); key.stateful() && Is(current, AttrSign) {
		return nil, ckr.Newf(ckr.ActionProhibited, op, "two keys with one state sign twice with its parts")
	}
	rules := RulesOf(current)
	for _, a := range t {
		if err := rules.checkCopy(current, a, so); err != nil {
			return nil, ckr.New(ckr.OK, op, err)
		}
	}
	result := current.With(changes...).Without(AttrUniqueID.Type)
	if !so && result.Has(AttrTrusted.Type) {
		result = result.With(AttrTrusted.Is(false))
	}
	if err := consistent(result); err != nil {
		return nil, ckr.New(ckr.OK, op, err)
	}
	if t.Has(AttrPublicKeyInfo.Type) {
		var err error
		if result, err = Finish(result); err != nil {
			return nil, ckr.New(ckr.OK, op, err)
		}
	}
	return result, nil
}

// checkCopy checks one change of a copy.
func (s *RuleSet) checkCopy(current Template, a Attribute, so bool) error {
	rule, ok := s.Lookup(a.Type)
	old, has := current.Lookup(a.Type)
	switch {
	case !ok:
		return ckr.Newf(ckr.AttributeTypeInvalid, a.Type.String(), "a %s does not have it", s.class.words())
	case computed(a.Type):
		return ckr.New(ckr.AttributeReadOnly, a.Type.String(), nil)
	case a.Type == AttrTrusted.Type && isTrue(a) && !so:
		return ckr.Newf(ckr.AttributeReadOnly, a.Type.String(), "only the security officer sets it")
	case has && old.Equal(a) && !Hidden(current, a.Type): // equality must not confirm a guess
		return nil
	case a.Type == AttrPrivate.Type && Is(current, AttrPrivate):
		return ckr.Newf(ckr.TemplateInconsistent, a.Type.String(), "a copy of a private object is private")
	case a.Type == AttrModifiable.Type && isTrue(a) && s.secretKey():
		return ckr.Newf(ckr.AttributeReadOnly, a.Type.String(), "it only tightens")
	case a.Type == AttrTrusted.Type, a.Type == AttrCopyable.Type && !isTrue(a), a.Type == AttrWrapWithTrusted.Type && isTrue(a):
		return nil
	case !rule.Notes.Has(Copyable) && !s.dataContent(a.Type):
		return ckr.New(ckr.AttributeReadOnly, a.Type.String(), nil)
	}
	return s.checkDirection(rule, current, a)
}

func (s *RuleSet) secretKey() bool { return s.class == ClassPrivateKey || s.class == ClassSecretKey }
