package object_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/spec"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func TestChangesTightenOnly(t *testing.T) {
	open := secretKey(object.AttrSensitive.Is(false), object.AttrExtractable.Is(true))
	tests := []struct {
		name   string
		object object.Template
		change object.Attribute
		set    ckr.Code
		copy   ckr.Code
	}{
		{"label", data(), object.AttrLabel.Is("new"), ckr.OK, ckr.OK},
		{"sensitive on", open, object.AttrSensitive.Is(true), ckr.OK, ckr.OK},
		{"extractable off", open, object.AttrExtractable.Is(false), ckr.OK, ckr.OK},
		{"sensitive stays", secretKey(), object.AttrSensitive.Is(true), ckr.OK, ckr.OK},
		{"wrap with trusted on", secretKey(), object.AttrWrapWithTrusted.Is(true), ckr.OK, ckr.OK},
		{"token", data(), object.AttrToken.Is(true), ckr.AttributeReadOnly, ckr.OK},
		{"public to private", data(), object.AttrPrivate.Is(true), ckr.AttributeReadOnly, ckr.OK},
		{"private to public", data(object.AttrPrivate.Is(true)), object.AttrPrivate.Is(false), ckr.AttributeReadOnly, ckr.TemplateInconsistent},
		{"modifiable off", secretKey(), object.AttrModifiable.Is(false), ckr.AttributeReadOnly, ckr.OK},
		{"modifiable on of a key", secretKey(object.AttrModifiable.Is(false)), object.AttrModifiable.Is(true), ckr.ActionProhibited, ckr.AttributeReadOnly},
		{"modifiable on of data", data(object.AttrModifiable.Is(false)), object.AttrModifiable.Is(true), ckr.ActionProhibited, ckr.OK},
		{"destroyable off", data(), object.AttrDestroyable.Is(false), ckr.AttributeReadOnly, ckr.OK},
		{"copyable off", data(), object.AttrCopyable.Is(false), ckr.AttributeReadOnly, ckr.OK},
		{"anything of what is not copyable", data(object.AttrCopyable.Is(false)), object.AttrLabel.Is("new"), ckr.OK, ckr.ActionProhibited},
		{"anything of what is not modifiable", data(object.AttrModifiable.Is(false)), object.AttrLabel.Is("new"), ckr.ActionProhibited, ckr.OK},
		{"content of data", data(), object.AttrValue.Is([]byte{1}), ckr.OK, ckr.OK},
		{"subject of a certificate", certificate(), object.AttrSubject.Is([]byte{0x30, 0}), ckr.AttributeReadOnly, ckr.OK}, // the same value is no change of a copy
		{"another subject of a certificate", certificate(), object.AttrSubject.Is([]byte{0x30, 1, 0}), ckr.AttributeReadOnly, ckr.AttributeReadOnly},
		{"ID of a certificate", certificate(), object.AttrID.Is([]byte{1}), ckr.OK, ckr.OK},
		{"key's own value", secretKey(), object.AttrValue.Is([]byte("0123456789abcdef")), ckr.AttributeReadOnly, ckr.AttributeReadOnly},
		{"signing", secretKey(), object.AttrSign.Is(true), ckr.OK, ckr.OK},
		{"derivation", rsaPrivate(), object.AttrDerive.Is(true), ckr.OK, ckr.OK},
		{"always authenticate", rsaPrivate(object.AttrAlwaysAuthenticate.Is(true)), object.AttrAlwaysAuthenticate.Is(false), ckr.AttributeReadOnly, ckr.AttributeReadOnly},
		{"allowed mechanisms", secretKey(object.AttrAllowedMechanisms.Is([]mechanism.Type{mechanism.TypeAESGCM})), object.AttrAllowedMechanisms.Is(nil), ckr.AttributeReadOnly, ckr.AttributeReadOnly},
		{"an attribute of another class", data(), object.AttrSensitive.Is(true), ckr.AttributeTypeInvalid, ckr.AttributeTypeInvalid},
	}
	for _, test := range tests {
		if got := set(test.object, test.change); got != test.set {
			t.Errorf("setting %s: %s, want %s", test.name, got.Name(), test.set.Name())
		}
		if got := copied(test.object, test.change); got != test.copy {
			t.Errorf("copying with %s: %s, want %s", test.name, got.Name(), test.copy.Name())
		}
	}
}

func TestKeysKeepTheirRoles(t *testing.T) {
	wrapper := secretKey(object.AttrWrap.Is(true))
	for _, change := range []object.Attribute{object.AttrDecrypt.Is(true), object.AttrWrap.Is(false), object.AttrUnwrap.Is(true), object.AttrEncrypt.Is(true)} {
		if got := set(wrapper, change); got != ckr.AttributeReadOnly {
			t.Errorf("setting %v: %s", change, got.Name())
		}
		if got := copied(wrapper, change, object.AttrToken.Is(true)); got != ckr.AttributeReadOnly {
			t.Errorf("copying with %v: %s", change, got.Name())
		}
	}
}

