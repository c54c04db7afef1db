package session_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/rsapad"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// wideKey is an RSA key with a public exponent of some bits.
type wideKey struct{ n, e, d *big.Int }

func newWideKey(t testing.TB, bits int) wideKey {
	t.Helper()
	for {
		k := must(rsa.GenerateKey(rand.Reader, 2048))(t)
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(k.Primes[0], one), new(big.Int).Sub(k.Primes[1], one))
		e := must(rand.Int(rand.Reader, new(big.Int).Lsh(one, uint(bits-1))))(t)
		e.SetBit(e, bits-1, 1).SetBit(e, 0, 1)
		if d := new(big.Int).ModInverse(e, phi); d != nil {
			return wideKey{k.N, e, d}
		}
	}
}

func (k wideKey) raw(block []byte) []byte {
	return new(big.Int).Exp(new(big.Int).SetBytes(block), k.d, k.n).FillBytes(make([]byte, 256))
}

// An RSA public key with an exponent that Go's own library does not take is
// stored, shown, verified with and encrypted to, up to the 256 bits of FIPS 186.
func TestWidePublicExponents(t *testing.T) {
	r := newRig(t)
	s := r.openAs(token.User)
	msg := []byte("message")
	digest := sha256.Sum256(msg)
	for _, bits := range []int{31, 32, 33, 63, 64, 65, 256} {
		k := newWideKey(t, bits)
		info := must(rsapad.DigestInfo(crypto.SHA256, digest[:]))(t)
		pkcs1 := k.raw(must(rsapad.PadSignature(256, info))(t))
		pss := k.raw(must(rsapad.PSS(crypto.SHA256, crypto.SHA256, 32, digest[:], 2048))(t))
		for _, onToken := range []bool{false, true} {
			o, err := s.Create(t.Context(),
				object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyRSA), object.AttrToken.Is(onToken),
				object.AttrModulus.Is(k.n), object.AttrPublicExponent.Is(k.e), object.AttrVerify.Is(true), object.AttrEncrypt.Is(true))
			if err != nil {
				t.Errorf("%d bits, on the token %v: %v", bits, onToken, err)
				continue
			}
			for m, sig := range map[mechanism.Mechanism][]byte{
				mechanism.RSAPKCS{Hash: crypto.SHA256}: pkcs1, mechanism.RSAPSS{Hash: crypto.SHA256}: pss,
			} {
				noError(t, s.Verify(t.Context(), m, o, msg, sig))
				isCode(t, s.Verify(t.Context(), m, o, []byte("other"), sig), ckr.SignatureInvalid)
				isCode(t, s.Verify(t.Context(), m, o, msg, bytes.Repeat([]byte{0xFF}, 256)), ckr.SignatureInvalid)
			}
			noError(t, s.Verify(t.Context(), mechanism.RSAPKCS{}, o, info, pkcs1))
			sealed := must(s.Encrypt(t.Context(), mechanism.RSAPKCS{}, o, msg))(t)
			if got, err := rsapad.UnpadMessage(k.raw(sealed)); err != nil || !bytes.Equal(got, msg) {
				t.Errorf("%d bits: PKCS #1 decrypts to %q, %v", bits, got, err)
			}
			sealed = must(s.Encrypt(t.Context(), mechanism.RSAOAEP{Hash: crypto.SHA256}, o, msg))(t)
			if got, err := rsapad.UnpadOAEP(crypto.SHA256, crypto.SHA256, nil, k.raw(sealed)); err != nil || !bytes.Equal(got, msg) {
				t.Errorf("%d bits: OAEP decrypts to %q, %v", bits, got, err)
			}
			if attribute(t, o, object.AttrPublicExponent).Cmp(k.e) != 0 || attribute(t, o, object.AttrModulus).Cmp(k.n) != 0 || attribute(t, o, object.AttrModulusBits) != 2048 {
				t.Errorf("%d bits, on the token %v: another key is shown", bits, onToken)
			}
			var spki struct {
				Algorithm asn1.RawValue
				Key       asn1.BitString
			}
			var inner struct{ N, E *big.Int }
			if _, err := asn1.Unmarshal(attribute(t, o, object.AttrPublicKeyInfo), &spki); err != nil {
				t.Error(err)
			} else if _, err := asn1.Unmarshal(spki.Key.Bytes, &inner); err != nil || inner.E.Cmp(k.e) != 0 {
				t.Errorf("%d bits: SubjectPublicKeyInfo says %v, %v", bits, inner.E, err)
			}
			_, err = s.PublicKey(t.Context(), o)
			if want := map[bool]ckr.Code{true: ckr.KeyTypeInconsistent, false: ckr.OK}[bits > 31]; ckr.Of(err) != want {
				t.Errorf("%d bits, as Go has it: %v", bits, err)
			}
		}
	}
	// Another program, which has made none of them, sees those of the token.
	n := 0
	for o, err := range r.application().openAs(token.User).Find(t.Context(), object.AttrClass.Is(object.ClassPublicKey)) {
		noError(t, err)
		n++
		if attribute(t, o, object.AttrPublicExponent).BitLen() < 31 {
			t.Error("a short exponent")
		}
	}
	if n != 7 {
		t.Errorf("%d keys on the token, not 7", n)
	}
	// Longer ones would make whoever verifies wait.
	k := newWideKey(t, 257)
	_, err := s.Create(t.Context(),
		object.AttrClass.Is(object.ClassPublicKey), object.AttrKeyType.Is(object.KeyRSA),
		object.AttrModulus.Is(k.n), object.AttrPublicExponent.Is(k.e))
	isCode(t, err, ckr.AttributeValueInvalid)
}
