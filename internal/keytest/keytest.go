// Package keytest holds private keys to what the interfaces of the standard
// library promise: one suite for each interface, run on every back end and
// every type of key.
package keytest

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha256"
	"crypto/sha512"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// Run runs every suite that the key has an interface for. What is named in
// refused, as "Ed25519ph" or "pure, 0 bytes", the key must refuse.
func Run(t *testing.T, key crypto.Signer, refused ...string) {
	t.Helper()
	_, exchangeOnly := key.Public().(*ecdh.PublicKey)
	if _, decapsulateOnly := key.(crypto.Decapsulator); !exchangeOnly && !decapsulateOnly {
		t.Run("Signer", func(t *testing.T) { TestSigner(t, key, refused...) })
	}
	if k, ok := key.(crypto.Decrypter); ok {
		t.Run("Decrypter", func(t *testing.T) { TestDecrypter(t, k) })
	}
	if k, ok := key.(ecdh.KeyExchanger); ok {
		t.Run("KeyExchanger", func(t *testing.T) { TestKeyExchanger(t, k) })
	}
	if k, ok := key.(crypto.Decapsulator); ok {
		t.Run("Decapsulator", func(t *testing.T) { TestDecapsulator(t, k) })
	}
}

// way is one way to sign, and to verify what comes of it.
type way struct {
	name string
	opts crypto.SignerOpts
}

func waysOf(pub crypto.PublicKey) (list []way) {
	hashes := []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}
	switch pub.(type) {
	case ed25519.PublicKey:
		return []way{
			{"pure", crypto.Hash(0)},
			{"Ed25519ph", &ed25519.Options{Hash: crypto.SHA512}},
			{"Ed25519ctx", &ed25519.Options{Context: "context"}},
		}
	case *rsa.PublicKey:
		for _, h := range hashes {
			list = append(list,
				way{"PSS, salt as hash, " + h.String(), &rsa.PSSOptions{Hash: h, SaltLength: rsa.PSSSaltLengthEqualsHash}},
				way{"PSS, longest salt, " + h.String(), &rsa.PSSOptions{Hash: h, SaltLength: rsa.PSSSaltLengthAuto}},
				way{"PSS, salt of 10, " + h.String(), &rsa.PSSOptions{Hash: h, SaltLength: 10}})
		}
	}
	for _, h := range hashes {
		list = append(list, way{h.String(), h})
	}
	return list
}

// digestWays are more ways to sign a digest that is given: those that have no
// mechanism in PKCS #11, or whose hash function this program does not have.
func digestWays(pub crypto.PublicKey) (list []way) {
	hashes := []crypto.Hash{crypto.MD5, crypto.SHA1, crypto.SHA512_256, crypto.SHA3_256, crypto.MD5SHA1, crypto.RIPEMD160}
	switch pub.(type) {
	case *rsa.PublicKey:
		list = append(list, way{"no hash", crypto.Hash(0)})
	case *ecdsa.PublicKey:
		list = append(list, way{"no hash", crypto.Hash(0)}, way{"no options", nil})
		hashes = append(hashes, crypto.BLAKE2b_256)
	default:
		return nil
	}
	for _, h := range hashes {
		list = append(list, way{h.String(), h})
	}
	return list
}

// digestOf hashes a message. A hash function that the program does not have is
// stood in for by as many bytes: whoever signs a digest cannot tell.
func digestOf(msg []byte, opts crypto.SignerOpts) []byte {
	h := crypto.Hash(0)
	if opts != nil {
		h = opts.HashFunc()
	}
	switch {
	case h == 0:
		return msg
	case !h.Available():
		sum := sha512.Sum512(msg)
		return sum[:h.Size()]
	}
	d := h.New()
	d.Write(msg)
	return d.Sum(nil)
}

func verify(pub crypto.PublicKey, digest, sig []byte, opts crypto.SignerOpts) error {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(pub, opts.HashFunc(), digest, sig, pss)
		}
		return rsa.VerifyPKCS1v15(pub, opts.HashFunc(), digest, sig)
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(pub, digest, sig) {
			return fmt.Errorf("crypto/ecdsa does not verify")
		}
		return nil
	case ed25519.PublicKey:
		o, ok := opts.(*ed25519.Options)
		if !ok {
			o = &ed25519.Options{}
		}
		return ed25519.VerifyWithOptions(pub, digest, sig, o)
	}
	return fmt.Errorf("no way to verify with a %T", pub)
}

