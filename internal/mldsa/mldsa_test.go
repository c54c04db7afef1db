package mldsa_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cloudflare/circl/sign"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"

	"github.com/go-cryptoki/cryptoki/internal/mldsa"
)

// A set has a parameter set here and in circl, whose deterministic signatures
// must be the same.
type set struct {
	ours   mldsa.Parameters
	theirs sign.Scheme
	sign   func(key sign.PrivateKey, message, context []byte) []byte
}

var sets = map[string]set{
	"ML-DSA-44": {mldsa.MLDSA44, mldsa44.Scheme(), func(key sign.PrivateKey, message, context []byte) []byte {
		out := make([]byte, mldsa44.SignatureSize)
		mldsa44.SignTo(key.(*mldsa44.PrivateKey), message, context, false, out)
		return out
	}},
	"ML-DSA-65": {mldsa.MLDSA65, mldsa65.Scheme(), func(key sign.PrivateKey, message, context []byte) []byte {
		out := make([]byte, mldsa65.SignatureSize)
		mldsa65.SignTo(key.(*mldsa65.PrivateKey), message, context, false, out)
		return out
	}},
	"ML-DSA-87": {mldsa.MLDSA87, mldsa87.Scheme(), func(key sign.PrivateKey, message, context []byte) []byte {
		out := make([]byte, mldsa87.SignatureSize)
		mldsa87.SignTo(key.(*mldsa87.PrivateKey), message, context, false, out)
		return out
	}},
}

// A pair is a key pair of a set, in both forms.
type pair struct {
	set
	public           sign.PublicKey
	private          sign.PrivateKey
	encoded, encpriv []byte
}

func (s set) pair(t *testing.T, random *rand.ChaCha8) pair {
	t.Helper()
	seed := make([]byte, s.theirs.SeedSize())
	random.Read(seed)
	p := pair{set: s}
	p.public, p.private = s.theirs.DeriveKey(seed)
	var err, err2 error
	p.encoded, err = p.public.MarshalBinary()
	p.encpriv, err2 = p.private.MarshalBinary()
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return p
}

// pure formats a message as ML-DSA without a hash function does.
func (p pair) pure(message, context []byte) []byte {
	return mldsa.Representative(mldsa.PublicKeyHash(p.encoded), []byte{0, byte(len(context))}, context, message)
}

func TestSizesAreThoseOfTheScheme(t *testing.T) {
	for name, s := range sets {
		got := []int{s.ours.PublicSize(), s.ours.PrivateSize(), s.ours.SignatureSize()}
		want := []int{s.theirs.PublicKeySize(), s.theirs.PrivateKeySize(), s.theirs.SignatureSize()}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestSignaturesAreThoseOfAnotherImplementation signs messages by several keys,
// among which each reason for a rejection comes up.
func TestSignaturesAreThoseOfAnotherImplementation(t *testing.T) {
	for name, s := range sets {
		random := rand.NewChaCha8([32]byte{1})
		for i := range 40 {
			p := s.pair(t, random)
			message, context := make([]byte, i*7), make([]byte, i)
			random.Read(message)
			random.Read(context)
			mu := p.pure(message, context)
			if hashed := mldsa.PrivateKeyHash(p.encpriv); !bytes.Equal(hashed, mldsa.PublicKeyHash(p.encoded)) {
				t.Fatalf("%s: the private key has the hash %x", name, hashed)
			}
			got := p.ours.Sign(p.encpriv, mu, make([]byte, 32))
			if want := p.sign(p.private, message, context); !bytes.Equal(got, want) {
				t.Fatalf("%s, %d: another signature", name, i)
			}
			hedged := p.ours.Sign(p.encpriv, mu, bytes.Repeat([]byte{byte(i + 1)}, 32))
			if bytes.Equal(hedged, got) {
				t.Errorf("%s, %d: random bytes change nothing", name, i)
			}
			for _, signature := range [][]byte{got, hedged} {
				if !p.ours.Verify(p.encoded, mu, signature) {
					t.Errorf("%s, %d: our signature does not verify here", name, i)
				}
				if !p.theirs.Verify(p.public, message, signature, &sign.SignatureOpts{Context: string(context)}) {
					t.Errorf("%s, %d: our signature does not verify there", name, i)
				}
			}
		}
	}
}

// TestAlteredSignaturesAreJudgedAsElsewhere alters every byte of the hint and some
// of the others.
func TestAlteredSignaturesAreJudgedAsElsewhere(t *testing.T) {
	for name, s := range sets {
		random := rand.NewChaCha8([32]byte{2})
		p := s.pair(t, random)
		message := []byte("message")
		mu := p.pure(message, nil)
		good := p.ours.Sign(p.encpriv, mu, make([]byte, 32))
		try := func(what string, signature []byte) {
			t.Helper()
			ours := p.ours.Verify(p.encoded, mu, signature)
			if theirs := p.theirs.Verify(p.public, message, signature, &sign.SignatureOpts{}); ours != theirs || ours {
				t.Errorf("%s, %s: %v here, %v elsewhere", name, what, ours, theirs)
			}
		}
		hint := len(good) - map[string]int{"ML-DSA-44": 80 + 4, "ML-DSA-65": 55 + 6, "ML-DSA-87": 75 + 8}[name]
		for at := range good {
			if at < hint && at%97 != 0 {
				continue
			}
			for _, change := range []byte{1, 0x80, 0xff} {
				bad := bytes.Clone(good)
				bad[at] ^= change
				try(fmt.Sprintf("byte %d by %#x", at, change), bad)
			}
		}
		for at := hint; at+1 < len(good); at++ {
			bad := bytes.Clone(good)
			bad[at], bad[at+1] = bad[at+1], bad[at]
			if !bytes.Equal(bad, good) {
				try(fmt.Sprintf("bytes %d and %d exchanged", at, at+1), bad)
			}
		}
		large := bytes.Clone(good)
		clear(large[64:200]) // coefficients of γ₁
		try("large coefficients", large)
		for _, n := range []int{0, 1, len(good) - 1} {
			if p.ours.Verify(p.encoded, mu, good[:n]) {
				t.Errorf("%s: %d bytes verify", name, n)
			}
		}
		if p.ours.Verify(p.encoded, mu, append(good, 0)) || p.ours.Verify(p.encoded[1:], mu, good) {
			t.Errorf("%s: a wrong length verifies", name)
		}
		other := p.pure([]byte("massage"), nil)
		if p.ours.Verify(p.encoded, other, good) {
			t.Errorf("%s: the signature of another message verifies", name)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	for name, s := range sets {
		seed := make([]byte, s.theirs.SeedSize())
		public, private := s.theirs.DeriveKey(seed)
		encoded, _ := public.MarshalBinary()
		encpriv, _ := private.MarshalBinary()
		p := pair{set: s, encoded: encoded}
		mu := p.pure([]byte("message"), nil)
		b.Run(name, func(b *testing.B) {
			random := make([]byte, 32)
			for b.Loop() {
				random[0]++
				s.ours.Sign(encpriv, mu, random)
			}
		})
	}
}
