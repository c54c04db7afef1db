package object_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/spec"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// The keys of these tests, made once.
var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func secretKey(more ...object.Attribute) object.Template {
	return object.Template{
		object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES),
		object.AttrValue.Is([]byte("0123456789abcdef")),
	}.With(more...)
}

func rsaPrivate(more ...object.Attribute) object.Template {
	key := rsaKey()
	return object.Template{
		object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyRSA),
		object.AttrModulus.Is(key.N), object.AttrPublicExponent.Is(big.NewInt(int64(key.E))),
		object.AttrPrivateExponent.Is(key.D),
	}.With(more...)
}

func rsaPublic(more ...object.Attribute) object.Template {
	key := rsaKey()
	return object.Template{
		object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyRSA),
		object.AttrModulus.Is(key.N), object.AttrPublicExponent.Is(big.NewInt(int64(key.E))),
	}.With(more...)
}

func p256() []byte { c, _ := object.CurveByName("P-256"); return c.Params() }

func ecPrivate(more ...object.Attribute) object.Template {
	return object.Template{
		object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyEC),
		object.AttrECParams.Is(p256()), object.AttrValue.Is(must(ecKey().Bytes())),
	}.With(more...)
}

func ecPublic(more ...object.Attribute) object.Template {
	return object.Template{
		object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyEC),
		object.AttrECParams.Is(p256()), object.AttrECPoint.Is(must(ecKey().PublicKey.Bytes())),
	}.With(more...)
}

func data(more ...object.Attribute) object.Template {
	return object.Template{object.AttrClass.Is(object.ClassData)}.With(more...)
}

var certificateDER = sync.OnceValue(func() []byte {
	template := &x509.Certificate{SerialNumber: big.NewInt(0x1234), Subject: pkix.Name{CommonName: "holder"}}
	return must(x509.CreateCertificate(rand.Reader, template, template, ecKey().Public(), ecKey()))
})

func certificate(more ...object.Attribute) object.Template {
	return object.Template{
		object.AttrClass.Is(object.ClassCertificate), object.AttrCertificateType.Is(object.CertificateX509),
		object.AttrSubject.Is([]byte{0x30, 0}), object.AttrValue.Is(certificateDER()),
	}.With(more...)
}

// create and its likes return the code of making, changing or copying.
func create(t object.Template) ckr.Code { return made(object.Created, t) }

func made(o object.Origin, t object.Template) ckr.Code {
	_, err := object.Complete(o, t, false)
	return ckr.Of(err)
}

func stored(t object.Template) object.Template {
	return must(object.Complete(object.Created, t, false))
}

func set(t object.Template, changes ...object.Attribute) ckr.Code {
	return ckr.Of(object.CheckSet(stored(t), changes, false))
}

func copied(t object.Template, changes ...object.Attribute) ckr.Code {
	_, err := object.Copy(stored(t), changes, false)
	return ckr.Of(err)
}

