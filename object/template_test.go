package object_test

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// roundTrip encodes, checks the canonical bytes, and decodes.
func roundTrip[T any](t *testing.T, a object.Attr[T], v T, want string) {
	t.Helper()
	got := a.Is(v)
	if string(got.Bytes()) != want {
		t.Errorf("%s of %v is %q, want %q", a, v, got.Bytes(), want)
	}
	if err := (object.Template{got}).Validate(); err != nil {
		t.Errorf("%s of %v: %v", a, v, err)
	}
	back, err := object.Decode(a, got)
	if err != nil {
		t.Errorf("%s of %v: %v", a, v, err)
	}
	compareInts := cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })
	if diff := cmp.Diff(v, back, compareInts, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", a, diff)
	}
}

func TestValuesHaveOneEncoding(t *testing.T) {
	roundTrip(t, object.AttrToken, true, "\x01")
	roundTrip(t, object.AttrToken, false, "\x00")
	roundTrip(t, object.AttrClass, object.ClassPrivateKey, "\x03\x00\x00\x00\x00\x00\x00\x00")
	roundTrip(t, object.AttrModulusBits, 2048, "\x00\x08\x00\x00\x00\x00\x00\x00")
	roundTrip(t, object.AttrKeyGenMechanism, mechanism.Unavailable, "\xff\xff\xff\xff\xff\xff\xff\xff")
	roundTrip(t, object.AttrLabel, "clé", "cl\xc3\xa9")
	roundTrip(t, object.AttrID, []byte{0, 1}, "\x00\x01")
	roundTrip(t, object.AttrID, nil, "")
	roundTrip(t, object.AttrPublicExponent, big.NewInt(65537), "\x01\x00\x01")
	roundTrip(t, object.AttrPublicExponent, new(big.Int), "")
	roundTrip(t, object.AttrStartDate, object.Date{Year: 2024, Month: time.February, Day: 29}, "20240229")
	roundTrip(t, object.AttrStartDate, object.Date{}, "")
	roundTrip(t, object.AttrAllowedMechanisms, []mechanism.Type{mechanism.TypeRSAPKCS}, "\x01\x00\x00\x00\x00\x00\x00\x00")
	roundTrip(t, object.AttrHSSLMSTypes, []uint64{2, 3}, "\x02\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00")
	roundTrip(t, object.AttrValidationVersion, object.Version{Major: 1, Minor: 2}, "\x01\x02")
	roundTrip(t, object.AttrUnwrapTemplate, object.Template{object.AttrSensitive.Is(true)}, "")
}