// TestSigner holds a key to crypto.Signer, and to crypto.MessageSigner if it
// is one.
func TestSigner(t *testing.T, key crypto.Signer, refused ...string) {
	pub := key.Public()
	if e, ok := pub.(interface{ Equal(crypto.PublicKey) bool }); !ok || !e.Equal(key.Public()) {
		t.Error("Public is not the same key each time")
	}
	for _, w := range waysOf(pub) {
		for _, size := range []int{0, 1, 100, 5000} {
			msg := bytes.Repeat([]byte{0x5A}, size)
			digest := digestOf(msg, w.opts)
			given := bytes.Clone(digest)
			sig, err := key.Sign(rand.Reader, digest, w.opts)
			if slices.Contains(refused, w.name) || slices.Contains(refused, fmt.Sprintf("%s, %d bytes", w.name, size)) {
				if err == nil || ckr.Of(err) == ckr.GeneralError {
					t.Errorf("%s, %d bytes: %v, not refused", w.name, size, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, %d bytes: %v", w.name, size, err)
				break
			}
			if !bytes.Equal(given, digest) {
				t.Errorf("%s: the digest was changed", w.name)
			}
			if err := verify(pub, digest, sig, w.opts); err != nil {
				t.Errorf("%s, %d bytes: %v", w.name, size, err)
			}
			m, ok := key.(crypto.MessageSigner)
			if !ok {
				continue
			}
			sig, err = m.SignMessage(rand.Reader, msg, w.opts)
			if err != nil {
				t.Errorf("%s: SignMessage: %v", w.name, err)
			} else if err := verify(pub, digest, sig, w.opts); err != nil {
				t.Errorf("%s: SignMessage: %v", w.name, err)
			}
		}
	}
	for _, w := range digestWays(pub) {
		digest := digestOf([]byte("what is signed, more than a digest"), w.opts)
		sig, err := key.Sign(rand.Reader, digest, w.opts)
		if err != nil {
			t.Errorf("digest of %s: %v", w.name, err)
		} else if err := verify(pub, digest, sig, w.opts); err != nil {
			t.Errorf("digest of %s: %v", w.name, err)
		}
	}
	misuse(t, key)
	together(t, key)
}

// misuse is errors, not panics and not signatures.
func misuse(t *testing.T, key crypto.Signer) {
	t.Helper()
	var isEC, isEd, isRSA bool
	switch key.Public().(type) {
	case *ecdsa.PublicKey:
		isEC = true
	case ed25519.PublicKey:
		isEd = true
	case *rsa.PublicKey:
		isRSA = true
	}
	for _, c := range []struct {
		name    string
		applies bool
		digest  int // bytes
		opts    crypto.SignerOpts
	}{
		{"no options", !isEC, 32, nil},
		{"nil PSS options", true, 32, (*rsa.PSSOptions)(nil)},
		{"nil Ed25519 options", true, 32, (*ed25519.Options)(nil)},
		{"digest too short", true, 31, crypto.SHA256},
		{"digest too long", true, 33, crypto.SHA256},
		{"no digest", true, 0, crypto.SHA256},
		{"digest too short, hash not linked", true, 19, crypto.RIPEMD160},
		{"digest of TLS 1.0 too short", true, 32, crypto.MD5SHA1},
		{"hash not in Go", true, 16, crypto.Hash(200)},
		{"hash without an identifier", isRSA, 32, crypto.BLAKE2b_256},
		{"PSS without a hash", isRSA, 32, &rsa.PSSOptions{}},
		{"PSS, hash not linked", isRSA, 20, &rsa.PSSOptions{Hash: crypto.RIPEMD160}},
		{"PSS, a hash that is two", isRSA, 36, &rsa.PSSOptions{Hash: crypto.MD5SHA1}},
		{"PSS, salt below all", isRSA, 32, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: -2}},
		{"PSS, salt too long", isRSA, 32, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 1000}},
		{"hash for Ed25519", isEd, 32, crypto.SHA256},
	} {
		if !c.applies {
			continue
		}
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s: panic: %v", c.name, p)
				}
			}()
			sig, err := key.Sign(nil, make([]byte, c.digest), c.opts)
			if err == nil || sig != nil {
				t.Errorf("%s: signed", c.name)
			}
			if ckr.Of(err) == ckr.GeneralError {
				t.Errorf("%s: %v", c.name, err)
			}
		}()
	}
	if m, ok := key.(crypto.MessageSigner); ok {
		for name, opts := range map[string]crypto.SignerOpts{"no options": nil, "hash not linked": crypto.RIPEMD160} {
			if sig, err := m.SignMessage(nil, []byte("message"), opts); err == nil || sig != nil {
				t.Errorf("SignMessage, %s: signed", name)
			}
		}
	}
}

// together uses the key from many goroutines.
func together(t *testing.T, key crypto.Signer) {
	t.Helper()
	w := waysOf(key.Public())[0]
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			digest := digestOf([]byte{byte(i)}, w.opts)
			sig, err := key.Sign(rand.Reader, digest, w.opts)
			if err == nil {
				err = verify(key.Public(), digest, sig, w.opts)
			}
			if err != nil {
				t.Errorf("together: %v", err)
			}
		})
	}
	wg.Wait()
}

