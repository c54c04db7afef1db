package object

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// Complete checks a template for making an object and returns it completed:
// with the class that the origin implies, the defaults of the standard and,
// where it leaves them open, ours, and what follows from the key's value if the
// template has it (see [Finish]). so says that the security officer is logged
// in. The rules are those of PKCS #11 v3.2 §4.1.1 and §4.1.2 and of the tables
// of chapters 4 and 6.
//
// Our defaults: private and secret keys are private, sensitive and
// unextractable; unwrapped keys are extractable, as the standard has it. A
// template that names no use gets the usual ones of the key type; otherwise
// uses not named are off.
//
// It returns ckr.TemplateIncomplete if an attribute is missing,
// ckr.AttributeReadOnly for one that only the token or the security officer
// gives, ckr.AttributeTypeInvalid for one that such objects do not have,
// ckr.AttributeValueInvalid and ckr.TemplateInconsistent for values that are
// wrong in themselves or beside others, and what [Finish] and
// [Template.Validate] return. The result shares the bytes of t.
//
// CKA_UNIQUE_ID, and CKA_KEY_GEN_MECHANISM of generated keys, are left to the
// token; keys derived from others take more from [Inherit].
func Complete(o Origin, t Template, so bool) (Template, error) {
	t, err := o.complete(t, so)
	if err != nil {
		return nil, ckr.New(ckr.OK, o.String(), err)
	}
	return t, nil
}

func (o Origin) complete(t Template, so bool) (Template, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	t, err := o.identify(t.unique())
	if err != nil {
		return nil, err
	}
	rules := RulesOf(t)
	if err := o.checkGiven(rules, t, so); err != nil {
		return nil, err
	}
	if err := o.checkMissing(rules, t); err != nil {
		return nil, err
	}
	t = o.defaults(t)
	if err := consistent(t); err != nil {
		return nil, err
	}
	return Finish(t)
}

// identify gives the template its class and type, and refuses those that
// cannot be made.
func (o Origin) identify(t Template) (Template, error) {
	t, err := Imply(o, t, noMechanism)
	if err != nil {
		return nil, err
	}
	class, ok := In(t, AttrClass)
	if !ok {
		return nil, ckr.New(ckr.TemplateIncomplete, AttrClass.String(), nil)
	}
	switch {
	case class >= ClassVendorDefined: // a token's maker knows
	case class > ClassTrust:
		return nil, ckr.Newf(ckr.AttributeValueInvalid, AttrClass.String(), "no such class")
	case !class.stored(), o == Unwrapped && class != ClassPrivateKey && class != ClassSecretKey:
		return nil, ckr.Newf(ckr.TemplateInconsistent, AttrClass.String(), "objects of class %s are not made so", class)
	}
	if o == Derived {
		t = t.Default(AttrKeyType.Is(KeyGenericSecret))
	}
	return t, checkSubtype(class, t)
}

// noMechanism implies nothing.
const noMechanism = mechanism.Unavailable

// checkSubtype refuses types that the standard does not have, and key types
// that other classes have: an RSA secret key.
func checkSubtype(class Class, t Template) error {
	if certificate, ok := In(t, AttrCertificateType); ok && certificate > CertificateWTLS && certificate < CertificateVendorDefined {
		return ckr.Newf(ckr.AttributeValueInvalid, AttrCertificateType.String(), "no such type")
	}
	key, ok := In(t, AttrKeyType)
	if !ok || key >= KeyVendorDefined {
		return nil
	}
	if _, known := parse(keyTypeNames[:], key.String()); !known {
		return ckr.Newf(ckr.AttributeValueInvalid, AttrKeyType.String(), "no such type")
	}
	here, elsewhere := false, false
	for _, row := range ruleTable {
		if row.scope == scopeSub && row.class.hasKeyType() && row.sub == uint64(key) {
			here = here || row.class == class
			elsewhere = elsewhere || row.class != class
		}
	}
	if elsewhere && !here && class.hasKeyType() {
		return ckr.Newf(ckr.TemplateInconsistent, AttrKeyType.String(), "%s is no type of a %s", key, class.words())
	}
	return nil
}

func (c Class) hasKeyType() bool { return c.IsKey() || c == ClassDomainParameters || c == ClassOTPKey }

// checkGiven looks at each attribute that the template has.
func (o Origin) checkGiven(rules *RuleSet, t Template, so bool) error {
	_, not := o.notes()
	for _, a := range t {
		rule, ok := rules.Lookup(a.Type)
		switch {
		case !ok:
			return ckr.Newf(ckr.AttributeTypeInvalid, a.Type.String(), "a %s does not have it", rules.class.words())
		case rule.Notes.Has(not):
			return ckr.New(ckr.AttributeReadOnly, a.Type.String(), nil)
		case o == Created && computed(a.Type):
			return ckr.New(ckr.AttributeReadOnly, a.Type.String(), nil)
		case rule.Notes.Has(SOOnlyTrue) && !so && isTrue(a):
			return ckr.Newf(ckr.AttributeReadOnly, a.Type.String(), "only the security officer sets it")
		}
	}
	return nil
}

// computed reports whether the attribute tells where a key comes from, which
// only the token can say.
func computed(t Type) bool {
	switch t {
	case AttrUniqueID.Type, AttrLocal.Type, AttrAlwaysSensitive.Type, AttrNeverExtractable.Type, AttrKeyGenMechanism.Type:
		return true
	}
	return false
}

func isTrue(a Attribute) bool {
	v, ok := decodeBool(a.value)
	return ok && v
}

// checkMissing looks for the attributes that the template must have.
func (o Origin) checkMissing(rules *RuleSet, t Template) error {
	must, _ := o.notes()
	for rule := range rules.All() {
		if rule.Notes.Has(must) && !t.Has(rule.Type) && !excused(rules, t, rule.Type) {
			return ckr.New(ckr.TemplateIncomplete, rule.Type.String(), nil)
		}
	}
	return missingBesides(rules, t)
}

// excused reports whether the text lets an attribute be missing that its
// footnote asks for: the value of a certificate that is found by its URL, the
// value of a key that comes from its seed.
func excused(rules *RuleSet, t Template, typ Type) bool {
	if typ != AttrValue.Type {
		return false
	}
	if rules.class == ClassCertificate {
		url, _ := In(t, AttrURL)
		return url != ""
	}
	return rules.class == ClassPrivateKey && t.Has(AttrSeed.Type)
}

// missingBesides has what the text asks for beyond footnotes.
func missingBesides(rules *RuleSet, t Template) error {
	switch rules.class {
	case ClassCertificate:
		return missingHashes(t)
	case ClassTrust:
		return missingTrustHash(t)
	}
	return nil
}