// TestTemplateRulesOfTheStandard provokes every row of session_rules.tsv
// about templates, in each of creating, changing and copying where it can
// come up.
func TestTemplateRulesOfTheStandard(t *testing.T) {
	other := object.AttrPublicKeyInfo.Is(must(x509.MarshalPKIXPublicKey(ecKey().Public())))
	tests := map[string]func() []ckr.Code{
		"CKA_ALWAYS_AUTHENTICATE true with CKA_PRIVATE false": func() []ckr.Code {
			return []ckr.Code{create(rsaPrivate(object.AttrAlwaysAuthenticate.Is(true), object.AttrPrivate.Is(false)))}
		},
		"CKA_CHECK_VALUE given and wrong": func() []ckr.Code {
			return []ckr.Code{create(secretKey(object.AttrCheckValue.Is([]byte{1, 2, 3})))}
		},
		"CKA_COPYABLE false to true": func() []ckr.Code {
			return []ckr.Code{set(data(object.AttrCopyable.Is(false)), object.AttrCopyable.Is(true))}
		},
		"CKA_EXTRACTABLE false to true": func() []ckr.Code {
			return []ckr.Code{set(secretKey(), object.AttrExtractable.Is(true)), copied(secretKey(), object.AttrExtractable.Is(true))}
		},
		"CKA_PUBLIC_KEY_INFO of a private key does not fit the key": func() []ckr.Code {
			return []ckr.Code{create(rsaPrivate(other)), set(rsaPrivate(), other), copied(rsaPrivate(), other)}
		},
		"CKA_SENSITIVE true to false": func() []ckr.Code {
			return []ckr.Code{set(secretKey(), object.AttrSensitive.Is(false)), copied(rsaPrivate(), object.AttrSensitive.Is(false))}
		},
		"CKA_TRUSTED true outside an SO session": func() []ckr.Code {
			trusted := object.AttrTrusted.Is(true)
			return []ckr.Code{create(certificate(trusted)), set(certificate(), trusted), copied(certificate(), trusted), create(rsaPublic(trusted)), set(secretKey(), trusted)}
		},
		"CKA_WRAP_WITH_TRUSTED true to false": func() []ckr.Code {
			key, off := secretKey(object.AttrWrapWithTrusted.Is(true)), object.AttrWrapWithTrusted.Is(false)
			return []ckr.Code{set(key, off), copied(key, off)}
		},
		"attribute the caller may not set or change": func() []ckr.Code {
			var codes []ckr.Code
			for _, a := range []object.Attribute{
				object.AttrUniqueID.Is("x"), object.AttrLocal.Is(true), object.AttrAlwaysSensitive.Is(true),
				object.AttrNeverExtractable.Is(true), object.AttrKeyGenMechanism.Is(mechanism.TypeAESKeyGen),
			} {
				codes = append(codes, create(secretKey(a)), set(secretKey(), a), copied(secretKey(), a), made(object.Unwrapped, secretKey(a).Without(object.AttrValue.Type)))
			}
			return append(codes, set(secretKey(), object.AttrToken.Is(true)), set(secretKey(), object.AttrPrivate.Is(false)),
				set(secretKey(), object.AttrKeyType.Is(object.KeyDES3)), set(secretKey(), object.AttrClass.Is(object.ClassData)),
				copied(secretKey(), object.AttrKeyType.Is(object.KeyGenericSecret)), copied(secretKey(), object.AttrValue.Is([]byte("0123456789abcdeX"))))
		},
		"attribute unknown to standard and token": func() []ckr.Code {
			unknown := object.Raw(0x7ffffffe, []byte{1})
			return []ckr.Code{create(data(unknown)), set(data(), unknown), copied(data(), unknown)}
		},
		"attributes contradict one another, the mechanism or the class": func() []ckr.Code {
			return []ckr.Code{
				create(secretKey(object.AttrKeyType.Is(object.KeyRSA))),
				made(object.Generated, object.Template{object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyAES)}),
				create(object.Template{object.AttrClass.Is(object.ClassMechanism)}),
			}
		},
		"known attribute, bad value": func() []ckr.Code {
			bad := object.Raw(object.AttrLabel.Type, []byte{0xff})
			return []ckr.Code{create(data(bad)), set(data(), bad), copied(data(), bad), create(secretKey(object.AttrValue.Is([]byte("short"))))}
		},
		"needed attribute missing": func() []ckr.Code {
			return []ckr.Code{
				create(nil), create(secretKey().Without(object.AttrValue.Type)), create(secretKey().Without(object.AttrKeyType.Type)),
				create(certificate().Without(object.AttrSubject.Type)),
				made(object.GeneratedPublic, object.Template{object.AttrKeyType.Is(object.KeyRSA)}),
				made(object.Unwrapped, object.Template{object.AttrClass.Is(object.ClassSecretKey)}),
			}
		},
		"same attribute twice, other value": func() []ckr.Code {
			a, b := object.AttrLabel.Is("a"), object.AttrLabel.Is("b")
			return []ckr.Code{create(append(data(a), b)), set(data(), a, b), copied(data(), a, b)}
		},
		"same attribute twice, same value": func() []ckr.Code {
			a := object.AttrLabel.Is("a")
			return []ckr.Code{create(append(data(a), a)), set(data(), a, a), copied(data(), a, a)}
		},
		"several apply": func() []ckr.Code {
			return []ckr.Code{create(secretKey(object.AttrLocal.Is(true), object.AttrKeyType.Is(object.KeyRSA)).Without(object.AttrValue.Type))}
		},
	}
	rows, err := spec.Rows("session_rules.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row["row_type"] != "template" {
			continue
		}
		test, ok := tests[row["condition"]]
		if !ok {
			t.Errorf("no test of %q", row["condition"])
			continue
		}
		for i, got := range test() {
			if row["code"] == "any of the above" && got != ckr.OK {
				continue
			}
			if !strings.Contains("|"+row["code"]+"|", "|"+got.Name()+"|") {
				t.Errorf("%s: case %d: %s, want %s", row["condition"], i, got.Name(), row["code"])
			}
		}
	}
}

