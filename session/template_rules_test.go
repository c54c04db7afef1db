package session_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestTemplates runs the table of errors of templates: for creating, changing
// and copying, for session and token objects.
func TestTemplates(t *testing.T) {
	for _, r := range rows(t, "template") {
		if isLeft(r) {
			continue
		}
		run, ok := templateErrors[r.condition]
		if !ok {
			t.Errorf("no test runs %v", r)
			continue
		}
		for _, kind := range []engine.Kind{engine.PrivateSession, engine.PrivateToken} {
			t.Run(r.condition+"/"+kind.String(), func(t *testing.T) {
				rig := newRig(t)
				x := &templateTest{t: t, rig: rig, s: rig.openAs(token.User), kind: kind, codes: r.code}
				run(x)
				if !x.tried {
					t.Fatal("nothing was tried")
				}
			})
		}
	}
}

// templateTest is a session with which a row of the table is tried.
type templateTest struct {
	t     *testing.T
	rig   *rig
	s     *session.Session
	kind  engine.Kind
	codes string
	tried bool
}

// base is where all templates begin.
func (x *templateTest) base(class object.Class, more ...object.Attribute) object.Template {
	return object.Template{
		object.AttrClass.Is(class), object.AttrToken.Is(x.kind.Token()), object.AttrPrivate.Is(x.kind.Private()),
		object.AttrLabel.Is("o"),
	}.With(more...)
}

func (x *templateTest) data(more ...object.Attribute) object.Template {
	return x.base(object.ClassData, object.AttrValue.Is([]byte("v"))).With(more...)
}

// aes is an AES key that may leave the session, so that it can be copied.
func (x *templateTest) aes(more ...object.Attribute) object.Template {
	return x.base(object.ClassSecretKey, object.AttrKeyType.Is(object.KeyAES), object.AttrEncrypt.Is(true),
		object.AttrValue.Is([]byte("0123456789abcdef"))).With(more...)
}

// create tries to create an object; nothing is made if that is refused.
func (x *templateTest) create(template ...object.Attribute) {
	x.t.Helper()
	before := len(find(x.t, x.s))
	o, err := x.s.Create(x.t.Context(), template...)
	x.expect("create", err)
	if err == nil {
		noError(x.t, x.s.Destroy(x.t.Context(), o))
	}
	if after := len(find(x.t, x.s)); after != before {
		x.t.Errorf("create: there are %d objects, were %d", after, before)
	}
}

// change tries to set attributes of an object, and to copy it with them.
func (x *templateTest) change(o *object.Object, changes ...object.Attribute) {
	x.t.Helper()
	before := readAll(x.t, x.s, o)
	x.expect("set", x.s.Set(x.t.Context(), o, changes...))
	if !strings.Contains(x.codes, "CKR_OK") {
		if diff := cmp.Diff(before, readAll(x.t, x.s, o)); diff != "" {
			x.t.Errorf("a refused change: %s", diff)
		}
	}
	x.copy(o, changes...)
}

func (x *templateTest) copy(o *object.Object, changes ...object.Attribute) {
	x.t.Helper()
	if class := o.Class(); x.kind.Token() && (class == object.ClassSecretKey || class == object.ClassPrivateKey) {
		// Keys of the card are not copied at all.
		_, err := x.s.Copy(x.t.Context(), o, changes...)
		isCode(x.t, err, ckr.ActionProhibited)
		return
	}
	made, err := x.s.Copy(x.t.Context(), o, changes...)
	x.expect("copy", err)
	if err == nil {
		noError(x.t, x.s.Destroy(x.t.Context(), made))
	}
}

func (x *templateTest) expect(what string, err error) {
	x.t.Helper()
	x.tried = true
	x.t.Log(what, err)
	hasCode(x.t, err, x.codes)
}

func (x *templateTest) made(template object.Template) *object.Object {
	x.t.Helper()
	return must(x.s.Create(x.t.Context(), template...))(x.t)
}

