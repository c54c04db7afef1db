package conformance

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// curve is a named curve, by its names.
type curve struct {
	name   string
	params []byte
	curve  elliptic.Curve
	ecdh   ecdh.Curve
}

func oid(arcs ...int) []byte {
	der, err := asn1.Marshal(asn1.ObjectIdentifier(arcs))
	if err != nil {
		panic(err)
	}
	return der
}

var curves = []curve{
	{"P-256", oid(1, 2, 840, 10045, 3, 1, 7), elliptic.P256(), ecdh.P256()},
	{"P-384", oid(1, 3, 132, 0, 34), elliptic.P384(), ecdh.P384()},
	{"P-521", oid(1, 3, 132, 0, 35), elliptic.P521(), ecdh.P521()},
}

// generate makes a key pair on the token.
func (r *rig) generate(s *session.Session, m mechanism.Mechanism, label string, what object.Attribute) (pub, priv *object.Object, ok bool) {
	r.Helper()
	common := object.Template{object.AttrToken.Is(true)}.With(r.named(label, []byte(label))...)
	pub, priv, err := s.GenerateKeyPair(r.Context(), m, common.With(what), common)
	return pub, priv, r.offered("key pair "+label, err)
}

// anyPair makes a key pair of a kind that the token has.
func (r *rig) anyPair(s *session.Session) (pub, priv *object.Object, ok bool) {
	r.Helper()
	if r.does(mechanism.ECKeyPairGen{}, mechanism.FlagGenerateKeyPair) {
		return r.generate(s, mechanism.ECKeyPairGen{}, "pair", object.AttrECParams.Is(curves[0].params))
	}
	if r.does(mechanism.RSAKeyPairGen{}, mechanism.FlagGenerateKeyPair) {
		return r.generate(s, mechanism.RSAKeyPairGen{}, "pair", object.AttrModulusBits.Is(2048))
	}
	r.without("key pairs")
	return nil, nil, false
}

// signs checks that signatures of a key verify in the standard library.
func (r *rig) signs(s *session.Session, priv *object.Object) {
	r.Helper()
	key, err := s.Key(r.Context(), priv)
	r.must(err)
	digest := sha256.Sum256([]byte("to be signed"))
	sig, err := key.Sign(nil, digest[:], crypto.SHA256)
	r.must(err)
	switch pub := key.Public().(type) {
	case *rsa.PublicKey:
		err = rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig)
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(pub, digest[:], sig) {
			r.Error("the signature does not verify")
		}
	}
	r.must(err)
}

// guarded checks that a private key does not come out.
func (r *rig) guarded(priv *object.Object, secret object.Attr[*big.Int]) {
	r.Helper()
	if sensitive, err := object.Get(r.Context(), priv, object.AttrSensitive); err != nil || !sensitive {
		r.Errorf("CKA_SENSITIVE is %v, %v", sensitive, err)
	}
	_, err := object.Get(r.Context(), priv, secret)
	r.code(err, ckr.AttributeSensitive)
}

// presentKeys: private keys that are on the token exist for the user only, and
// sign what their public keys verify.
func presentKeys(r *rig) {
	ctx := r.Context()
	s := r.open(true)
	private := object.AttrClass.Is(object.ClassPrivateKey)
	if r.Keys == 0 {
		return
	}
	r.seen(s, 0, private)
	r.must(s.Login(ctx, token.User, pin(r.UserPIN)))
	keys := r.find(s, private)
	if len(keys) != r.Keys {
		r.Fatalf("%d keys, want %d", len(keys), r.Keys)
	}
	for _, priv := range keys {
		r.signs(s, priv)
		id, err := object.Get(ctx, priv, object.AttrUniqueID)
		r.must(err)
		r.seen(s, 1, object.AttrUniqueID.Is(id))
	}
	r.must(s.Logout(ctx))
	for _, priv := range keys {
		_, err := s.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32))
		r.code(err, ckr.KeyHandleInvalid)
	}
	r.seen(s, 0, private)
}