func TestRawBytesBecomeCanonical(t *testing.T) {
	tests := []struct {
		name string
		raw  object.Attribute
		want object.Attribute
	}{
		{"leading zeros of a big integer", object.Raw(object.AttrModulus.Type, []byte{0, 0, 5}), object.AttrModulus.Is(big.NewInt(5))},
		{"a number of a 32-bit host", object.Raw(object.AttrClass.Type, []byte{3, 0, 0, 0}), object.AttrClass.Is(object.ClassPrivateKey)},
		{"unavailable on a 32-bit host", object.Raw(object.AttrKeyGenMechanism.Type, []byte{255, 255, 255, 255}), object.AttrKeyGenMechanism.Is(mechanism.Unavailable)},
		{"a date of zeros", object.Raw(object.AttrEndDate.Type, []byte("00000000")), object.AttrEndDate.Is(object.Date{})},
		{"zeros of a byte string stay", object.Raw(object.AttrID.Type, []byte{0, 5}), object.AttrID.Is([]byte{0, 5})},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, test.raw); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestBadValuesAreRefused(t *testing.T) {
	var vendor = object.Attr[int]{Type: 0x80000001}
	tests := []struct {
		name string
		a    object.Attribute
		want ckr.Code
	}{
		{"bool of two bytes", object.Raw(object.AttrToken.Type, []byte{0, 1}), ckr.AttributeValueInvalid},
		{"bool of no byte", object.Raw(object.AttrToken.Type, nil), ckr.AttributeValueInvalid},
		{"bool of 2", object.Raw(object.AttrToken.Type, []byte{2}), ckr.AttributeValueInvalid},
		{"number of 7 bytes", object.Raw(object.AttrClass.Type, make([]byte, 7)), ckr.AttributeValueInvalid},
		{"label not UTF-8", object.Raw(object.AttrLabel.Type, []byte{0xff}), ckr.AttributeValueInvalid},
		{"30 February", object.Raw(object.AttrStartDate.Type, []byte("20240230")), ckr.AttributeValueInvalid},
		{"short date", object.Raw(object.AttrStartDate.Type, []byte("2024")), ckr.AttributeValueInvalid},
		{"negative day", object.AttrStartDate.Is(object.Date{Year: 2024, Month: 1, Day: -1}), ckr.AttributeValueInvalid},
		{"negative modulus", object.AttrModulus.Is(big.NewInt(-5)), ckr.AttributeValueInvalid},
		{"half a mechanism", object.Raw(object.AttrAllowedMechanisms.Type, make([]byte, 12)), ckr.AttributeValueInvalid},
		{"template of bytes", object.Raw(object.AttrUnwrapTemplate.Type, make([]byte, 24)), ckr.AttributeValueInvalid},
		{"bytes of a template", object.Attr[object.Template]{Type: object.AttrID.Type}.Is(nil), ckr.AttributeValueInvalid},
		{"a Go type that has no encoding", vendor.Is(1), ckr.AttributeValueInvalid},
		{"no such attribute", object.Raw(0x7fffffff, nil), ckr.AttributeTypeInvalid},
		{"no such attribute within a template", object.AttrUnwrapTemplate.Is(object.Template{object.Raw(0x7fffffff, nil)}), ckr.AttributeTypeInvalid},
		{"a maker's attribute", object.Raw(0x80000001, []byte{1, 2, 3}), ckr.OK},
	}
	for _, test := range tests {
		if got := ckr.Of(object.Template{test.a}.Validate()); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got.Name(), test.want.Name())
		}
	}
}

func TestTemplatesAreBounded(t *testing.T) {
	deep := object.Template{}
	for range 5 {
		deep = object.Template{object.AttrWrapTemplate.Is(deep)}
	}
	if got := ckr.Of(deep.Validate()); got != ckr.ArgumentsBad {
		t.Errorf("5 deep: %s", got.Name())
	}
	four, _ := deep[0].Nested()
	if err := four.Validate(); err != nil {
		t.Errorf("4 deep: %v", err)
	}
	if got := ckr.Of(make(object.Template, 4097).Validate()); got != ckr.ArgumentsBad {
		t.Errorf("4097 attributes: %s", got.Name())
	}
}

func TestTheSameAttributeTwiceMustAgree(t *testing.T) {
	twice := object.Template{object.AttrLabel.Is("a"), object.AttrID.Is([]byte{1}), object.AttrLabel.Is("a")}
	if err := twice.Validate(); err != nil {
		t.Errorf("same value: %v", err)
	}
	twice[2] = object.AttrLabel.Is("b")
	if got := ckr.Of(twice.Validate()); got != ckr.TemplateInconsistent {
		t.Errorf("different values: %s", got.Name())
	}
}

