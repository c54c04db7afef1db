package piv_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// quirky are cards with each of the ways that the field has seen.
func quirky() map[string]virtual.PIVPersona {
	all := make(map[string]virtual.PIVPersona)
	for name, q := range map[string]virtual.PIVQuirks{
		"old counters":             {OldCounters: true},
		"blind status":             {BlindStatus: true},
		"reselection drops":        {ReselectDrops: true},
		"no more bytes":            {NoMoreBytes: true},
		"old and costly":           {OldCounters: true, CountsStatus: true},
		"reselection and blind":    {ReselectDrops: true, BlindStatus: true},
		"all but costly and short": {OldCounters: true, BlindStatus: true, ReselectDrops: true},
	} {
		p := virtual.YubiKey57()
		p.Quirks = q
		all[name] = p
	}
	short := virtual.YubiKey57()
	short.Extended = false // its historical bytes say otherwise
	all["no extended lengths"] = short
	return all
}

// A program that uses another application of the card, or only looks at this
// one, takes no login away, whatever the card's ways.
func TestCardsWithQuirksAreUsed(t *testing.T) {
	for name, p := range quirky() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, virtual.WithPIV(p))
			s := r.user(adminHex)
			_, one := r.generate(s, mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048), 0x01)
			_, two := r.generate(s, mechanism.ECKeyPairGen{}, params("P-256"), 0x02)
			rsaKey, err := s.Key(t.Context(), one)
			r.must(err)
			ecKey, err := s.Key(t.Context(), two, session.WithConsent(consent))
			r.must(err)
			der := r.certify(rsaKey)
			r.storeDER(s, der, 0x01)
			for range 2 {
				r.visit()
				for _, k := range []session.Key{rsaKey, ecKey, rsaKey} {
					if _, err := k.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
						t.Error(err)
					}
				}
				v, err := object.Get(t.Context(), r.one(s, object.ClassCertificate, 0x01), object.AttrValue)
				if err != nil || !bytes.Equal(v, der) {
					t.Errorf("%d bytes, %v", len(v), err)
				}
			}
			r.must(s.Logout(t.Context()))
			r.code(s.Login(t.Context(), token.User, pin("999999")), ckr.PINIncorrect)
			r.must(s.Login(t.Context(), token.User, pin(userPIN)))
		})
	}
}

// visit is another program that selects the application for itself.
func (r *rig) visit() {
	r.Helper()
	conn, err := apdu.Dial(r.Context(), r.readers, "Virtual 00")
	r.must(err)
	defer conn.Close()
	r.must(conn.Exclusive(r.Context(), []byte{0xA0, 0x00, 0x00, 0x03, 0x08}, func(ctx context.Context, tx *apdu.Tx) error { return nil }))
}

// Certificates that cannot be expanded, or would become too much, are an error
// of theirs alone (A12).
func TestCompressedCertificates(t *testing.T) {
	packed := func(pack func(w *bytes.Buffer) interface {
		Write([]byte) (int, error)
		Close() error
	}, v []byte) []byte {
		var b bytes.Buffer
		z := pack(&b)
		z.Write(v)
		z.Close()
		return b.Bytes()
	}
	gz := func(w *bytes.Buffer) interface {
		Write([]byte) (int, error)
		Close() error
	} {
		return gzip.NewWriter(w)
	}
	zl := func(w *bytes.Buffer) interface {
		Write([]byte) (int, error)
		Close() error
	} {
		return zlib.NewWriter(w)
	}
	der := tlv.New(0x30, []byte("no certificate, but DER"))
	good := packed(gz, der)
	for name, c := range map[string]struct {
		stored []byte
		ok     bool
	}{
		"gzip":              {good, true},
		"zlib":              {packed(zl, der), true},
		"trailing bytes":    {append(bytes.Clone(good), 1, 2, 3), true},
		"cut off":           {good[:len(good)-6], false},
		"a bomb":            {packed(gz, make([]byte, 1<<20)), false},
		"not compressed":    {der, true},
		"nothing":           {[]byte{0x1F, 0x8B}, false},
		"a damaged content": {append(bytes.Clone(good[:10]), bytes.Repeat([]byte{0xFF}, 20)...), false},
	} {
		t.Run(name, func(t *testing.T) {
			i := virtual.PIVImage{Objects: map[uint32][]byte{
				0x5FC105: tlv.New(0x53, tlv.New(0x70, c.stored), tlv.New(0x71, []byte{1}), tlv.New(0xFE)),
				0x5FC101: tlv.New(0x53, tlv.New(0x70, der), tlv.New(0x71, []byte{0}), tlv.New(0xFE)),
			}}
			r := newRig(t, virtual.WithPIVImage(i))
			s := r.open("")
			v, err := object.Get(t.Context(), r.one(s, object.ClassCertificate, 0x01), object.AttrValue)
			if c.ok != (err == nil && bytes.Equal(v, der)) {
				t.Errorf("%X, %v", v, err)
			}
			if !c.ok {
				r.code(err, ckr.DeviceError)
			}
			v, err = object.Get(t.Context(), r.one(s, object.ClassCertificate, 0x04), object.AttrValue)
			if err != nil || !bytes.Equal(v, der) {
				t.Errorf("the neighbour: %X, %v", v, err)
			}
		})
	}
}

// Whatever a card answers, nothing panics and everything ends.
func TestHostileAnswers(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			persona := virtual.NISTPIV()
			if seed%2 == 0 {
				persona = virtual.YubiKey57()
			}
			i := image(t, images(t)[seed%28])
			armed := false
			card := virtual.New(virtual.WithPIV(persona), virtual.WithPIVImage(i), virtual.Faults(func(_ int, c []byte) virtual.Fault {
				if !armed || rng.IntN(4) > 0 {
					return virtual.Fault{}
				}
				answer := make([]byte, rng.IntN(300))
				for j := range answer {
					answer[j] = byte(rng.Uint32())
				}
				if len(answer) > 4 && rng.IntN(2) == 0 {
					copy(answer, [][]byte{{0x53, 0x82, 0xFF}, {0x7C, 0x84, 0xFF}, {0x7F, 0x49, 0x82}, {0x01, 0x01, 0x07}, {0x53, 0x80}}[rng.IntN(5)])
				}
				words := [][]byte{{0x90, 0}, {0x61, 0x10}, {0x61, 0}, {0x6C, 1}, {0x63, 0xC3}, {0x69, 0x82}, {0x6A, 0x82}, {0x62, 0}, {0, 0}}
				return virtual.Fault{Kind: virtual.Override, Answer: append(answer, words[rng.IntN(len(words))]...)}
			}))
			r := &rig{T: t, card: card}
			r.connect()
			s := r.user(adminHex)
			armed = true
			ctx := t.Context()
			var keys []*object.Object
			for o, err := range s.Find(ctx) {
				if err != nil {
					break
				}
				s.Attributes(ctx, o)
				if o.Class() == object.ClassPrivateKey {
					keys = append(keys, o)
				}
			}
			for _, o := range keys {
				s.Sign(ctx, mechanism.RSAPKCS{}, o, []byte("x"))
				s.Decrypt(ctx, mechanism.RSAPKCS{}, o, make([]byte, 256))
			}
			s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{}, onToken.With(params("P-256")), onToken)
			s.Create(ctx, onToken.With(object.AttrClass.Is(object.ClassData), object.AttrLabel.Is("Security Object"), object.AttrValue.Is([]byte("x")))...)
		})
	}
}