// rsaKeys: generated, used in every way that the key claims, and destroyed.
func rsaKeys(r *rig) {
	if !r.does(mechanism.RSAKeyPairGen{}, mechanism.FlagGenerateKeyPair) {
		r.without("RSA key pairs")
		return
	}
	ctx := r.Context()
	s := r.user()
	pubObject, priv, ok := r.generate(s, mechanism.RSAKeyPairGen{}, "rsa", object.AttrModulusBits.Is(2048))
	if !ok {
		return
	}
	r.guarded(priv, object.AttrPrivateExponent)
	key, err := s.Key(ctx, priv)
	r.must(err)
	pub := key.Public().(*rsa.PublicKey)
	can, err := s.Mechanisms(ctx, priv)
	r.must(err)
	r.signs(s, priv)
	msg := []byte("to be signed")
	digest := sha256.Sum256(msg)
	for _, m := range []mechanism.Mechanism{
		mechanism.RSAPKCS{Hash: crypto.SHA256}, mechanism.RSAPSS{Hash: crypto.SHA256, MGF: crypto.SHA256, Salt: 32},
	} {
		if !can[m.Type()].Flags.Has(mechanism.FlagSign) {
			continue
		}
		sig, err := s.Sign(ctx, m, priv, msg)
		r.must(err)
		r.must(s.Verify(ctx, m, pubObject, msg, sig))
		if _, pss := m.(mechanism.RSAPSS); pss {
			err = rsa.VerifyPSS(pub, crypto.SHA256, digest[:], sig, nil)
		} else {
			err = rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig)
		}
		r.must(err)
		sig[5] ^= 1
		r.code(s.Verify(ctx, m, pubObject, msg, sig), ckr.SignatureInvalid)
	}
	r.decrypts(s, priv, pub, can)
	r.must(s.Logout(ctx))
	_, err = s.Sign(ctx, mechanism.RSAPKCS{Hash: crypto.SHA256}, priv, msg)
	r.code(err, ckr.KeyHandleInvalid, ckr.UserNotLoggedIn)
}

func (r *rig) decrypts(s *session.Session, priv *object.Object, pub *rsa.PublicKey, can map[mechanism.Type]mechanism.Info) {
	r.Helper()
	for _, m := range []mechanism.Mechanism{mechanism.RSAPKCS{}, mechanism.RSAOAEP{Hash: crypto.SHA256, MGF: crypto.SHA256}} {
		if !can[m.Type()].Flags.Has(mechanism.FlagDecrypt) {
			continue
		}
		var secret []byte
		var err error
		if _, oaep := m.(mechanism.RSAOAEP); oaep {
			secret, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, pub, []byte("noon"), nil)
		} else {
			secret, err = rsa.EncryptPKCS1v15(rand.Reader, pub, []byte("noon"))
		}
		r.must(err)
		plain, err := s.Decrypt(r.Context(), m, priv, secret)
		if err != nil || string(plain) != "noon" {
			r.Errorf("%v: %q, %v", m.Type(), plain, err)
		}
		_, err = s.Decrypt(r.Context(), m, priv, secret[:len(secret)-1])
		r.code(err, ckr.EncryptedDataLenRange, ckr.EncryptedDataInvalid)
	}
}

// ecKeys: generated on every curve that the token has, and used to sign and to
// agree on secrets.
func ecKeys(r *rig) {
	if !r.does(mechanism.ECKeyPairGen{}, mechanism.FlagGenerateKeyPair) {
		r.without("EC key pairs")
		return
	}
	ctx := r.Context()
	s := r.user()
	for _, c := range curves {
		_, priv, ok := r.generate(s, mechanism.ECKeyPairGen{}, c.name, object.AttrECParams.Is(c.params))
		if !ok {
			continue
		}
		r.guarded(priv, object.Attr[*big.Int]{Type: object.AttrValue.Type})
		can, err := s.Mechanisms(ctx, priv)
		r.must(err)
		if can[mechanism.TypeECDSA].Flags.Has(mechanism.FlagSign) {
			r.signs(s, priv)
		}
		if can[mechanism.TypeECDH1Derive].Flags.Has(mechanism.FlagDerive) {
			r.agrees(s, priv, c)
		}
		if r.offered("destroy", s.Destroy(ctx, priv)) {
			r.seen(s, 0, object.AttrClass.Is(object.ClassPrivateKey), labelled(c.name))
		}
	}
}