func TestCreatedObjectsGetDefaults(t *testing.T) {
	off := func(attrs ...object.Attr[bool]) (out object.Template) {
		for _, a := range attrs {
			out = append(out, a.Is(false))
		}
		return out
	}
	storage := object.Template{
		object.AttrToken.Is(false), object.AttrLabel.Is(""), object.AttrModifiable.Is(true),
		object.AttrCopyable.Is(true), object.AttrDestroyable.Is(true),
	}
	tests := []struct {
		name string
		in   object.Template
		want object.Template
	}{
		{"data", data(), object.Template{object.AttrPrivate.Is(false), object.AttrApplication.Is(""), object.AttrValue.Is(nil), object.AttrObjectID.Is(nil)}},
		{"AES key", secretKey(), append(off(object.AttrSign, object.AttrWrap, object.AttrUnwrap, object.AttrDerive, object.AttrLocal, object.AttrExtractable,
			object.AttrAlwaysSensitive, object.AttrNeverExtractable, object.AttrWrapWithTrusted, object.AttrTrusted),
			object.AttrPrivate.Is(true), object.AttrSensitive.Is(true), object.AttrEncrypt.Is(true), object.AttrDecrypt.Is(true),
			object.AttrValueLen.Is(16), object.AttrKeyGenMechanism.Is(mechanism.Unavailable), object.AttrID.Is(nil))},
		{"RSA private key", rsaPrivate(), append(off(object.AttrUnwrap, object.AttrDerive, object.AttrSignRecover, object.AttrExtractable, object.AttrAlwaysAuthenticate),
			object.AttrPrivate.Is(true), object.AttrSensitive.Is(true), object.AttrSign.Is(true), object.AttrDecrypt.Is(true),
			object.AttrPublicKeyInfo.Is(must(x509.MarshalPKIXPublicKey(rsaKey().Public()))))},
		{"RSA public key", rsaPublic(), append(off(object.AttrWrap, object.AttrTrusted, object.AttrPrivate, object.AttrDerive),
			object.AttrVerify.Is(true), object.AttrEncrypt.Is(true), object.AttrModulusBits.Is(2048))},
		{"EC private key", ecPrivate(), append(off(object.AttrDecrypt, object.AttrUnwrap), object.AttrSign.Is(true), object.AttrDerive.Is(true))},
		{"EC public key", ecPublic(), append(off(object.AttrEncrypt, object.AttrDerive), object.AttrVerify.Is(true),
			object.AttrECPoint.Is(object.EncodePoint(must(ecKey().PublicKey.Bytes()))))},
		{"a key with one named use has no other", rsaPrivate(object.AttrDecrypt.Is(true)), append(off(object.AttrSign), object.AttrDecrypt.Is(true))},
		{"a key with a refused use has no other", rsaPrivate(object.AttrDecrypt.Is(false)), off(object.AttrSign, object.AttrDecrypt)},
		{"certificate", certificate(), object.Template{object.AttrSerialNumber.Is([]byte{2, 2, 0x12, 0x34}), object.AttrTrusted.Is(false),
			object.AttrPublicKeyInfo.Is(must(x509.MarshalPKIXPublicKey(ecKey().Public())))}},
		{"certificate with a serial number given", certificate(object.AttrSerialNumber.Is([]byte{2, 1, 5})), object.Template{object.AttrSerialNumber.Is([]byte{2, 1, 5})}},
	}
	for _, test := range tests {
		got, err := object.Complete(object.Created, test.in, false)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		for _, want := range append(storage.Clone(), test.want...) {
			a, _ := got.Lookup(want.Type)
			if !a.Equal(want) {
				t.Errorf("%s: %v, want %v", test.name, a, want)
			}
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: the completed template is not valid: %v", test.name, err)
		}
	}
}