func TestRolesThatBetrayKeysDoNotMeet(t *testing.T) {
	yes := func(attrs ...object.Attr[bool]) (out []object.Attribute) {
		for _, a := range attrs {
			out = append(out, a.Is(true))
		}
		return out
	}
	for _, roles := range [][]object.Attribute{yes(object.AttrWrap, object.AttrDecrypt), yes(object.AttrEncrypt, object.AttrUnwrap)} {
		if got := create(secretKey(roles...)); got != ckr.TemplateInconsistent {
			t.Errorf("creating with %v: %s", roles, got.Name())
		}
		generated := object.Template{object.AttrKeyType.Is(object.KeyAES), object.AttrValueLen.Is(16)}.With(roles...)
		if got := made(object.Generated, generated); got != ckr.TemplateInconsistent {
			t.Errorf("generating with %v: %s", roles, got.Name())
		}
	}
	if got := create(secretKey(yes(object.AttrWrap, object.AttrUnwrap)...)); got != ckr.OK {
		t.Errorf("a wrapping key: %s", got.Name())
	}
	if got := ckr.Of(object.CheckPair(rsaPublic(object.AttrWrap.Is(true)), rsaPrivate(object.AttrDecrypt.Is(true)))); got != ckr.TemplateInconsistent {
		t.Errorf("a pair that wraps and decrypts: %s", got.Name())
	}
	if got := ckr.Of(object.CheckPair(rsaPublic(object.AttrWrap.Is(true)), rsaPrivate(object.AttrUnwrap.Is(true)))); got != ckr.OK {
		t.Errorf("a pair that wraps and unwraps: %s", got.Name())
	}
	if got := ckr.Of(object.CheckPair(ecPublic(object.AttrWrap.Is(true)), ecPrivate(object.AttrDerive.Is(true)))); got != ckr.TemplateInconsistent {
		t.Errorf("a pair that wraps and derives: %s", got.Name())
	}
	if got := ckr.Of(object.CheckPair(ecPublic(object.AttrWrap.Is(true)), ecPrivate(object.AttrUnwrap.Is(true)))); got != ckr.OK {
		t.Errorf("a pair on a curve that wraps and unwraps: %s", got.Name())
	}
	if got := ckr.Of(object.CheckPair(rsaPublic(), ecPrivate())); got != ckr.TemplateInconsistent {
		t.Errorf("a pair of two types: %s", got.Name())
	}
}

func TestTheSecurityOfficerTrusts(t *testing.T) {
	trusted := object.AttrTrusted.Is(true)
	if err := object.CheckSet(stored(certificate()), []object.Attribute{trusted}, true); err != nil {
		t.Error(err)
	}
	if _, err := object.Complete(object.Created, rsaPublic(trusted), true); err != nil {
		t.Error(err)
	}
	current := stored(certificate()).With(trusted)
	if err := object.CheckSet(current, []object.Attribute{object.AttrID.Is([]byte{1})}, true); !errors.Is(err, ckr.AttributeReadOnly) {
		t.Errorf("changing a trusted certificate: %v", err)
	}
	for so, want := range map[bool]bool{true: true, false: false} {
		got, err := object.Copy(current, nil, so)
		if err != nil || object.Is(got, object.AttrTrusted) != want {
			t.Errorf("a copy by the security officer %v is trusted %v, %v", so, !want, err)
		}
	}
}