// templateErrors are the rows by their condition.
var templateErrors = map[string]func(x *templateTest){
	"CKA_ALWAYS_AUTHENTICATE true with CKA_PRIVATE false": func(x *templateTest) {
		_, priv := ecTemplates(x.t)
		x.create(x.base(object.ClassPrivateKey, object.AttrAlwaysAuthenticate.Is(true), object.AttrPrivate.Is(false)).With(priv...)...)
	},
	"CKA_CHECK_VALUE given and wrong": func(x *templateTest) {
		x.create(x.aes(object.AttrCheckValue.Is([]byte{1, 2, 3}))...)
	},
	"CKA_COPYABLE false to true": func(x *templateTest) {
		o := x.made(x.data(object.AttrCopyable.Is(false)))
		x.expect("set", x.s.Set(x.t.Context(), o, object.AttrCopyable.Is(true)))
		_, err := x.s.Copy(x.t.Context(), o, object.AttrCopyable.Is(true))
		isCode(x.t, err, ckr.ActionProhibited)
	},
	"CKA_EXTRACTABLE false to true": func(x *templateTest) {
		x.change(x.made(x.aes(object.AttrExtractable.Is(false))), object.AttrExtractable.Is(true))
	},
	"CKA_PUBLIC_KEY_INFO of a private key does not fit the key": func(x *templateTest) {
		_, priv := ecTemplates(x.t)
		other, _ := ecTemplates(x.t)
		info, _ := object.In(other, object.AttrPublicKeyInfo)
		x.create(x.base(object.ClassPrivateKey, object.AttrPublicKeyInfo.Is(info)).With(priv...)...)
	},
	"CKA_SENSITIVE true to false": func(x *templateTest) {
		x.change(x.made(x.aes(object.AttrSensitive.Is(true))), object.AttrSensitive.Is(false))
	},
	"CKA_TRUSTED true outside an SO session": func(x *templateTest) {
		x.create(x.aes(object.AttrTrusted.Is(true))...)
		x.change(x.made(x.aes()), object.AttrTrusted.Is(true))
		noError(x.t, x.s.Logout(x.t.Context()))
		public := x.data(object.AttrPrivate.Is(false)).With(
			object.AttrClass.Is(object.ClassCertificate), object.AttrCertificateType.Is(object.CertificateX509),
			object.AttrSubject.Is([]byte{0x30, 0}), object.AttrTrusted.Is(true))
		x.create(public...)
	},
	"CKA_WRAP_WITH_TRUSTED true to false": func(x *templateTest) {
		x.change(x.made(x.aes(object.AttrWrapWithTrusted.Is(true))), object.AttrWrapWithTrusted.Is(false))
	},
	"attribute the caller may not set or change": func(x *templateTest) {
		o := x.made(x.aes())
		for _, a := range []object.Attribute{
			object.AttrUniqueID.Is("mine"), object.AttrLocal.Is(true), object.AttrAlwaysSensitive.Is(true),
			object.AttrNeverExtractable.Is(true), object.AttrKeyGenMechanism.Is(mechanism.TypeAESKeyGen),
		} {
			x.create(x.aes(a)...)
			x.change(o, a)
		}
		for _, a := range []object.Attribute{
			object.AttrClass.Is(object.ClassData), object.AttrKeyType.Is(object.KeyDES3),
			object.AttrValueLen.Is(32), object.AttrValue.Is([]byte("fedcba9876543210")),
		} {
			x.change(o, a)
		}
		x.expect("set", x.s.Set(x.t.Context(), o, object.AttrToken.Is(!x.kind.Token())))
		x.expect("set", x.s.Set(x.t.Context(), o, object.AttrPrivate.Is(false)))
	},
	"attribute unknown to standard and token": func(x *templateTest) {
		unknown := object.Raw(0x12345678, []byte{1})
		x.create(x.data(unknown)...)
		x.change(x.made(x.data()), unknown)
		// An attribute of another class is as unknown.
		x.create(x.data(object.AttrModulusBits.Is(2048))...)
		x.change(x.made(x.data(object.AttrLabel.Is("p"))), object.AttrSensitive.Is(true))
	},
	"attributes contradict one another, the mechanism or the class": func(x *templateTest) {
		x.create(x.base(object.ClassSecretKey, object.AttrKeyType.Is(object.KeyRSA), object.AttrValue.Is([]byte("0123456789abcdef")))...)
		_, err := x.s.GenerateKey(x.t.Context(), mechanism.AESKeyGen{},
			x.base(object.ClassSecretKey, object.AttrKeyType.Is(object.KeyDES3), object.AttrValueLen.Is(16))...)
		x.expect("generate", err)
		_, err = x.s.GenerateKey(x.t.Context(), mechanism.AESKeyGen{}, x.base(object.ClassPublicKey, object.AttrValueLen.Is(16))...)
		x.expect("generate", err)
	},
	"known attribute, bad value": func(x *templateTest) {
		for _, a := range []object.Attribute{
			object.Raw(object.AttrPrivate.Type, []byte{1, 1}), object.Raw(object.AttrModifiable.Type, nil),
			object.Raw(object.AttrClass.Type, []byte{1}),
		} {
			x.create(x.data(a)...)
		}
		x.create(x.aes(object.AttrValue.Is([]byte("short")))...)
		x.create(x.base(object.ClassSecretKey, object.AttrKeyType.Is(0x7FFFFFFF), object.AttrValue.Is([]byte("v")))...)
		x.change(x.made(x.data()), object.Raw(object.AttrModifiable.Type, []byte{1, 2, 3}))
	},
	"needed attribute missing": func(x *templateTest) {
		x.create(x.data().Without(object.AttrClass.Type)...)
		x.create(x.aes().Without(object.AttrKeyType.Type)...)
		x.create(x.aes().Without(object.AttrValue.Type)...)
		x.create(x.base(object.ClassCertificate, object.AttrCertificateType.Is(object.CertificateX509), object.AttrValue.Is([]byte{0x30, 0}))...)
		x.create()
		_, err := x.s.GenerateKey(x.t.Context(), mechanism.AESKeyGen{}, x.base(object.ClassSecretKey)...)
		x.expect("generate", err)
		_, _, err = x.s.GenerateKeyPair(x.t.Context(), mechanism.ECKeyPairGen{}, nil, nil)
		x.expect("generate", err)
	},
	"same attribute twice, other value": func(x *templateTest) {
		x.create(append(x.data(), object.AttrLabel.Is("p"))...)
		x.change(x.made(x.data()), object.AttrLabel.Is("p"), object.AttrLabel.Is("q"))
	},
	"same attribute twice, same value": func(x *templateTest) {
		x.create(append(x.data(), object.AttrLabel.Is("o"))...)
		x.change(x.made(x.data()), object.AttrLabel.Is("p"), object.AttrLabel.Is("p"))
	},
}

// ecTemplates are the values of a new P-256 key.
func ecTemplates(t testing.TB) (pub, priv object.Template) {
	t.Helper()
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	common := object.Template{object.AttrKeyType.Is(object.KeyEC), object.AttrECParams.Is(p256)}
	pub = common.With(
		object.AttrECPoint.Is(object.EncodePoint(must(k.PublicKey.Bytes())(t))),
		object.AttrPublicKeyInfo.Is(must(x509.MarshalPKIXPublicKey(&k.PublicKey))(t)))
	return pub, common.With(object.AttrValue.Is(must(k.Bytes())(t)))
}