func TestOriginIsWrittenIntoTheKey(t *testing.T) {
	generated := must(object.Complete(object.Generated, object.Template{object.AttrKeyType.Is(object.KeyAES), object.AttrValueLen.Is(32)}, false))
	open := must(object.Complete(object.Generated, object.Template{object.AttrKeyType.Is(object.KeyAES), object.AttrValueLen.Is(32),
		object.AttrSensitive.Is(false), object.AttrExtractable.Is(true)}, false))
	unwrapped := must(object.Complete(object.Unwrapped, object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES)}, false))
	derived := must(object.Complete(object.Derived, object.Template{object.AttrValueLen.Is(32)}, false))
	tests := []struct {
		name                                     string
		key                                      object.Template
		local, always, never, sensitive, extract bool
	}{
		{"generated", generated, true, true, true, true, false},
		{"generated in the open", open, true, false, false, false, true},
		{"unwrapped", unwrapped, false, false, false, true, true},
		{"derived", derived, false, false, false, true, false},
		{"created", stored(secretKey()), false, false, false, true, false},
		{"derived from a generated key", object.Inherit(derived, generated), false, true, true, true, false},
		{"derived from a created key", object.Inherit(derived, stored(secretKey())), false, false, false, true, false},
	}
	for _, test := range tests {
		for _, flag := range []struct {
			attr object.Attr[bool]
			want bool
		}{
			{object.AttrLocal, test.local}, {object.AttrAlwaysSensitive, test.always}, {object.AttrNeverExtractable, test.never},
			{object.AttrSensitive, test.sensitive}, {object.AttrExtractable, test.extract},
		} {
			if got, ok := object.In(test.key, flag.attr); !ok || got != flag.want {
				t.Errorf("%s: %s is %v, %v", test.name, flag.attr, got, ok)
			}
		}
	}
	if got, _ := object.In(derived, object.AttrKeyType); got != object.KeyGenericSecret {
		t.Errorf("a key derived without a type is %s", got)
	}
}

