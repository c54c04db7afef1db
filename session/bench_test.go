package session_test

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"runtime"
	"testing"

	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// populate makes n session objects, of which each has a label and an id of its
// own.
func populate(b *testing.B, s *session.Session, n int) {
	b.Helper()
	for i := range n {
		must(s.Create(context.Background(), object.AttrClass.Is(object.ClassCertificate),
			object.AttrCertificateType.Is(object.CertificateX509), object.AttrSubject.Is([]byte("s")), object.AttrURL.Is("http://x"),
			object.AttrHashOfSubjectPublicKey.Is([]byte("h")), object.AttrHashOfIssuerPublicKey.Is([]byte("h")),
			object.AttrLabel.Is(fmt.Sprint("label ", i)), object.AttrID.Is(fmt.Append(nil, "id ", i))))(b)
	}
}

// BenchmarkFind finds one object among many.
func BenchmarkFind(b *testing.B) {
	ctx := context.Background()
	for _, n := range []int{10, 1000, 100_000} {
		s := newRig(b).openAs(token.User)
		populate(b, s, n)
		label, id := object.AttrLabel.Is(fmt.Sprint("label ", n/2)), object.AttrID.Is(fmt.Append(nil, "id ", n/2))
		class := object.AttrClass.Is(object.ClassCertificate)
		for _, by := range []struct {
			name  string
			match []object.Attribute
		}{{"label", object.Template{label}}, {"id", object.Template{id}}, {"class+id", object.Template{class, id}}} {
			b.Run(fmt.Sprintf("%s/%d", by.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					found := 0
					for _, err := range s.Find(ctx, by.match...) {
						if err != nil {
							b.Fatal(err)
						}
						found++
					}
					if found != 1 {
						b.Fatal(found)
					}
				}
			})
		}
	}
}

// BenchmarkCreateDestroy makes a data object and destroys it.
func BenchmarkCreateDestroy(b *testing.B) {
	ctx := context.Background()
	s := newRig(b).openAs(token.User)
	template := data(engine.PublicSession, "o", object.AttrValue.Is(make([]byte, 64)))
	b.ReportAllocs()
	for b.Loop() {
		o, err := s.Create(ctx, template...)
		if err == nil {
			err = s.Destroy(ctx, o)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAttributes reads three attributes.
func BenchmarkAttributes(b *testing.B) {
	ctx := context.Background()
	s := newRig(b).openAs(token.User)
	o := must(s.Create(ctx, data(engine.PublicSession, "o")...))(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Attributes(ctx, o, object.AttrClass.Type, object.AttrLabel.Type, object.AttrValue.Type); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpenClose opens a session beside another and closes it.
func BenchmarkOpenClose(b *testing.B) {
	ctx := context.Background()
	r := newRig(b)
	r.openAs(token.User)
	b.ReportAllocs()
	for b.Loop() {
		s, err := session.Open(ctx, r.token)
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkObjectMemory tells what a public session data object costs.
func BenchmarkObjectMemory(b *testing.B) {
	s := newRig(b).openAs(token.User)
	const n = 10_000
	for b.Loop() {
		before := inUse()
		for i := range n {
			must(s.Create(context.Background(), data(engine.PublicSession, fmt.Sprint(i), object.AttrValue.Is(make([]byte, 64)))...))(b)
		}
		b.ReportMetric(float64(inUse()-before)/n, "B/object")
	}
	runtime.KeepAlive(s)
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkSession compares session keys with the Go packages below.
func BenchmarkSession(b *testing.B) {
	ctx := context.Background()
	s := newRig(b).openAs(token.User)
	value := make([]byte, 32)
	secret := func(key object.KeyType, more ...object.Attribute) *object.Object {
		return must(s.Create(ctx, object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(key), object.AttrValue.Is(value)}.With(more...)...))(b)
	}
	aesKey := secret(object.KeyAES, object.AttrEncrypt.Is(true))
	macKey := secret(object.KeyGenericSecret, object.AttrSign.Is(true))
	block, err := aes.NewCipher(value)
	noError(b, err)
	gcm, err := cipher.NewGCM(block)
	noError(b, err)
	iv := make([]byte, 12)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	noError(b, err)
	_, ecKey, err := s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{}, object.Template{object.AttrECParams.Is(p256)}, nil)
	noError(b, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	noError(b, err)
	curve, _ := object.CurveByName("Ed25519")
	_, edKey, err := s.GenerateKeyPair(ctx, mechanism.ECEdwardsKeyPairGen{}, object.Template{object.AttrECParams.Is(curve.Params())}, nil)
	noError(b, err)
	for _, size := range []int{64, 16 << 10} {
		input := make([]byte, size)
		compare(b, fmt.Sprint("GCM/", size), size,
			func() error { gcm.Seal(nil, iv, input, nil); return nil },
			func() error { return failed(s.Encrypt(ctx, mechanism.AESGCM{IV: iv}, aesKey, input)) })
		compare(b, fmt.Sprint("HMAC/", size), size,
			func() error {
				h := hmac.New(sha256.New, value)
				h.Write(input)
				h.Sum(nil)
				return nil
			},
			func() error { return failed(s.Sign(ctx, mechanism.HMAC{Hash: crypto.SHA256}, macKey, input)) })
		compare(b, fmt.Sprint("ECDSA/", size), size,
			func() error {
				digest := sha256.Sum256(input)
				return failed(ecdsa.SignASN1(rand.Reader, ec, digest[:]))
			},
			func() error { return failed(s.Sign(ctx, mechanism.ECDSA{Hash: crypto.SHA256}, ecKey, input)) })
		compare(b, fmt.Sprint("Ed25519/", size), size,
			func() error { ed25519.Sign(ed, input); return nil },
			func() error { return failed(s.Sign(ctx, mechanism.EdDSA{}, edKey, input)) })
	}
}

func compare(b *testing.B, name string, size int, std, ours func() error) {
	for _, half := range []struct {
		name string
		f    func() error
	}{{"stdlib", std}, {"session", ours}} {
		b.Run(name+"/"+half.name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := half.f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func failed(_ []byte, err error) error { return err }