func TestCopiesKeepWhatTheyDoNotChange(t *testing.T) {
	current := stored(secretKey()).With(object.AttrLocal.Is(true), object.AttrUniqueID.Is("1"))
	got := must(object.Copy(current, []object.Attribute{object.AttrLabel.Is("copy"), object.AttrToken.Is(true)}, false))
	want := current.With(object.AttrLabel.Is("copy"), object.AttrToken.Is(true)).Without(object.AttrUniqueID.Type)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWrappingAsksBothKeys(t *testing.T) {
	open := stored(secretKey(object.AttrSensitive.Is(false), object.AttrExtractable.Is(true)))
	sensitive := open.With(object.AttrSensitive.Is(true))
	wrapper := stored(secretKey(object.AttrWrap.Is(true)))
	local := wrapper.With(object.AttrLocal.Is(true))
	trusted := wrapper.With(object.AttrTrusted.Is(true))
	weak := object.Template{object.AttrKeyType.Is(object.KeyDES2), object.AttrLocal.Is(true), object.AttrWrap.Is(true)}
	tests := []struct {
		name         string
		wrapper, key object.Template
		want         ckr.Code
	}{
		{"unextractable", trusted, stored(secretKey()), ckr.KeyUnextractable},
		{"extractability unknown", trusted, nil, ckr.KeyUnextractable},
		{"open under anything", wrapper, open, ckr.OK},
		{"sensitive under an imported key", wrapper, sensitive, ckr.KeyNotWrappable},
		{"sensitive under an imported public key", stored(rsaPublic(object.AttrWrap.Is(true))), sensitive, ckr.KeyNotWrappable},
		{"sensitive under a generated key", local, sensitive, ckr.OK},
		{"sensitive under a trusted key", trusted, sensitive, ckr.OK},
		{"sensitive under a weak key", weak, sensitive, ckr.KeyNotWrappable},
		{"only under trusted keys", local, sensitive.With(object.AttrWrapWithTrusted.Is(true)), ckr.KeyNotWrappable},
		{"only under trusted keys, which this is", trusted, sensitive.With(object.AttrWrapWithTrusted.Is(true)), ckr.OK},
		{"another label than the template's", local.With(object.AttrWrapTemplate.Is(object.Template{object.AttrLabel.Is("x")})), sensitive, ckr.KeyHandleInvalid},
		{"the template's label", local.With(object.AttrWrapTemplate.Is(object.Template{object.AttrLabel.Is("")})), sensitive, ckr.OK},
	}
	for _, test := range tests {
		if got := ckr.Of(object.CheckWrap(test.wrapper, test.key)); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got.Name(), test.want.Name())
		}
	}
}

func TestUnwrappingKeyDecidesWhatComesOut(t *testing.T) {
	by := func(attrs ...object.Attribute) object.Template {
		return object.Template{object.AttrUnwrapTemplate.Is(attrs)}
	}
	tests := []struct {
		name     string
		key      object.Template
		template object.Template
		want     ckr.Code
	}{
		{"plain", nil, object.Template{object.AttrLabel.Is("k")}, ckr.OK},
		{"value for anyone to read", nil, object.Template{object.AttrSensitive.Is(false)}, ckr.TemplateInconsistent},
		{"value for anyone to read, as the key allows", by(object.AttrSensitive.Is(false)), object.Template{object.AttrSensitive.Is(false)}, ckr.OK},
		{"wrapping key", nil, object.Template{object.AttrWrap.Is(true)}, ckr.TemplateInconsistent},
		{"wrapping key, as the key allows", by(object.AttrWrap.Is(true)), nil, ckr.OK},
		{"conflict with the key's template", by(object.AttrSensitive.Is(true)), object.Template{object.AttrSensitive.Is(false)}, ckr.TemplateInconsistent},
	}
	for _, test := range tests {
		merged, err := object.CheckUnwrap(test.key, test.template)
		if got := ckr.Of(err); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got.Name(), test.want.Name())
		}
		if nested, ok := object.In(test.key, object.AttrUnwrapTemplate); ok && err == nil && !merged.Matches(nested) {
			t.Errorf("%s: %v lacks what the key's template gives", test.name, merged)
		}
	}
	if _, err := object.CheckDerive([]object.Template{{object.AttrDeriveTemplate.Is(object.Template{object.AttrSensitive.Is(true)})}},
		object.Template{object.AttrSensitive.Is(false)}, mechanism.SHAKEDerive{Bits: 128}); !errors.Is(err, ckr.TemplateInconsistent) {
		t.Errorf("deriving against the key's template: %v", err)
	}
}

// scopesOf returns a class and type for which a row of attributes.tsv speaks.
func scopesOf(row map[string]string) (object.Class, uint64, bool) {
	name := row["object_class"]
	switch name {
	case "ALL", "STORAGE":
		return object.ClassData, 0, true
	case "KEY":
		return object.ClassPublicKey, uint64(object.KeyRSA), true
	}
	class, ok := object.ParseClass(name)
	sub := uint64(object.KeyVendorDefined)
	if key, ok := object.ParseKeyType(row["key_type"]); ok {
		sub = uint64(key)
	} else if certificate, ok := object.ParseCertificateType(row["key_type"]); ok {
		sub = uint64(certificate)
	} else if row["key_type"] != "-" {
		return 0, 0, false // hardware features and mechanisms, which no one creates
	}
	return class, sub, ok
}