func TestGeneratingMechanismImpliesTheType(t *testing.T) {
	got := must(object.Imply(object.GeneratedPublic, nil, mechanism.TypeECKeyPairGen))
	want := object.Template{object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyEC)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []object.Attribute{object.AttrKeyType.Is(object.KeyRSA), object.AttrClass.Is(object.ClassSecretKey)} {
		if _, err := object.Imply(object.GeneratedPublic, object.Template{wrong}, mechanism.TypeECKeyPairGen); !errors.Is(err, ckr.TemplateInconsistent) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	public := must(object.Complete(object.GeneratedPublic, object.Template{object.AttrKeyType.Is(object.KeyRSA), object.AttrModulusBits.Is(2048)}, false))
	if e, ok := object.In(public, object.AttrPublicExponent); !ok || e.Int64() != 65537 {
		t.Errorf("default exponent %v", e)
	}
}

func TestUnsoundValuesAreRefused(t *testing.T) {
	key := rsaKey()
	plus := func(n *big.Int, d int64) *big.Int { return new(big.Int).Add(n, big.NewInt(d)) }
	point := must(ecKey().PublicKey.Bytes())
	offCurve := append([]byte(nil), point...)
	offCurve[len(offCurve)-1] ^= 1
	order := elliptic.P256().Params().N
	tests := []struct {
		name string
		t    object.Template
		want ckr.Code
	}{
		{"even exponent", rsaPublic(object.AttrPublicExponent.Is(big.NewInt(4))), ckr.AttributeValueInvalid},
		{"exponent 1", rsaPublic(object.AttrPublicExponent.Is(big.NewInt(1))), ckr.AttributeValueInvalid},
		{"exponent 0", rsaPublic(object.AttrPublicExponent.Is(new(big.Int))), ckr.AttributeValueInvalid},
		{"even modulus", rsaPublic(object.AttrModulus.Is(plus(key.N, 1))), ckr.AttributeValueInvalid},
		{"short modulus", rsaPublic(object.AttrModulus.Is(big.NewInt(15))), ckr.AttributeValueInvalid},
		{"huge modulus", rsaPublic(object.AttrModulus.Is(plus(new(big.Int).Lsh(big.NewInt(1), 20000), 1))), ckr.AttributeValueInvalid},
		{"another private exponent", rsaPrivate(object.AttrPrivateExponent.Is(plus(key.D, 2))), ckr.AttributeValueInvalid},
		{"private exponent 0", rsaPrivate(object.AttrPrivateExponent.Is(new(big.Int))), ckr.AttributeValueInvalid},
		{"private exponent of the modulus's size", rsaPrivate(object.AttrPrivateExponent.Is(key.N)), ckr.AttributeValueInvalid},
		{"another prime", rsaPrivate(object.AttrPrime1.Is(plus(key.Primes[0], 2))), ckr.AttributeValueInvalid},
		{"trivial prime", rsaPrivate(object.AttrPrime1.Is(big.NewInt(1)), object.AttrPrime2.Is(key.N)), ckr.AttributeValueInvalid},
		{"prime 0", rsaPrivate(object.AttrPrime1.Is(new(big.Int))), ckr.AttributeValueInvalid},
		{"altered remainder part", rsaPrivate(object.AttrPrime1.Is(key.Primes[0]), object.AttrExponent1.Is(plus(key.Precomputed.Dp, 2))), ckr.AttributeValueInvalid},
		{"altered coefficient", rsaPrivate(object.AttrCoefficient.Is(plus(key.Precomputed.Qinv, 1))), ckr.AttributeValueInvalid},
		{"one prime is enough", rsaPrivate(object.AttrPrime2.Is(key.Primes[1])), ckr.OK},
		{"all parts", rsaPrivate(object.AttrPrime1.Is(key.Primes[0]), object.AttrPrime2.Is(key.Primes[1]), object.AttrExponent1.Is(key.Precomputed.Dp),
			object.AttrExponent2.Is(key.Precomputed.Dq), object.AttrCoefficient.Is(key.Precomputed.Qinv)), ckr.OK},
		{"bits of the modulus are the token's to give", rsaPublic(object.AttrModulusBits.Is(2048)), ckr.AttributeReadOnly},

		{"point off the curve", ecPublic(object.AttrECPoint.Is(offCurve)), ckr.AttributeValueInvalid},
		{"compressed point", ecPublic(object.AttrECPoint.Is(append([]byte{2}, point[1:33]...))), ckr.AttributeValueInvalid},
		{"point at infinity", ecPublic(object.AttrECPoint.Is([]byte{0})), ckr.AttributeValueInvalid},
		{"point in DER", ecPublic(object.AttrECPoint.Is(object.EncodePoint(point))), ckr.OK},
		{"no curve", ecPublic(object.AttrECParams.Is([]byte{5, 0})), ckr.DomainParamsInvalid},
		{"garbage for a curve", ecPublic(object.AttrECParams.Is([]byte{6, 9, 1})), ckr.DomainParamsInvalid},
		{"curve by equation", ecPublic(object.AttrECParams.Is([]byte{0x30, 0})), ckr.CurveNotSupported},
		{"curve by name", ecPublic(object.AttrECParams.Is([]byte("\x13\x09secp256r1"))), ckr.OK},
		{"curve of another key type", ecPublic(object.AttrECParams.Is([]byte{6, 3, 0x2b, 0x65, 0x70})), ckr.TemplateInconsistent},
		{"curve that a card may know", ecPublic(object.AttrECParams.Is([]byte{6, 5, 0x2b, 0x81, 4, 0, 0x0a}), object.AttrECPoint.Is(make([]byte, 65)[:0])), ckr.AttributeValueInvalid},
		{"private value 0", ecPrivate(object.AttrValue.Is([]byte{0})), ckr.AttributeValueInvalid},
		{"private value beyond the order", ecPrivate(object.AttrValue.Is(order.Bytes())), ckr.AttributeValueInvalid},
		{"point of another key", ecPrivate(object.AttrECPoint.Is(must(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).PublicKey.Bytes()))), ckr.AttributeValueInvalid},
		{"its own point", ecPrivate(object.AttrECPoint.Is(point)), ckr.OK},

		{"AES key of 17 bytes", secretKey(object.AttrValue.Is(make([]byte, 17))), ckr.AttributeValueInvalid},
		{"DES2 key of equal halves", secretKey(object.AttrKeyType.Is(object.KeyDES2), object.AttrValue.Is([]byte("01234567"+"01234567"))), ckr.AttributeValueInvalid},
		{"DES3 key with equal parts", secretKey(object.AttrKeyType.Is(object.KeyDES3), object.AttrValue.Is([]byte("01234567"+"abcdefgh"+"abcdefgh"))), ckr.AttributeValueInvalid},
		{"empty secret", secretKey(object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrValue.Is(nil)), ckr.AttributeValueInvalid},
		{"length is the token's to give", secretKey(object.AttrValueLen.Is(16)), ckr.AttributeReadOnly},
		{"no check value wanted", secretKey(object.AttrCheckValue.Is(nil)), ckr.OK},

		{"certificate that is none", certificate(object.AttrValue.Is([]byte("certificate"))), ckr.AttributeValueInvalid},
		{"certificate with bytes after it", certificate(object.AttrValue.Is(append(append([]byte(nil), certificateDER()...), 0))), ckr.AttributeValueInvalid},
		{"certificate of neither value nor URL", certificate(object.AttrValue.Is(nil)), ckr.AttributeValueInvalid},
		{"certificate by URL without hashes", certificate(object.AttrURL.Is("http://x")).Without(object.AttrValue.Type), ckr.TemplateIncomplete},
		{"certificate by URL", certificate(object.AttrURL.Is("http://x"), object.AttrHashOfSubjectPublicKey.Is([]byte{1}), object.AttrHashOfIssuerPublicKey.Is([]byte{1})).Without(object.AttrValue.Type), ckr.OK},
		{"no such certificate type", certificate(object.AttrCertificateType.Is(77)), ckr.AttributeValueInvalid},
		{"no such class", data(object.AttrClass.Is(77)), ckr.AttributeValueInvalid},
		{"no such key type", secretKey(object.AttrKeyType.Is(0x7fff)), ckr.AttributeValueInvalid},
		{"a maker's class", data(object.AttrClass.Is(0x80000005)), ckr.OK},
		{"an attribute of another class", data(object.AttrModulus.Is(key.N)), ckr.AttributeTypeInvalid},
		{"a maker's attribute", data(object.Raw(0x80000001, []byte{1})), ckr.OK},
		{"trust without a hash", object.Template{object.AttrClass.Is(object.ClassTrust), object.AttrIssuer.Is([]byte{0x30, 0}), object.AttrSerialNumber.Is([]byte{2, 1, 1}), object.AttrTrustServerAuth.Is(object.TrustAnchor)}, ckr.TemplateIncomplete},
		{"distrust without a hash", object.Template{object.AttrClass.Is(object.ClassTrust), object.AttrIssuer.Is([]byte{0x30, 0}), object.AttrSerialNumber.Is([]byte{2, 1, 1}), object.AttrTrustServerAuth.Is(object.TrustNotTrusted)}, ckr.OK},
		{"ML-DSA value of a wrong length", object.Template{object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyMLDSA), object.AttrParameterSet.Is(object.ParameterSetMLDSA44), object.AttrValue.Is(make([]byte, 1311))}, ckr.AttributeValueInvalid},
		{"no such parameter set", object.Template{object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyMLDSA), object.AttrParameterSet.Is(4), object.AttrValue.Is(make([]byte, 1312))}, ckr.ParameterSetNotSupported},
		{"ML-KEM private key by its seed", object.Template{object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyMLKEM), object.AttrParameterSet.Is(object.ParameterSetMLKEM768), object.AttrSeed.Is(make([]byte, 64))}, ckr.OK},
		{"keys with a state are locked", object.Template{object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyHSS), object.AttrValue.Is([]byte{1}), object.AttrHSSLevels.Is(1), object.AttrHSSLMSTypes.Is(nil), object.AttrHSSLMOTSTypes.Is(nil), object.AttrSensitive.Is(false)}, ckr.TemplateInconsistent},
	}
	for _, test := range tests {
		if got := create(test.t); got != test.want {
			_, err := object.Complete(object.Created, test.t, false)
			t.Errorf("%s: %v, want %s", test.name, err, test.want.Name())
		}
	}
	if got := made(object.Generated, object.Template{object.AttrKeyType.Is(object.KeyAES), object.AttrValueLen.Is(20)}); got != ckr.AttributeValueInvalid {
		t.Errorf("generating an AES key of 20 bytes: %s", got.Name())
	}
	if got := made(object.GeneratedPublic, object.Template{object.AttrKeyType.Is(object.KeyRSA), object.AttrModulusBits.Is(1 << 40)}); got != ckr.AttributeValueInvalid {
		t.Errorf("generating a modulus of 2^40 bits: %s", got.Name())
	}
}

