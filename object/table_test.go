package object_test

import (
	"fmt"

	"slices"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/spec"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// subject is one kind of object of the table: a class, and a type within it.
type subject struct{ class, sub string }

func (s subject) String() string { return s.class + " " + s.sub }

// table is attributes.tsv: the rows of each subject, by attribute.
type table map[subject]map[string]map[string]string

func readTable(t *testing.T) (table, []string) {
	rows := table{}
	seen := map[string]bool{}
	for _, row := range must(spec.Rows("attributes.tsv")) {
		s := subject{row["object_class"], row["key_type"]}
		if rows[s] == nil {
			rows[s] = map[string]map[string]string{}
		}
		rows[s][row["attribute"]] = row
		seen[row["attribute"]] = true
	}
	var attributes []string
	for a := range seen {
		attributes = append(attributes, a)
	}
	slices.Sort(attributes)
	return rows, attributes
}

// row returns what the table says of an attribute of a subject: the row of the
// narrowest scope, or nil.
func (rows table) row(s subject, attribute string) map[string]string {
	scopes := []subject{s, {s.class, "-"}}
	switch s.class {
	case "CKO_PUBLIC_KEY", "CKO_PRIVATE_KEY", "CKO_SECRET_KEY", "CKO_OTP_KEY":
		scopes = append(scopes, subject{"KEY", "-"})
	}
	scopes = append(scopes, subject{"STORAGE", "-"}, subject{"ALL", "-"})
	for _, scope := range scopes {
		if row := rows[scope][attribute]; row != nil {
			return row
		}
	}
	return nil
}

// lengths of the values of types that have one.
var lengths = map[string]int{
	"CKK_AES": 16, "CKK_AES_XTS": 32, "CKK_DES": 8, "CKK_DES2": 16, "CKK_DES3": 24, "CKK_CHACHA20": 32, "CKK_POLY1305": 32,
	"CKO_PUBLIC_KEY CKK_ML_DSA": 1312, "CKO_PRIVATE_KEY CKK_ML_DSA": 2560, "CKO_PUBLIC_KEY CKK_ML_KEM": 800,
	"CKO_PRIVATE_KEY CKK_ML_KEM": 1632, "CKO_PUBLIC_KEY CKK_SLH_DSA": 32, "CKO_PRIVATE_KEY CKK_SLH_DSA": 64,
	"CKO_PRIVATE_KEY CKK_EC_MONTGOMERY": 32, "CKO_PRIVATE_KEY CKK_EC_EDWARDS": 32,
}

// sample is a value of an attribute that makes sense for a subject.
func sample(s subject, typ object.Type) object.Attribute {
	if own := ready(s); own != nil {
		if a, ok := own.Lookup(typ); ok {
			return a
		}
	}
	switch typ {
	case object.AttrValue.Type:
		return object.Raw(typ, counted(s.length()))
	case object.AttrValueLen.Type:
		return object.AttrValueLen.Is(uint64(s.length()))
	case object.AttrModulusBits.Type:
		return object.AttrModulusBits.Is(2048)
	case object.AttrParameterSet.Type:
		return object.AttrParameterSet.Is(1)
	case object.AttrAllowedMechanisms.Type:
		return object.AttrAllowedMechanisms.Is([]mechanism.Type{mechanism.TypeAESGCM})
	case object.AttrSeed.Type:
		return object.Raw(typ, counted(map[string]int{"CKK_ML_KEM": 64, "CKK_ML_DSA": 32}[s.sub]))
	}
	switch typ.Kind() {
	case object.KindBool:
		return object.Raw(typ, []byte{0})
	case object.KindUlong:
		return object.Raw(typ, make([]byte, 8))
	case object.KindTemplate:
		return object.Attr[object.Template]{Type: typ}.Is(object.Template{object.AttrLabel.Is("nested")})
	case object.KindUlongArray, object.KindDate:
		return object.Raw(typ, nil)
	case object.KindVersion:
		return object.Raw(typ, []byte{3, 2})
	case object.KindString:
		return object.Raw(typ, []byte("text"))
	}
	return object.Raw(typ, counted(16))
}

// length is how long the value of a subject is.
func (s subject) length() int {
	for _, key := range []string{s.String(), s.sub} {
		if n, ok := lengths[key]; ok {
			return n
		}
	}
	return 16
}

func counted(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i + 1)
	}
	return b
}