func TestRulesAreThoseOfTheTable(t *testing.T) {
	rows, err := spec.Rows("attributes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	notes := map[string]object.Footnote{
		"must_at_create": object.MustCreate, "not_at_create": object.NotCreate, "must_at_generate": object.MustGenerate,
		"not_at_generate": object.NotGenerate, "must_at_unwrap": object.MustUnwrap, "not_at_unwrap": object.NotUnwrap,
		"hidden_if_sensitive_or_unextractable": object.HiddenIfSensitive, "modifiable_setattr": object.Modifiable,
		"modifiable_copy": object.Copyable, "so_only_true": object.SOOnlyTrue, "sticky_true": object.StickyTrue, "sticky_false": object.StickyFalse,
	}
	walked := 0
	for _, row := range rows {
		class, sub, ok := scopesOf(row)
		if !ok {
			continue
		}
		typ, _ := object.ParseType(row["attribute"])
		rule, ok := object.Rules(class, sub).Lookup(typ)
		if !ok {
			t.Errorf("%s %s: no rule for %s", row["object_class"], row["key_type"], row["attribute"])
			continue
		}
		for column, note := range notes {
			if got, want := rule.Notes.Has(note), row[column] == "1"; got != want {
				t.Errorf("%s of %s %s: %s is %v", row["attribute"], row["object_class"], row["key_type"], column, got)
			}
		}
		walked++
	}
	if walked < 300 {
		t.Errorf("only %d rows were walked", walked)
	}
}

func TestHiddenAttributesNeitherReadNorMatch(t *testing.T) {
	sensitive := stored(rsaPrivate())
	open := stored(rsaPrivate(object.AttrSensitive.Is(false), object.AttrExtractable.Is(true)))
	unextractable := stored(rsaPrivate(object.AttrSensitive.Is(false)))
	tests := []struct {
		name   string
		object object.Template
		typ    object.Type
		hidden bool
	}{
		{"private exponent of a sensitive key", sensitive, object.AttrPrivateExponent.Type, true},
		{"prime of a sensitive key", sensitive, object.AttrPrime1.Type, true},
		{"coefficient of a sensitive key", sensitive, object.AttrCoefficient.Type, true},
		{"modulus of a sensitive key", sensitive, object.AttrModulus.Type, false},
		{"private exponent of an open key", open, object.AttrPrivateExponent.Type, false},
		{"private exponent of an unextractable key", unextractable, object.AttrPrivateExponent.Type, true},
		{"value of a secret key", stored(secretKey()), object.AttrValue.Type, true},
		{"value of data", stored(data(object.AttrPrivate.Is(true))), object.AttrValue.Type, false},
		{"value of a certificate", stored(certificate()), object.AttrValue.Type, false},
		{"value of a key of an unknown type", object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(0x80000009)}, object.AttrValue.Type, true},
		{"value of a key that tells nothing", object.Template{object.AttrClass.Is(object.ClassSecretKey)}, object.AttrValue.Type, true},
		{"value of an object of no class", nil, object.AttrValue.Type, true},
		{"seed of a key", object.Template{object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyMLKEM)}, object.AttrSeed.Type, true},
	}
	for _, test := range tests {
		if got := object.Hidden(test.object, test.typ); got != test.hidden {
			t.Errorf("%s: hidden is %v", test.name, got)
		}
		if got := object.Searchable(test.object, test.typ); got == test.hidden {
			t.Errorf("%s: searchable is %v", test.name, got)
		}
	}
}

func FuzzComplete(f *testing.F) {
	f.Add(uint8(0), uint64(0), []byte{4}, uint64(0x100), []byte{0x1f}, uint64(0x11), []byte("0123456789abcdef"))
	f.Add(uint8(0), uint64(0), []byte{2}, uint64(0x180), []byte{6, 8}, uint64(0x181), []byte{4, 1})
	f.Add(uint8(0), uint64(0), []byte{1}, uint64(0x80), []byte{0}, uint64(0x11), []byte{0x30, 0})
	f.Fuzz(func(t *testing.T, origin uint8, a uint64, av []byte, b uint64, bv []byte, c uint64, cv []byte) {
		pad := func(typ uint64, v []byte) object.Attribute {
			if object.Type(typ).Kind() == object.KindUlong {
				v = append(append([]byte(nil), v...), make([]byte, 8)...)[:8]
			}
			return object.Raw(object.Type(typ), v)
		}
		in := object.Template{pad(a, av), pad(b, bv), pad(c, cv), object.AttrSubject.Is(nil)}
		out, err := object.Complete(object.Origin(origin%6), in, false)
		if err != nil {
			return
		}
		if err := out.Validate(); err != nil {
			t.Errorf("%v was completed to what is not valid: %v", in, err)
		}
		_ = object.CheckSet(out, in, false)
		_, _ = object.Copy(out, in, true)
		_ = object.CheckWrap(out, out)
		_, _ = object.GoPublicKey(out)
		for _, attr := range out {
			_ = object.Hidden(out, attr.Type)
		}
	})
}