// agrees checks a key agreement against the standard library's.
func (r *rig) agrees(s *session.Session, priv *object.Object, c curve) {
	r.Helper()
	key, err := s.Key(r.Context(), priv)
	r.must(err)
	exchanger, ok := key.(ecdh.KeyExchanger)
	if !ok {
		r.Errorf("%s: the key is no ecdh.KeyExchanger", c.name)
		return
	}
	peer, err := c.ecdh.GenerateKey(rand.Reader)
	r.must(err)
	ours, err := exchanger.ECDH(peer.PublicKey())
	r.must(err)
	pub, err := key.Public().(*ecdsa.PublicKey).ECDH()
	r.must(err)
	theirs, err := peer.ECDH(pub)
	r.must(err)
	if !bytes.Equal(ours, theirs) {
		r.Errorf("%s: the secrets differ", c.name)
	}
}

// importedKeys: a private key that is stored signs like any other, and does
// not come out again.
func importedKeys(r *rig) {
	ctx := r.Context()
	s := r.user()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r.must(err)
	d, err := ec.Bytes()
	r.must(err)
	priv, err := s.Create(ctx, r.named("imported", []byte{9}).With(
		object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyEC), object.AttrToken.Is(true),
		object.AttrECParams.Is(curves[0].params), object.Attr[[]byte]{Type: object.AttrValue.Type}.Is(d))...)
	if !r.offered("imported EC keys", err) {
		return
	}
	digest := sha256.Sum256([]byte("to be signed"))
	raw, err := s.Sign(ctx, mechanism.ECDSA{}, priv, digest[:])
	r.must(err)
	half := len(raw) / 2
	if !ecdsa.Verify(&ec.PublicKey, digest[:], new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])) {
		r.Error("the signature does not verify")
	}
	if local, err := object.Get(ctx, priv, object.AttrLocal); err != nil || local {
		r.Errorf("CKA_LOCAL is %v, %v", local, err)
	}
	_, err = object.Get(ctx, priv, object.AttrValue)
	r.code(err, ckr.AttributeSensitive)
}

// secretKeys: an AES key on the token does what the standard library does.
func secretKeys(r *rig) {
	if !r.does(mechanism.AESCBC{}, mechanism.FlagEncrypt|mechanism.FlagDecrypt) {
		r.without("AES")
		return
	}
	ctx := r.Context()
	s := r.user()
	value := []byte("0123456789abcdef")
	for _, onToken := range []bool{false, true} {
		key, err := s.Create(ctx,
			object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrToken.Is(onToken),
			labelled("aes"), object.AttrID.Is([]byte{7}), object.AttrValue.Is(value),
			object.AttrEncrypt.Is(true), object.AttrDecrypt.Is(true))
		if !r.offered("AES keys", err) {
			continue
		}
		can, err := s.Mechanisms(ctx, key)
		r.must(err)
		if !can[mechanism.TypeAESCBC].Flags.Has(mechanism.FlagEncrypt | mechanism.FlagDecrypt) {
			continue
		}
		m := mechanism.AESCBC{IV: bytes.Repeat([]byte{3}, 16)}
		plain := bytes.Repeat([]byte("sixteen bytes..."), 20)
		got, err := s.Encrypt(ctx, m, key, plain)
		r.must(err)
		block, err := aes.NewCipher(value)
		r.must(err)
		want := make([]byte, len(plain))
		cipher.NewCBCEncrypter(block, m.IV).CryptBlocks(want, plain)
		if !bytes.Equal(got, want) {
			r.Errorf("on the token %v: not what AES-CBC gives", onToken)
		}
		back, err := s.Decrypt(ctx, m, key, got)
		if err != nil || !bytes.Equal(back, plain) {
			r.Errorf("on the token %v: decrypted %d bytes, %v", onToken, len(back), err)
		}
	}
}