// ready are the templates of subjects whose values belong together.
func ready(s subject) object.Template {
	curve := func(name string) object.Attribute {
		c, _ := object.CurveByName(name)
		return object.AttrECParams.Is(c.Params())
	}
	switch s.String() {
	case "CKO_PRIVATE_KEY CKK_RSA":
		return rsaPrivate()
	case "CKO_PUBLIC_KEY CKK_RSA":
		return rsaPublic()
	case "CKO_PRIVATE_KEY CKK_EC":
		return ecPrivate()
	case "CKO_PUBLIC_KEY CKK_EC":
		return ecPublic()
	case "CKO_CERTIFICATE CKC_X_509":
		return certificate()
	case "CKO_PRIVATE_KEY CKK_EC_EDWARDS":
		return object.Template{curve("Ed25519")}
	case "CKO_PRIVATE_KEY CKK_EC_MONTGOMERY":
		return object.Template{curve("X25519")}
	case "CKO_PUBLIC_KEY CKK_EC_EDWARDS":
		base := make([]byte, 32)
		for i := range base {
			base[i] = 0x66
		}
		base[0] = 0x58 // the base point
		return object.Template{curve("Ed25519"), object.AttrECPoint.Is(object.EncodePoint(base))}
	case "CKO_PUBLIC_KEY CKK_EC_MONTGOMERY":
		return object.Template{curve("X25519"), object.AttrECPoint.Is(object.EncodePoint(counted(32)))}
	}
	return nil
}

// identity names a subject in a template.
func (s subject) identity() (object.Template, bool) {
	class, ok := object.ParseClass(s.class)
	if !ok {
		return nil, false
	}
	t := object.Template{object.AttrClass.Is(class)}
	if key, ok := object.ParseKeyType(s.sub); ok {
		return append(t, object.AttrKeyType.Is(key)), true
	}
	if c, ok := object.ParseCertificateType(s.sub); ok {
		return append(t, object.AttrCertificateType.Is(c)), true
	}
	return t, s.sub == "-" && (s.class == "CKO_DATA" || s.class == "CKO_TRUST")
}

// way is one way of making an object, with the columns that speak of it.
type way struct {
	origin    object.Origin
	must, not string
}

// ways has the ways in which objects of a class are made.
func (s subject) ways() []way {
	create := way{object.Created, "must_at_create", "not_at_create"}
	generate := func(o object.Origin) way { return way{o, "must_at_generate", "not_at_generate"} }
	unwrap := func(o object.Origin) way { return way{o, "must_at_unwrap", "not_at_unwrap"} }
	switch s.class {
	case "CKO_PUBLIC_KEY":
		return []way{create, generate(object.GeneratedPublic)}
	case "CKO_PRIVATE_KEY":
		return []way{create, generate(object.GeneratedPrivate), unwrap(object.Unwrapped)}
	case "CKO_SECRET_KEY":
		return []way{create, generate(object.Generated), unwrap(object.Unwrapped), unwrap(object.Derived)}
	}
	return []way{create}
}

// templateFor is the least template that makes an object in a way.
func (rows table) templateFor(s subject, w way, attributes []string) object.Template {
	t, _ := s.identity()
	for _, name := range attributes {
		typ, _ := object.ParseType(name)
		row := rows.row(s, name)
		if row == nil || t.Has(typ) {
			continue
		}
		if row[w.must] == "1" || (w.origin == object.Created || row[w.not] != "1") && ready(s).Has(typ) && row[w.must] != "0" {
			t = append(t, sample(s, typ))
		}
	}
	return t
}