// TestDecrypter holds an RSA key to crypto.Decrypter with the options of
// crypto/rsa.
func TestDecrypter(t *testing.T, key crypto.Decrypter) {
	pub, ok := key.Public().(*rsa.PublicKey)
	if !ok {
		t.Fatalf("a %T decrypts", key.Public())
	}
	for _, size := range []int{0, 1, 16, 32, pub.Size() - 11} {
		msg := bytes.Repeat([]byte{7}, size)
		secret, err := rsa.EncryptPKCS1v15(rand.Reader, pub, msg)
		if err != nil {
			t.Fatal(err)
		}
		opts := []crypto.DecrypterOpts{nil, &rsa.PKCS1v15DecryptOptions{}}
		if size > 0 {
			opts = append(opts, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: size})
		}
		for _, o := range opts {
			if got, err := key.Decrypt(rand.Reader, secret, o); err != nil || !bytes.Equal(got, msg) {
				t.Errorf("PKCS #1, %d bytes, %+v: %d bytes, %v", size, o, len(got), err)
			}
		}
	}
	for _, o := range []*rsa.OAEPOptions{
		{Hash: crypto.SHA256}, {Hash: crypto.SHA256, Label: []byte("label")}, {Hash: crypto.SHA1}, {Hash: crypto.SHA512, MGFHash: crypto.SHA1},
	} {
		msg := []byte("0123456789abcdef")
		mgf := o.MGFHash
		if mgf == 0 {
			mgf = o.Hash
		}
		secret, err := rsa.EncryptOAEPWithOptions(rand.Reader, pub, msg, &rsa.OAEPOptions{Hash: o.Hash, MGFHash: mgf, Label: o.Label})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := key.Decrypt(rand.Reader, secret, o); err != nil || !bytes.Equal(got, msg) {
			t.Errorf("OAEP %+v: %q, %v", o, got, err)
		}
		secret[len(secret)/2] ^= 1
		if _, err := key.Decrypt(rand.Reader, secret, o); err == nil {
			t.Errorf("OAEP %+v: decrypted what was changed", o)
		}
	}
	wrongPadding(t, key, pub)
}

// wrongPadding is an error without a session key, and a random key with one.
func wrongPadding(t *testing.T, key crypto.Decrypter, pub *rsa.PublicKey) {
	t.Helper()
	bad := make([]byte, pub.Size())
	rand.Read(bad[1:])
	if _, err := key.Decrypt(rand.Reader, bad, &rsa.PKCS1v15DecryptOptions{}); err == nil {
		t.Error("decrypted noise")
	}
	a, err1 := key.Decrypt(rand.Reader, bad, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 32})
	b, err2 := key.Decrypt(rand.Reader, bad, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 32})
	if err1 != nil || err2 != nil || len(a) != 32 || bytes.Equal(a, b) {
		t.Errorf("noise as a session key: %d bytes, %v, %v", len(a), err1, err2)
	}
	for _, n := range []int{0, 1, pub.Size() - 1, pub.Size() + 1} {
		if _, err := key.Decrypt(rand.Reader, make([]byte, n), nil); err == nil {
			t.Errorf("decrypted %d bytes", n)
		}
	}
	if _, err := key.Decrypt(rand.Reader, bad, "options"); err == nil {
		t.Error("took a string for options")
	}
}

// TestKeyExchanger holds a key to ecdh.KeyExchanger.
func TestKeyExchanger(t *testing.T, key ecdh.KeyExchanger) {
	if key.Curve() != key.PublicKey().Curve() {
		t.Error("Curve is not that of PublicKey")
	}
	for range 3 {
		other, err := key.Curve().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		got, err := key.ECDH(other.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		want, err := other.ECDH(key.PublicKey())
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("the secrets differ (%v)", err)
		}
	}
	for _, curve := range []ecdh.Curve{ecdh.P256(), ecdh.P384(), ecdh.P521(), ecdh.X25519()} {
		if curve == key.Curve() {
			continue
		}
		other, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := key.ECDH(other.PublicKey()); err == nil {
			t.Errorf("agreed with a key of %v", curve)
		}
	}
	if _, err := key.ECDH(nil); err == nil {
		t.Error("agreed with nobody")
	}
}

// TestDecapsulator holds a key to crypto.Decapsulator.
func TestDecapsulator(t *testing.T, key crypto.Decapsulator) {
	for range 3 {
		want, ciphertext := key.Encapsulator().Encapsulate()
		got, err := key.Decapsulate(ciphertext)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("the secrets differ (%v)", err)
		}
		if _, err := key.Decapsulate(ciphertext[1:]); err == nil {
			t.Error("decapsulated what is too short")
		}
		ciphertext[0] ^= 1 // implicit rejection: another secret, no error
		if got, err = key.Decapsulate(ciphertext); err != nil || bytes.Equal(got, want) {
			t.Errorf("a changed ciphertext: %v", err)
		}
	}
}
