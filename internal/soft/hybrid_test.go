package soft_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"os"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// A hybrid is a key that was wrapped by a temporary AES key, see
// testdata/wrap.py.
type hybrid struct {
	Key                                      string
	KeyBits                                  int
	Hash, MGF, Label, Shared, Value, Wrapped string
}

func hybrids(t *testing.T, file string) (list []hybrid) {
	t.Helper()
	if err := json.Unmarshal(must(os.ReadFile(file)), &list); err != nil || len(list) == 0 {
		t.Fatalf("%s: %d cases, %v", file, len(list), err)
	}
	return list
}

// pair returns the keys of a case. ok is false for keys that the FIPS mode of
// the test forbids.
func (h hybrid) pair(t *testing.T) (p pair, ok bool) {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(unhex(h.Key))
	if err != nil {
		if !fips140.Enforced() {
			t.Fatal(err)
		}
		return pair{}, false
	}
	return pairOf(key.(interface{ Public() crypto.PublicKey })), true
}

var anySecret = object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret)}

// unwraps checks that a case is unwrapped as others wrapped it, that what is
// altered or cut is refused, and that what is wrapped here is unwrapped, too.
func (h hybrid) unwraps(t *testing.T, keys pair, m mechanism.Mechanism, head int) {
	t.Helper()
	wrapped, value := unhex(h.Wrapped), unhex(h.Value)
	got, err := soft.Unwrap(keys.private, m, wrapped, anySecret)
	if forbidden(err) {
		return
	}
	if err != nil || !bytes.Equal(got, value) {
		t.Errorf("%#v: %x, %v, want %x", m, got, err, value)
	}
	again, err := soft.Wrap(keys.public, m, value)
	if err != nil || len(again) != len(wrapped) || bytes.Equal(again, wrapped) {
		t.Errorf("%#v: wrapped to %d bytes, %v, want %d others", m, len(again), err, len(wrapped))
	}
	if got, err = soft.Unwrap(keys.private, m, again, anySecret); err != nil || !bytes.Equal(got, value) {
		t.Errorf("%#v: %x comes back, %v", m, got, err)
	}
	for _, at := range []int{0, head - 1, head, len(wrapped) - 1} {
		bad := bytes.Clone(wrapped)
		bad[at] ^= 1
		if _, err := soft.Unwrap(keys.private, m, bad, anySecret); ckr.Of(err) != ckr.WrappedKeyInvalid {
			t.Errorf("%#v: altered at %d: %v", m, at, err)
		}
	}
	for _, n := range []int{0, head - 1, head, head + 8, len(wrapped) - 1} {
		if _, err := soft.Unwrap(keys.private, m, wrapped[:n], anySecret); ckr.Of(err) != ckr.WrappedKeyLenRange {
			t.Errorf("%#v: cut to %d bytes: %v", m, n, err)
		}
	}
	for _, k := range []*soft.Material{keys.public, aesKey()} {
		if _, err := soft.Unwrap(k, m, wrapped, anySecret); ckr.Of(err) != ckr.UnwrappingKeyTypeInconsistent {
			t.Errorf("%#v by %v: %v", m, k, err)
		}
	}
	if _, err := soft.Encrypt(keys.public, m, value); ckr.Of(err) != ckr.MechanismInvalid {
		t.Errorf("%#v encrypts: %v", m, err)
	}
}

