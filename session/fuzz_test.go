package session_test

import (
	"context"
	"crypto"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// feed reads values out of fuzzed bytes; when they are used up all is 0.
type feed struct{ b []byte }

func (f *feed) take(n int) []byte {
	n = min(n, len(f.b))
	v := f.b[:n]
	f.b = f.b[n:]
	return v
}

func (f *feed) byte() byte {
	if v := f.take(1); len(v) == 1 {
		return v[0]
	}
	return 0
}

func (f *feed) bytes() []byte { return f.take(int(f.byte())) }

// usual are attributes that templates mostly have.
var usual = []object.Type{
	object.AttrClass.Type, object.AttrKeyType.Type, object.AttrValue.Type, object.AttrValueLen.Type, object.AttrToken.Type,
	object.AttrPrivate.Type, object.AttrSensitive.Type, object.AttrExtractable.Type, object.AttrEncrypt.Type, object.AttrLabel.Type,
	object.AttrECParams.Type, object.AttrECPoint.Type, object.AttrModulus.Type, object.AttrPublicExponent.Type, object.AttrPrivateExponent.Type,
	object.AttrUnwrapTemplate.Type, object.AttrAllowedMechanisms.Type, object.AttrParameterSet.Type, object.AttrSeed.Type,
	object.AttrCertificateType.Type, object.AttrSubject.Type, object.AttrStartDate.Type, object.AttrID.Type, object.AttrWrapTemplate.Type,
}

func (f *feed) attribute(depth int) object.Attribute {
	n := f.byte()
	typ := object.Type(n) << 8
	if int(n) < len(usual)*8 {
		typ = usual[int(n)%len(usual)]
	}
	if typ.Kind() == object.KindTemplate && depth > 0 {
		return object.Attr[object.Template]{Type: typ}.Is(f.template(depth - 1))
	}
	v := f.bytes()
	if typ.Kind() == object.KindUlong {
		v = binary.LittleEndian.AppendUint64(nil, uint64(f.byte()))
	}
	return object.Raw(typ, v)
}

func (f *feed) template(depth int) (t object.Template) {
	for range f.byte() % 16 {
		t = append(t, f.attribute(depth))
	}
	return t
}

func (f *feed) hash() crypto.Hash { return crypto.Hash(f.byte() % 24) }

// mechanism makes one of all mechanisms with parameters.
func (f *feed) mechanism(key *object.Object) mechanism.Mechanism {
	h, b := f.hash(), f.bytes()
	n := int(int8(f.byte()))
	all := []mechanism.Mechanism{
		mechanism.RSAPKCS{Hash: h, Digested: n > 0}, mechanism.RSAX509{}, mechanism.RSAPSS{Hash: h, MGF: f.hash(), Salt: n},
		mechanism.RSAOAEP{Hash: h, MGF: f.hash(), Label: b}, mechanism.ECDSA{Hash: h}, mechanism.EdDSA{Prehash: n > 0, Context: b},
		mechanism.ECDH{Public: b, KDF: mechanism.KDF(f.byte()), SharedData: f.bytes()}, mechanism.Digest{Hash: h}, mechanism.HMAC{Hash: h, Length: n},
		mechanism.AESECB{}, mechanism.AESCBC{IV: b}, mechanism.AESCBCPad{IV: b}, mechanism.AESCTR{CounterBits: n, CB: b}, mechanism.AESCTS{IV: b},
		mechanism.AESXTS{Tweak: b}, mechanism.AESGCM{IV: b, AAD: f.bytes(), TagBits: n}, mechanism.AESCCM{Nonce: b, MACLen: n, DataLen: int(f.byte())},
		mechanism.AESCMAC{Length: n}, mechanism.AESGMAC{IV: b}, mechanism.AESKeyWrap{IV: b}, mechanism.AESKeyWrapKWP{IV: b},
		mechanism.ChaCha20Poly1305{Nonce: b}, mechanism.DES3CBCPad{IV: b}, mechanism.MLKEM{}, mechanism.MLDSA{Context: b, Hedge: mechanism.Hedge(n)},
		mechanism.HashMLDSA{Hash: h, SHAKE: 128 * (n & 3), Digested: n > 0, Context: b}, mechanism.ECDHAESKeyWrap{KeyBits: 64 * n, SharedData: b},
		mechanism.RSAAESKeyWrap{KeyBits: 64 * n, OAEP: mechanism.RSAOAEP{Hash: h, Label: b}},
		mechanism.ConcatenateBaseAndKey{Key: key}, mechanism.ConcatenateBaseAndData{Data: b}, mechanism.XORBaseAndData{Data: b},
		mechanism.ExtractKeyFromKey{Bit: n}, mechanism.HashDerive{Hash: h}, mechanism.SHAKEDerive{Bits: n}, mechanism.AESECBEncryptData{Data: b},
		mechanism.HKDF{Hash: h, Extract: n > 0, Expand: n%2 == 0, Salt: b, Info: f.bytes()},
		mechanism.KBKDF{Mode: mechanism.KBKDFMode(n), PRF: mechanism.HMAC{Hash: h}, IV: b, Fields: []mechanism.Field{
			{Kind: mechanism.IterationField, Width: n}, {Kind: mechanism.FieldKind(f.byte()), Width: int(f.byte()), Bytes: b, Key: key}}},
		mechanism.PBKDF2{Hash: h, Password: b, Salt: f.bytes(), Iterations: n}, mechanism.Raw{T: mechanism.Type(f.byte()) << 4, Param: b}, nil,
	}
	return all[int(f.byte())%len(all)]
}

// ofTheLibrary checks that an error is of the kind that is promised.
func ofTheLibrary(t *testing.T, err error) {
	t.Helper()
	var e *ckr.Error
	if err != nil && !errors.As(err, &e) {
		t.Errorf("%T is no *ckr.Error: %v", err, err)
	}
}

// FuzzTemplates gives templates to everything that takes one: what is refused
// leaves no object behind.
func FuzzTemplates(f *testing.F) {
	f.Add([]byte{3, 0, 0, 4, 1, 0, 0x1f, 2, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Add([]byte{2, 0, 0, 0, 9, 3, 'a', 'b', 'c'})
	r := newRig(f)
	s := must(session.Open(context.Background(), r.token, session.ReadWrite()))(f)
	noError(f, s.Login(context.Background(), token.User, pin(userPIN)))
	f.Fuzz(func(t *testing.T, b []byte) {
		ctx := context.Background()
		in := &feed{b}
		template := in.template(6).With(object.AttrToken.Is(false))
		base := secretKey(t, s, object.KeyGenericSecret, counted(32), object.AttrDerive.Is(true))
		defer s.Destroy(ctx, base)
		before := len(find(t, s))
		made := func(o *object.Object, err error) {
			t.Helper()
			ofTheLibrary(t, err)
			if err != nil && o != nil {
				t.Errorf("an object in spite of %v", err)
			}
			if err == nil {
				_, err = s.Copy(ctx, o, template...)
				ofTheLibrary(t, err)
				ofTheLibrary(t, s.Set(ctx, o, template...))
				_, err = s.Size(ctx, o)
				ofTheLibrary(t, err)
			}
			for _, left := range find(t, s) {
				if err != nil && left != base || left == o {
					s.Destroy(ctx, left)
				}
			}
		}
		o, err := s.Create(ctx, template...)
		if err != nil && len(find(t, s)) != before {
			t.Errorf("refused, and there is one more object: %v", err)
		}
		made(o, err)
		made(s.GenerateKey(ctx, mechanism.AESKeyGen{}, template...))
		made(s.Derive(ctx, mechanism.HashDerive{Hash: crypto.SHA256}, base, template...))
		for _, err := range s.Find(ctx, template...) {
			ofTheLibrary(t, err)
		}
	})
}

// FuzzMechanisms gives mechanisms with parameters to everything that takes
// one.
func FuzzMechanisms(f *testing.F) {
	f.Add([]byte{5, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 96, 0, 15})
	f.Add([]byte{5, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 0, 10})
	ctx := context.Background()
	r := newRig(f)
	s := must(session.Open(ctx, r.token, session.ReadWrite()))(f)
	noError(f, s.Login(ctx, token.User, pin(userPIN)))
	keys := []*object.Object{}
	for _, kt := range []object.KeyType{object.KeyAES, object.KeyGenericSecret, object.KeyChaCha20} {
		keys = append(keys, must(s.Create(ctx, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(kt), object.AttrValue.Is(counted(32)),
			object.AttrEncrypt.Is(true), object.AttrDecrypt.Is(true), object.AttrSign.Is(true), object.AttrVerify.Is(true), object.AttrDerive.Is(true)))(f))
	}
	for _, gen := range []struct {
		m    mechanism.Mechanism
		what object.Attribute
	}{{mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048)}, {mechanism.ECKeyPairGen{}, object.AttrECParams.Is(p256)}} {
		pub, priv, err := s.GenerateKeyPair(ctx, gen.m, object.Template{gen.what}, nil)
		noError(f, err)
		keys = append(keys, pub, priv)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := &feed{b}
		m := in.mechanism(keys[0])
		input := in.bytes()
		key := keys[int(in.byte())%len(keys)]
		check := func(_ any, err error) { t.Helper(); ofTheLibrary(t, err) }
		check(s.Sign(ctx, m, key, input))
		check(nil, s.Verify(ctx, m, key, input, input))
		check(s.Encrypt(ctx, m, key, input))
		check(s.Decrypt(ctx, m, key, input))
		check(s.Digest(ctx, m, input))
		check(s.Wrap(ctx, m, key, keys[1]))
		check(s.Unwrap(ctx, m, key, input, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES)))
		if o, err := s.Derive(ctx, m, key, object.AttrValueLen.Is(uint64(in.byte()))); err == nil {
			s.Destroy(ctx, o)
		} else {
			ofTheLibrary(t, err)
		}
		if op, err := s.NewEncrypt(ctx, m, key); err == nil {
			check(op.Update(ctx, input))
			check(op.Final(ctx))
		}
		if o, err := s.GenerateKey(ctx, m, object.AttrValueLen.Is(16)); err == nil {
			s.Destroy(ctx, o)
		}
	})
}