// beyond are cells in which the library says more, or less, than the table,
// with the reason.
func beyond(s subject, attribute string) (why string, ok bool) {
	switch {
	case attribute == "CKA_EC_POINT" && s.class == "CKO_PRIVATE_KEY":
		return "private keys may tell their point, which tokens need that cannot compute it", true
	case s.sub == "CKK_HSS" || s.sub == "CKK_XMSS" || s.sub == "CKK_XMSSMT":
		return "keys with a state have rules of their own", true
	}
	return "", false
}

// computed are the attributes that only a token can tell.
var computedNames = map[string]bool{
	"CKA_UNIQUE_ID": true, "CKA_LOCAL": true, "CKA_ALWAYS_SENSITIVE": true, "CKA_NEVER_EXTRACTABLE": true, "CKA_KEY_GEN_MECHANISM": true,
}

// subjects lists what objects of the table can be made.
func (rows table) subjects() []subject {
	var all []subject
	for s := range rows {
		if _, ok := s.identity(); ok && s.class != "CKO_OTP_KEY" {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b subject) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
	return all
}

// TestEveryAttributeInEveryTemplate gives each attribute of the standard to
// each way of making each kind of object, and leaves out each that must be
// there.
func TestEveryAttributeInEveryTemplate(t *testing.T) {
	rows, attributes := readTable(t)
	cells := 0
	for _, s := range rows.subjects() {
		for _, w := range s.ways() {
			base := rows.templateFor(s, w, attributes)
			all, err := object.Complete(w.origin, base, false)
			if _, other := beyond(s, ""); err != nil {
				if !other {
					t.Errorf("%s: %s: %v: %v", s, w.origin, err, base)
				}
				continue
			}
			for _, name := range attributes {
				if _, other := beyond(s, name); !other {
					cells++
					checkMaking(t, rows, s, w, base, all, name)
				}
			}
		}
	}
	if cells < 20_000 {
		t.Errorf("only %d cells", cells)
	}
}

func checkMaking(t *testing.T, rows table, s subject, w way, base, all object.Template, name string) {
	t.Helper()
	typ, _ := object.ParseType(name)
	row := rows.row(s, name)
	cell := fmt.Sprintf("%s: %s: %s", s, w.origin, name)
	given := sample(s, typ)
	if own, ok := all.Lookup(typ); ok {
		given = own
	}
	_, err := object.Complete(w.origin, base.With(given), false)
	got := ckr.Of(err)
	switch {
	case row == nil:
		want(t, cell, err, got == ckr.AttributeTypeInvalid)
	case row[w.not] == "1" || computedNames[name]:
		want(t, cell, err, got == ckr.AttributeReadOnly)
	case all.Has(typ):
		want(t, cell, err, got == ckr.OK)
	default: // the value may be none of the object's
		want(t, cell, err, got == ckr.OK || got == ckr.AttributeValueInvalid || got == ckr.TemplateInconsistent || got == ckr.DomainParamsInvalid)
	}
	if row == nil {
		return
	}
	if row["so_only_true"] == "1" && row[w.not] != "1" {
		yes := object.Raw(typ, []byte{1})
		_, err := object.Complete(w.origin, base.With(yes), false)
		want(t, cell+" true by the user", err, ckr.Of(err) == ckr.AttributeReadOnly)
		_, err = object.Complete(w.origin, base.With(yes), true)
		want(t, cell+" true by the SO", err, err == nil)
	}
	implied := typ == object.AttrClass.Type || typ == object.AttrKeyType.Type && w.origin == object.Derived
	if row[w.must] == "1" && !implied {
		_, err := object.Complete(w.origin, base.Without(typ), false)
		want(t, cell+" left out", err, ckr.Of(err) == ckr.TemplateIncomplete)
	}
}

func want(t *testing.T, cell string, err error, ok bool) {
	t.Helper()
	if !ok {
		t.Errorf("%s: %v", cell, err)
	}
}

// TestEveryAttributeOfEveryObject changes each attribute of each kind of
// object, in place and in a copy, and reads it of a sensitive one.
func TestEveryAttributeOfEveryObject(t *testing.T) {
	rows, attributes := readTable(t)
	for _, s := range rows.subjects() {
		all, err := object.Complete(object.Created, rows.templateFor(s, s.ways()[0], attributes), false)
		if err != nil {
			continue // the other test tells
		}
		for _, name := range attributes {
			if _, other := beyond(s, name); other {
				continue
			}
			row := rows.row(s, name)
			checkChange(t, s, all, name, row, "set", "modifiable_setattr", func(a object.Attribute, so bool) error {
				return object.CheckSet(all, []object.Attribute{a}, so)
			})
			checkChange(t, s, all, name, row, "copy", "modifiable_copy", func(a object.Attribute, so bool) error {
				_, err := object.Copy(all, []object.Attribute{a}, so)
				return err
			})
			typ, _ := object.ParseType(name)
			hidden := row != nil && row["hidden_if_sensitive_or_unextractable"] == "1"
			if got := object.Hidden(all, typ); got != hidden {
				t.Errorf("%s: reading %s when sensitive: hidden is %v", s, name, got)
			}
		}
	}
}

// checkChange changes one attribute to what it is, and to something else.
func checkChange(t *testing.T, s subject, all object.Template, name string, row map[string]string, verb, column string, change func(object.Attribute, bool) error) {
	t.Helper()
	typ, _ := object.ParseType(name)
	cell := fmt.Sprintf("%s: %s: %s", s, verb, name)
	own, has := all.Lookup(typ)
	if !has {
		own = sample(s, typ)
	}
	err := change(own, false)
	got := ckr.Of(err)
	content := s.class == "CKO_DATA" && (name == "CKA_VALUE" || name == "CKA_APPLICATION" || name == "CKA_OBJECT_ID")
	copies := verb == "copy" && has && row != nil && row["hidden_if_sensitive_or_unextractable"] != "1"
	switch {
	case row == nil:
		want(t, cell, err, got == ckr.AttributeTypeInvalid)
		return
	case computedNames[name] || name == "CKA_UNIQUE_ID":
		want(t, cell, err, got == ckr.AttributeReadOnly)
		return
	case copies: // what it is already is no change
		want(t, cell, err, got == ckr.OK)
	case row[column] == "1" || content:
		want(t, cell, err, got == ckr.OK || !has && got != ckr.AttributeReadOnly && got != ckr.AttributeTypeInvalid)
	default:
		want(t, cell, err, got == ckr.AttributeReadOnly)
	}
	checkSticky(t, cell, typ, own, row, change)
}

// checkSticky turns a flag round in the direction that its footnote forbids.
func checkSticky(t *testing.T, cell string, typ object.Type, own object.Attribute, row map[string]string, change func(object.Attribute, bool) error) {
	t.Helper()
	is := len(own.Bytes()) == 1 && own.Bytes()[0] == 1
	if row["sticky_true"] == "1" && is {
		err := change(object.Raw(typ, []byte{0}), false)
		want(t, cell+" to false", err, ckr.Of(err) == ckr.AttributeReadOnly)
	}
	if row["sticky_false"] == "1" && !is && typ.Kind() == object.KindBool {
		err := change(object.Raw(typ, []byte{1}), false)
		want(t, cell+" to true", err, ckr.Of(err) == ckr.AttributeReadOnly || ckr.Of(err) == ckr.ActionProhibited)
	}
	if row["so_only_true"] == "1" {
		err := change(object.Raw(typ, []byte{1}), false)
		want(t, cell+" to true by the user", err, ckr.Of(err) == ckr.AttributeReadOnly)
		err = change(object.Raw(typ, []byte{1}), true)
		want(t, cell+" to true by the SO", err, err == nil)
	}
}