func TestMissingRemainderPartsAreComputed(t *testing.T) {
	key := rsaKey()
	got := stored(rsaPrivate())
	p, _ := object.In(got, object.AttrPrime1)
	q, _ := object.In(got, object.AttrPrime2)
	if new(big.Int).Mul(p, q).Cmp(key.N) != 0 {
		t.Error("the primes do not make the modulus")
	}
	again := stored(got.Without(object.AttrLocal.Type, object.AttrAlwaysSensitive.Type, object.AttrNeverExtractable.Type, object.AttrKeyGenMechanism.Type))
	if diff := cmp.Diff(got, again); diff == "" {
		return
	}
	for _, a := range got {
		if b, _ := again.Lookup(a.Type); !a.Equal(b) {
			t.Errorf("%s is not stable", a.Type)
		}
	}
}

func TestCheckValuesAreThoseOfTheStandard(t *testing.T) {
	aes, _ := object.In(stored(secretKey(object.AttrValue.Is(make([]byte, 16)))), object.AttrCheckValue)
	if diff := cmp.Diff([]byte{0x66, 0xe9, 0x4b}, aes); diff != "" { // FIPS 197 with a key of zeros
		t.Error(diff)
	}
	if fips140.Enforced() {
		return // the others are made by SHA-1
	}
	generic := secretKey(object.AttrKeyType.Is(object.KeyGenericSecret))
	sum := sha1.Sum([]byte("0123456789abcdef"))
	got, _ := object.In(stored(generic), object.AttrCheckValue)
	if diff := cmp.Diff(sum[:3], got); diff != "" {
		t.Error(diff)
	}
	if got, ok := object.In(stored(generic.With(object.AttrValue.Is([]byte("short")))), object.AttrCheckValue); !ok || len(got) > 0 {
		t.Errorf("a short secret has the check value %x", got)
	}
}
