package p11kit

import (
	"crypto"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/mechanism"
)

// What follows a mechanism's type travels as clients of p11-kit 0.25 and 0.26
// were seen to send it; and what follows that is not touched.
func TestParametersTravel(t *testing.T) {
	iv := []byte("0123456789abcdef")
	for _, x := range []struct {
		want  mechanism.Mechanism
		write func(w *writer)
	}{
		{mechanism.AESCBCPad{IV: iv}, func(w *writer) { w.array(iv) }},
		{mechanism.AESCTR{CounterBits: 32, CB: iv}, func(w *writer) { w.ulong(32); w.array(iv) }},
		{mechanism.AESGCM{IV: iv[:12], AAD: iv[:2], TagBits: 128}, func(w *writer) {
			w.array(iv[:12])
			w.ulong(96)
			w.array(iv[:2])
			w.ulong(128)
		}},
		{mechanism.HMAC{Hash: crypto.SHA256, Length: 12}, func(w *writer) { w.ulong(12) }},
		{mechanism.HMAC{Hash: crypto.SHA512_224, Length: 4}, func(w *writer) { w.ulong(4) }},
		{mechanism.AESCMAC{Length: 8}, func(w *writer) { w.ulong(8) }},
		{mechanism.RSAPSS{Hash: crypto.SHA3_256, MGF: crypto.SHA3_256, Salt: 32}, func(w *writer) {
			w.ulong(uint64(mechanism.TypeSHA3_256))
			w.ulong(uint64(mechanism.MGF1SHA3_256))
			w.ulong(32)
		}},
	} {
		for offered := range byte(3) {
			var w writer
			w.u32(uint32(x.want.Type()))
			if offered >= 2 {
				w.byte(1)
			}
			x.write(&w)
			w.ulong(77)
			r := &reader{b: w.b, offered: offered, rest: "u"}
			if diff := cmp.Diff(x.want, r.mechanism()); diff != "" {
				t.Errorf("version %d, %s (-want +got):\n%s", offered, x.want.Type(), diff)
			}
			if key := r.ulong(); key != 77 || r.err != nil || len(r.b) != 0 {
				t.Errorf("version %d, %s: key %d, %d bytes left, %v", offered, x.want.Type(), key, len(r.b), r.err)
			}
		}
	}
}
