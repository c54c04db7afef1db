package session_test

import (
	"bytes"
	"crypto"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestMessagesHaveNoncesOfTheirOwn encrypts and decrypts messages with each
// generator.
func TestMessagesHaveNoncesOfTheirOwn(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	key := secretKey(t, s, object.KeyAES, counted(32))
	chacha := secretKey(t, s, object.KeyChaCha20, counted(32))
	aad, plain := []byte("header"), []byte("the message")
	for _, c := range []struct {
		m   mechanism.Mechanism
		key *object.Object
	}{{mechanism.AESGCM{}, key}, {mechanism.AESGCM{TagBits: 96}, key}, {mechanism.AESCCM{MACLen: 8}, key}, {mechanism.ChaCha20Poly1305{}, chacha}} {
		seal := must(s.NewEncryptMessages(ctx, c.m, c.key))(t)
		open := must(s.NewDecryptMessages(ctx, c.m, c.key))(t)
		for _, n := range []mechanism.Nonce{
			{Value: counted(12), Generator: mechanism.Generate}, {Value: counted(12), Generator: mechanism.GenerateRandom, FixedBits: 32},
			{Value: counted(12), Generator: mechanism.GenerateCounter, FixedBits: 36}, {Value: counted(12), Generator: mechanism.GenerateCounterXOR},
		} {
			one, two := must(seal.Encrypt(ctx, n, aad, plain))(t), must(seal.Encrypt(ctx, n, aad, plain))(t)
			if bytes.Equal(one.Nonce, two.Nonce) {
				t.Errorf("%v, generator %d: the nonce %x twice", c.m.Type(), n.Generator, one.Nonce)
			}
			if n.FixedBits >= 32 && !bytes.Equal(one.Nonce[:4], n.Value[:4]) {
				t.Errorf("generator %d: the fixed part is %x", n.Generator, one.Nonce)
			}
			for _, sealed := range []mechanism.Seal{one, two} {
				if got := must(open.Decrypt(ctx, sealed, aad))(t); !bytes.Equal(got, plain) {
					t.Errorf("%v: %q", c.m.Type(), got)
				}
				sealed.Data = append([]byte{sealed.Data[0] ^ 1}, sealed.Data[1:]...)
				_, err := open.Decrypt(ctx, sealed, aad)
				isCode(t, err, ckr.AEADDecryptFailed)
			}
			_, err := open.Decrypt(ctx, one, nil)
			isCode(t, err, ckr.AEADDecryptFailed)
			one.Tag = one.Tag[1:]
			_, err = open.Decrypt(ctx, one, aad)
			isCode(t, err, ckr.MechanismParamInvalid)
		}
		noError(t, seal.Close())
		_, err := seal.Encrypt(ctx, mechanism.Nonce{Value: counted(12)}, nil, nil)
		isCode(t, err, ckr.OperationNotInitialized)
	}
}

// TestCountersOfNoncesEnd runs a counter of two bits out.
func TestCountersOfNoncesEnd(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	seal := must(s.NewEncryptMessages(ctx, mechanism.AESGCM{}, secretKey(t, s, object.KeyAES, counted(32))))(t)
	n := mechanism.Nonce{Value: counted(12), Generator: mechanism.GenerateCounter, FixedBits: 94}
	for range 4 {
		must(seal.Encrypt(ctx, n, nil, nil))(t)
	}
	_, err := seal.Encrypt(ctx, n, nil, nil)
	isCode(t, err, ckr.KeyExhausted)
	for name, bad := range map[string]mechanism.Nonce{
		"no nonce":          {},
		"unknown generator": {Value: counted(12), Generator: 9},
		"nothing to change": {Value: counted(12), Generator: mechanism.GenerateCounter, FixedBits: 96},
		"too little random": {Value: counted(12), Generator: mechanism.GenerateRandom, FixedBits: 64},
		"negative fixed":    {Value: counted(12), FixedBits: -1},
	} {
		if _, err := seal.Encrypt(ctx, bad, nil, nil); ckr.Of(err) != ckr.MechanismParamInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMessagesInParts are told at their end.
func TestMessagesInParts(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	key := secretKey(t, s, object.KeyAES, counted(32))
	seal := must(s.NewEncryptMessages(ctx, mechanism.AESGCM{}, key))(t)
	n := mechanism.Nonce{Value: counted(12)}
	want := must(seal.Encrypt(ctx, n, []byte("h"), counted(40)))(t)
	isCode(t, seal.Next(nil), ckr.OperationNotInitialized)
	noError(t, seal.Begin(n, []byte("h")))
	isCode(t, seal.Begin(n, nil), ckr.OperationActive)
	_, err := seal.Encrypt(ctx, n, nil, nil)
	isCode(t, err, ckr.OperationActive)
	noError(t, seal.Next(counted(40)[:17]))
	if diff := cmp.Diff(want, must(seal.Last(ctx, counted(40)[17:]))(t)); diff != "" {
		t.Error(diff)
	}
	open := must(s.NewDecryptMessages(ctx, mechanism.AESGCM{}, key))(t)
	noError(t, open.Begin(want.Nonce, []byte("h")))
	noError(t, open.Next(want.Data[:3]))
	if got := must(open.Last(ctx, want.Data[3:], want.Tag))(t); !bytes.Equal(got, counted(40)) {
		t.Errorf("%x", got)
	}
	noError(t, open.Begin(want.Nonce, []byte("x")))
	_, err = open.Last(ctx, want.Data, want.Tag)
	isCode(t, err, ckr.AEADDecryptFailed)
	noError(t, s.Logout(ctx))
	_, err = seal.Encrypt(ctx, n, nil, nil)
	hasCode(t, err, "CKR_USER_NOT_LOGGED_IN|CKR_KEY_HANDLE_INVALID")
}

// TestSignaturesOfManyMessages signs and verifies under one grant.
func TestSignaturesOfManyMessages(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	pub, priv := pair(t, s, engine.PrivateSession, "k")
	m := mechanism.ECDSA{Hash: crypto.SHA256}
	sign, verify := must(s.NewSignMessages(ctx, m, priv))(t), must(s.NewVerifyMessages(ctx, m, pub))(t)
	for _, message := range [][]byte{nil, []byte("a"), counted(1000)} {
		sig := must(sign.Sign(ctx, message))(t)
		noError(t, verify.Verify(ctx, message, sig))
		isCode(t, verify.Verify(ctx, append(message, 0), sig), ckr.SignatureInvalid)
		first := must(s.NewVerifySignature(ctx, m, pub, sig))(t)
		first.Write(message)
		noError(t, first.Verify(ctx))
		isCode(t, first.Verify(ctx), ckr.OperationNotInitialized)
	}
	noError(t, sign.Close())
	_, err := sign.Sign(ctx, nil)
	isCode(t, err, ckr.OperationNotInitialized)
}

// TestSignaturesTellTheirData recovers data from RSA signatures.
func TestSignaturesTellTheirData(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	pub, priv, err := s.GenerateKeyPair(ctx, mechanism.RSAKeyPairGen{},
		object.Template{object.AttrModulusBits.Is(2048), object.AttrVerifyRecover.Is(true), object.AttrVerify.Is(true)},
		object.Template{object.AttrSignRecover.Is(true)})
	noError(t, err)
	sig := must(s.SignRecover(ctx, mechanism.RSAPKCS{}, priv, []byte("data")))(t)
	if got := must(s.VerifyRecover(ctx, mechanism.RSAPKCS{}, pub, sig))(t); string(got) != "data" {
		t.Errorf("%q", got)
	}
	noError(t, s.Verify(ctx, mechanism.RSAPKCS{}, pub, []byte("data"), sig))
	sig[9] ^= 1
	_, err = s.VerifyRecover(ctx, mechanism.RSAPKCS{}, pub, sig)
	isCode(t, err, ckr.SignatureInvalid)
	_, err = s.VerifyRecover(ctx, mechanism.RSAPKCS{}, pub, sig[1:])
	isCode(t, err, ckr.SignatureLenRange)
	_, err = s.Sign(ctx, mechanism.RSAPKCS{}, priv, []byte("data"))
	isCode(t, err, ckr.KeyFunctionNotPermitted)
	_, err = s.SignRecover(ctx, mechanism.RSAX509{}, priv, []byte("data"))
	hasCode(t, err, "CKR_MECHANISM_INVALID|CKR_KEY_TYPE_INCONSISTENT")
	isCode(t, s.SeedRandom(ctx, counted(8)), ckr.RandomSeedNotSupported)
}