func TestRSAAESKeyWrap(t *testing.T) {
	for _, h := range hybrids(t, "testdata/rsa_aes_key_wrap.json") {
		keys, ok := h.pair(t)
		if !ok {
			continue
		}
		m := mechanism.RSAAESKeyWrap{
			KeyBits: h.KeyBits,
			OAEP:    mechanism.RSAOAEP{Hash: hashNames[h.Hash], MGF: hashNames[h.MGF], Label: unhex(h.Label)},
		}
		h.unwraps(t, keys, m, len(unhex(h.Wrapped))-(len(unhex(h.Value))+7)/8*8-8)
		other := m
		other.KeyBits = 128 + 192 - min(h.KeyBits, 192)
		if _, err := soft.Unwrap(keys.private, other, unhex(h.Wrapped), anySecret); ckr.Of(err) != ckr.WrappedKeyInvalid && !forbidden(err) {
			t.Errorf("a temporary key of %d bits instead of %d: %v", h.KeyBits, other.KeyBits, err)
		}
	}
	for _, m := range []mechanism.RSAAESKeyWrap{
		{KeyBits: 256}, {OAEP: mechanism.RSAOAEP{Hash: crypto.SHA256}}, {KeyBits: 512, OAEP: mechanism.RSAOAEP{Hash: crypto.SHA256}},
	} {
		if err := mechanism.Check(m); ckr.Of(err) != ckr.MechanismParamInvalid {
			t.Errorf("%#v: %v", m, err)
		}
	}
	if fips140.Enforced() {
		return
	}
	small := must(private(must(rsa.GenerateKey(rand.Reader, 1024))))
	m := mechanism.RSAAESKeyWrap{KeyBits: 256, OAEP: mechanism.RSAOAEP{Hash: crypto.SHA512}}
	if _, err := soft.Unwrap(small, m, make([]byte, 160), anySecret); ckr.Of(err) != ckr.WrappedKeyInvalid {
		t.Errorf("a key too small for the hash function: %v", err)
	}
}

func TestECDHAESKeyWrap(t *testing.T) {
	kdfs := map[string]mechanism.KDF{"": 0, "SHA-256": mechanism.KDFSHA256, "SHA-384": mechanism.KDFSHA384, "SHA-512": mechanism.KDFSHA512}
	for _, h := range hybrids(t, "testdata/ecdh_aes_key_wrap.json") {
		m := mechanism.ECDHAESKeyWrap{KeyBits: h.KeyBits, KDF: kdfs[h.Hash], SharedData: unhex(h.Shared)}
		if keys, ok := h.pair(t); ok {
			h.unwraps(t, keys, m, len(unhex(h.Wrapped))-(len(unhex(h.Value))+7)/8*8-8)
		}
	}
	for _, m := range []mechanism.ECDHAESKeyWrap{{}, {KeyBits: 64}, {KeyBits: 128, KDF: mechanism.KDFSHA1ASN1}, {KeyBits: 128, SharedData: []byte{1}}} {
		if err := mechanism.Check(m); ckr.Of(err) != ckr.MechanismParamInvalid {
			t.Errorf("%#v: %v", m, err)
		}
	}
	p224 := pairOf(must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)))
	m := mechanism.ECDHAESKeyWrap{KeyBits: 256}
	if _, err := soft.Wrap(p224.public, m, sixteen); ckr.Of(err) != ckr.WrappingKeySizeRange {
		t.Errorf("a shared secret that is too short: %v", err)
	}
	if fips140.Enforced() {
		return
	}
	x448, _ := object.CurveByName("X448")
	pub, priv, err := soft.GenerateKeyPair(mechanism.ECMontgomeryKeyPairGen{}, object.Template{object.AttrECParams.Is(x448.Params())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	key := object.AttrKeyType.Is(object.KeyECMontgomery)
	public := must(soft.NewMaterial(pub.With(object.AttrClass.Is(object.ClassPublicKey), key, object.AttrECParams.Is(x448.Params()))))
	private := must(soft.NewMaterial(priv.With(object.AttrClass.Is(object.ClassPrivateKey), key)))
	wrapped, err := soft.Wrap(public, m, sixteen)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := soft.Unwrap(private, m, wrapped, anySecret); err != nil || !bytes.Equal(got, sixteen) {
		t.Errorf("X448: %x, %v", got, err)
	}
	clear(wrapped[:x448.Bytes])
	if _, err := soft.Unwrap(private, m, wrapped, anySecret); ckr.Of(err) != ckr.WrappedKeyInvalid {
		t.Errorf("a point of small order: %v", err)
	}
}
