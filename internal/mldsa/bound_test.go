package mldsa

import (
	"bytes"
	"crypto/sha3"
	"testing"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
)

// TestLargeSignaturesAreRefused makes signatures by a signer who rejects too few:
// they verify but for the bound of their coefficients.
func TestLargeSignaturesAreRefused(t *testing.T) {
	careless := MLDSA44
	careless.beta = 0
	public, private := mldsa44.NewKeyFromSeed(new([mldsa44.SeedSize]byte))
	message := []byte("message")
	mu := Representative(PublicKeyHash(public.Bytes()), []byte{0, 0}, message)
	refused := 0
	for i := range 200 {
		signature := careless.Sign(private.Bytes(), mu, sha3.SumSHAKE256([]byte{byte(i)}, 32))
		_, z, _, ok := MLDSA44.decodeSignature(signature)
		if !ok || !careless.Verify(public.Bytes(), mu, signature) {
			continue
		}
		large := exceed(z, MLDSA44.gamma1()-MLDSA44.beta)
		if large {
			refused++
		}
		if got := MLDSA44.Verify(public.Bytes(), mu, signature); got == large || got != mldsa44.Verify(public, message, nil, signature) {
			t.Errorf("%d: verifies: %v, although large: %v", i, got, large)
		}
	}
	if refused == 0 {
		t.Error("no large signature came up")
	}
}

func TestPackingIsUndone(t *testing.T) {
	for _, width := range []int{3, 4, 6, 10, 13, 18, 20} {
		var p, back poly
		for i := range p {
			p[i] = uint32(i) * 2654435761 & (1<<width - 1)
		}
		packed := pack(nil, &p, width)
		if unpack(&back, packed, width); back != p || len(packed) != n*width/8 || !bytes.Equal(packed, pack(nil, &back, width)) {
			t.Errorf("%d bits: another polynomial", width)
		}
	}
}