func TestMatchingNeedsEveryAttribute(t *testing.T) {
	key := object.Template{
		object.AttrClass.Is(object.ClassSecretKey), object.AttrLabel.Is("k"),
		object.AttrUnwrapTemplate.Is(object.Template{object.AttrSensitive.Is(true), object.AttrWrap.Is(false)}),
	}
	tests := []struct {
		name  string
		match object.Template
		want  bool
	}{
		{"empty", nil, true},
		{"one", object.Template{object.AttrLabel.Is("k")}, true},
		{"other value", object.Template{object.AttrLabel.Is("l")}, false},
		{"absent", object.Template{object.AttrID.Is(nil)}, false},
		{"one of two", object.Template{object.AttrLabel.Is("k"), object.AttrID.Is(nil)}, false},
		{"nested in another order", object.Template{object.AttrUnwrapTemplate.Is(object.Template{object.AttrWrap.Is(false), object.AttrSensitive.Is(true)})}, true},
		{"nested and shorter", object.Template{object.AttrUnwrapTemplate.Is(object.Template{object.AttrWrap.Is(false)})}, false},
	}
	for _, test := range tests {
		if got := key.Matches(test.match); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestChangesLeaveTheOldTemplateAlone(t *testing.T) {
	old := object.Template{object.AttrLabel.Is("a"), object.AttrID.Is([]byte{1}), object.AttrLabel.Is("a")}
	want := old.Clone()
	if diff := cmp.Diff(object.Template{object.AttrLabel.Is("b"), object.AttrID.Is([]byte{1}), object.AttrToken.Is(true)},
		old.With(object.AttrLabel.Is("b"), object.AttrToken.Is(true))); diff != "" {
		t.Errorf("With (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(object.Template{object.AttrID.Is([]byte{1})}, old.Without(object.AttrLabel.Type)); diff != "" {
		t.Errorf("Without (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, old); diff != "" {
		t.Errorf("the old template changed:\n%s", diff)
	}
}

func TestAttributesOwnTheirBytes(t *testing.T) {
	secret := []byte{1, 2, 3}
	a := object.AttrValue.Is(secret)
	clear(secret)
	if diff := cmp.Diff([]byte{1, 2, 3}, a.Bytes()); diff != "" {
		t.Error(diff)
	}
	copied := object.Template{a}.Clone()
	object.Template{a}.Clear()
	if diff := cmp.Diff([]byte{0, 0, 0}, a.Bytes()); diff != "" {
		t.Error("not cleared", diff)
	}
	if diff := cmp.Diff([]byte{1, 2, 3}, copied[0].Bytes()); diff != "" {
		t.Error("the copy was cleared too", diff)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	secret := "SECRETSECRET"
	template := object.Template{
		object.AttrValue.Is([]byte(secret)),
		object.AttrPrivateExponent.Is(new(big.Int).SetBytes([]byte(secret))),
		object.AttrPrime1.Is(new(big.Int).SetBytes([]byte(secret))),
		object.AttrWrapTemplate.Is(object.Template{object.AttrValue.Is([]byte(secret))}),
		object.Raw(0x80000001, []byte(secret)),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c"} {
		for _, value := range []any{template, template[0], &template[0], object.Value{Attribute: template[0]}} {
			out := fmt.Sprintf(verb, value)
			for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), "83 69", "[83"} {
				if strings.Contains(out, form) {
					t.Errorf("%s of %T shows the secret: %s", verb, value, out)
				}
			}
		}
	}
	if got, want := fmt.Sprint(template[0]), "CKA_VALUE(12 bytes)"; got != want {
		t.Errorf("printed as %s, want %s", got, want)
	}
}

func TestAttributesPrintForPeople(t *testing.T) {
	tests := map[string]object.Attribute{
		`CKA_LABEL="a b"`:                        object.AttrLabel.Is("a b"),
		"CKA_CLASS=CKO_PRIVATE_KEY":              object.AttrClass.Is(object.ClassPrivateKey),
		"CKA_KEY_TYPE=CKK_0x80000007":            object.AttrKeyType.Is(0x80000007),
		"CKA_TOKEN=true":                         object.AttrToken.Is(true),
		"CKA_ID=0a0b":                            object.AttrID.Is([]byte{10, 11}),
		"CKA_START_DATE=20240229":                object.AttrStartDate.Is(object.Date{Year: 2024, Month: 2, Day: 29}),
		"CKA_MODULUS_BITS=2048":                  object.AttrModulusBits.Is(2048),
		"CKA_KEY_GEN_MECHANISM=unavailable":      object.AttrKeyGenMechanism.Is(mechanism.Unavailable),
		"CKA_WRAP_TEMPLATE=[CKA_SENSITIVE=true]": object.AttrWrapTemplate.Is(object.Template{object.AttrSensitive.Is(true)}),
	}
	for want, a := range tests {
		if got := a.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestNamesAreUnderstoodBothWays(t *testing.T) {
	for _, name := range []string{"CKA_LABEL", "CKA_VALUE", "CKA_ALLOWED_MECHANISMS"} {
		typ, ok := object.ParseType(name)
		if !ok || typ.String() != name {
			t.Errorf("%s is %s, %v", name, typ, ok)
		}
	}
	if typ, ok := object.ParseType("CKA_ECDSA_PARAMS"); !ok || typ != object.AttrECParams.Type {
		t.Errorf("CKA_ECDSA_PARAMS is %s, %v", typ, ok)
	}
	if c, ok := object.ParseClass("CKO_DATA"); !ok || c != object.ClassData {
		t.Error("CKO_DATA is not known")
	}
	if k, ok := object.ParseKeyType("CKK_AES"); !ok || k != object.KeyAES {
		t.Error("CKK_AES is not known")
	}
}

func FuzzRaw(f *testing.F) {
	f.Add(uint64(0x120), []byte{0, 1})
	f.Add(uint64(0x40000211), []byte{1})
	f.Fuzz(func(t *testing.T, typ uint64, value []byte) {
		a := object.Raw(object.Type(typ), value)
		_ = a.String()
		_ = object.Template{a}.Validate()
		if !a.Equal(object.Raw(a.Type, a.Bytes())) {
			t.Errorf("%s: the canonical form is not stable", a)
		}
		_, _ = object.Decode(object.Attr[bool]{Type: a.Type}, a)
		_, _ = object.Decode(object.Attr[*big.Int]{Type: a.Type}, a)
		_, _ = object.Decode(object.Attr[object.Date]{Type: a.Type}, a)
		_, _ = object.Decode(object.Attr[[]mechanism.Type]{Type: a.Type}, a)
		_, _ = object.Decode(object.Attr[object.Template]{Type: a.Type}, a)
	})
}

type fixed struct {
	values []object.Value
	err    error
}

func (f fixed) Values(context.Context, *object.Object, []object.Type) ([]object.Value, error) {
	return f.values, f.err
}

func TestOneAttributeIsReadByItsType(t *testing.T) {
	ctx := t.Context()
	key := object.New(fixed{values: []object.Value{{Attribute: object.AttrLabel.Is("k")}}}, 7, object.ClassPrivateKey)
	if got, err := object.Get(ctx, key, object.AttrLabel); got != "k" || err != nil {
		t.Errorf("label = %q, %v", got, err)
	}
	if got := key.String(); got != "object 7 (private key)" {
		t.Errorf("printed as %s", got)
	}
	hidden := object.New(fixed{values: []object.Value{{Attribute: object.Attribute{Type: object.AttrValue.Type}, Code: ckr.AttributeSensitive}}}, 7, 0)
	if _, err := object.Get(ctx, hidden, object.AttrValue); ckr.Of(err) != ckr.AttributeSensitive {
		t.Errorf("hidden value: %v", err)
	}
	gone := object.New(fixed{err: ckr.New(ckr.ObjectHandleInvalid, "read", nil)}, 7, 0)
	for _, o := range []*object.Object{gone, nil, {}, object.New(fixed{}, 1, 0)} {
		if _, err := object.Get(ctx, o, object.AttrValue); err == nil {
			t.Errorf("%v was read", o)
		}
	}
	var _ mechanism.KeyRef = key
}