// TestHugeTemplatesAreRefused gives more than anyone needs.
func TestHugeTemplatesAreRefused(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	many := make(object.Template, 10_000)
	for i := range many {
		many[i] = object.AttrLabel.Is("x")
	}
	deep := object.Template{object.AttrClass.Is(object.ClassData)}
	for range 100 {
		deep = object.Template{object.AttrWrapTemplate.Is(deep)}
	}
	wide := object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrValue.Is(counted(16)), object.AttrWrapTemplate.Is(many)}
	key := secretKey(t, s, object.KeyGenericSecret, counted(32), object.AttrDerive.Is(true), object.AttrUnwrap.Is(false))
	before := len(find(t, s))
	for name, template := range map[string]object.Template{"many": many, "deep": deep, "wide": wide} {
		_, create := s.Create(ctx, template...)
		_, generate := s.GenerateKey(ctx, mechanism.AESKeyGen{}, template...)
		_, _, pair := s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{}, template, template)
		_, derive := s.Derive(ctx, mechanism.HashDerive{Hash: crypto.SHA256}, key, template...)
		_, copied := s.Copy(ctx, key, template...)
		for verb, err := range map[string]error{"create": create, "generate": generate, "pair": pair, "derive": derive, "copy": copied, "set": s.Set(ctx, key, template...)} {
			if err == nil {
				t.Errorf("%s: %s: no error", name, verb)
			}
			ofTheLibrary(t, err)
		}
	}
	if after := len(find(t, s)); after != before {
		t.Errorf("%d objects, there were %d", after, before)
	}
}
