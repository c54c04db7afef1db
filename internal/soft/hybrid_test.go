package soft_test

import (
	"bytes"
	"crypto"
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

// pair returns the keys of a case.
func (h hybrid) pair(t *testing.T) pair {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(unhex(h.Key))
	if err != nil {
		t.Fatal(err)
	}
	return pairOf(key.(interface{ Public() crypto.PublicKey }))
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
		keys := h.pair(t)
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
