package faults_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// A1
func shortAnswers(t *testing.T) {
	newRig(t).rewritten(true,
		func([]byte) []byte { return nil },
		func(a []byte) []byte { return a[:1] },
	)
}

// ended sends a reading command to a card that answers the same for ever, and
// counts.
func ended(t *testing.T, answer []byte) (rounds int, data []byte) {
	t.Helper()
	start := time.Now()
	data, err := script(func([]byte) ([]byte, error) {
		if rounds++; rounds > 10000 {
			panic("no end")
		}
		return answer, nil
	}).ask(t.Context(), apdu.Command{INS: 0xCB, P1: 0x3F, P2: 0xFF, Le: 256})
	if err == nil {
		t.Errorf("%d bytes and no error", len(data))
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	return rounds, data
}

// A2
func endlessEmpty(t *testing.T) {
	if n, _ := ended(t, []byte{0x61, 0x00}); n > 4 {
		t.Errorf("%d rounds", n)
	}
}

// A3
func endlessFull(t *testing.T) {
	bytes := allocated(func() {
		n, data := ended(t, append(make([]byte, 256), 0x61, 0x00))
		if n > 513 || len(data) > 1<<16 {
			t.Errorf("%d rounds, %d bytes", n, len(data))
		}
	})
	if bytes > 1<<20 {
		t.Errorf("%d bytes were allocated", bytes)
	}
	fullObjects(t)
}

// fullObjects has every object of a card be as long as an answer may be.
func fullObjects(t *testing.T) {
	for name, p := range pivPersonas() {
		r := pivRig(t, p, nil)
		parts := 0
		r.answers(func(command, answer []byte) []byte {
			switch command[1] {
			case 0xCB:
				parts = 0
			case 0xC0:
			default:
				return answer
			}
			part := bytes.Repeat([]byte{0x53}, 256)
			switch parts++; parts {
			case 255:
				return append(part, 0x61, 0xFF)
			case 256:
				return append(part[:255], 0x90, 0x00)
			}
			return append(part, 0x61, 0x00)
		})
		s := r.user()
		water := newHighWater()
		var shown []*object.Object
		water.during(func() { shown = r.find(s) })
		for _, o := range shown {
			water.during(func() {
				if _, err := s.Attributes(r.ctx, o); err != nil {
					r.code(err, documented...)
				}
			})
		}
		t.Logf("%s: %d objects shown, at most %d bytes on the heap", name, len(shown), water.peak)
		if water.peak > mostHeap || len(shown) < 20 {
			t.Errorf("%s: %d objects shown, at most %d bytes on the heap", name, len(shown), water.peak)
		}
	}
}

// A4
func endlessCorrection(t *testing.T) {
	for _, sw := range [][]byte{{0x6C, 0x00}, {0x6C, 0x05}, {0x6C, 0xFF}} {
		if n, _ := ended(t, sw); n > 2 {
			t.Errorf("%X: %d rounds", sw, n)
		}
	}
}

// A5
func tooMuchAnswered(t *testing.T) {
	for _, extra := range []int{1, 16, 300, 60000} {
		first := true
		data, err := script(func(command []byte) ([]byte, error) {
			if first {
				first = false
				return []byte{0x61, 0x08}, nil
			}
			return append(bytes.Repeat([]byte{0xAA}, 8+extra), 0x90, 0x00), nil
		}).ask(t.Context(), apdu.Command{INS: 0xCB, Data: []byte{0x5C, 0x00}, Le: 256})
		if err == nil && len(data) > 8 {
			t.Errorf("%d bytes more: %d bytes are returned", extra, len(data))
		}
		if err != nil && !errors.Is(err, apdu.ErrLink) {
			t.Error(err)
		}
	}
	newRig(t).rewritten(true, func(a []byte) []byte { return append(make([]byte, 300), a...) })
}

// A6
func cutAnswers(t *testing.T) {
	newRig(t).rewritten(true,
		func(a []byte) []byte { return a[len(a)-2:] },
		func(a []byte) []byte { return append(a[:(len(a)-2)/2], a[len(a)-2:]...) },
		func(a []byte) []byte { return append(a[:max(0, len(a)-3)], a[len(a)-2:]...) },
	)
}

// A7
func wrongLengths(t *testing.T) {
	for _, length := range []string{"\x84\xFF\xFF\xFF\xFF", "\x84\x7F\xFF\xFF\xFF", "\x84\x80\x00\x00\x00", "\x80", "\x83\xFF\xFF\xFF", "\x85\x01\x00\x00\x00\x00", "\xFF"} {
		_, err := tlv.Decode([]byte("\x30" + length + "\x01\x02"))
		var e *tlv.Error
		if !errors.As(err, &e) || !errors.Is(err, tlv.ErrMalformed) {
			t.Errorf("%X: %v", length, err)
		}
	}
	replace := func(length string) func([]byte) []byte {
		return func(a []byte) []byte {
			if len(a) < 4 {
				return a
			}
			return slices.Concat(a[:1], []byte(length), a[2:])[:min(258, len(a)+len(length)-1)]
		}
	}
	newRig(t).rewritten(false, replace("\x84\xFF\xFF\xFF\xFF"), replace("\x84\x7F\xFF\xFF\xFF"), replace("\x80"))
}

// A8
func deepAndMany(t *testing.T) {
	var deep []byte
	for range 10000 {
		deep = tlv.New(0x30, deep)
	}
	many := bytes.Repeat([]byte{0x30, 0x00}, 1<<20)
	for _, b := range [][]byte{deep, many} {
		start := time.Now()
		if _, err := tlv.Decode(b); err == nil {
			t.Error("no bound")
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("%v", d)
		}
	}
	r := newRig(t)
	for _, fid := range []uint16{fidODF, fidTokenInfo, fidAODF, fidPrKDF, fidCDF, fidDODF} {
		for _, b := range [][]byte{deep, many} {
			b = b[:min(len(b), 0x7000)]
			r.hostile(forged{fid: {content: b}})
		}
	}
}

// A9
func emptyContents(t *testing.T) {
	r := newRig(t)
	rich := []byte{0x3F, 0x00, 0x50, 0x15, 0x31, 0x01}
	labels, err := r.hostile(forged{
		fidDODF: {content: slices.Concat(dataEntry([]byte("before"), rich), dataEntry(nil, nil), []byte{0x30, 0x00}, dataEntry([]byte("after"), []byte{0x31, 0x02}))},
		fidCDF:  {content: slices.Concat(certEntry([]byte("c"), nil, nil), tlv.New(seq, tlv.New(seq), tlv.New(seq), tlv.New(0xA1)))},
		0x3101:  {content: []byte{0x30, 0x00}},
	})
	r.ok(err)
	for _, want := range []string{"before", "after"} {
		if !slices.Contains(labels, want) {
			t.Errorf("%q is not among %q", want, labels)
		}
	}
	// Public keys without content.
	p := r.stranger()
	p.answers(func(command, answer []byte) []byte {
		if command[1] == 0xCA {
			return []byte{0x90, 0x00}
		}
		return answer
	})
	s := must(session.Open(p.ctx, p.token))(t)
	for o, err := range s.Find(p.ctx) {
		r.code(err, documented...)
		if err == nil {
			_, err := s.PublicKey(p.ctx, o)
			if err == nil && o.Class() == object.ClassData {
				t.Error("a data object has a public key")
			}
		}
	}
}

// A10
func oddATRs(t *testing.T) {
	for _, atr := range []string{
		"", "\x3B", "\x3B\x00", "\x3B\xFF", "\x00\x00", "\x3B\x8F\x80\x01", strings.Repeat("\x3B", 33), strings.Repeat("\xFF", 64),
		"\x3B\x8F\x80\x01\x80\x7F\x00", "\x3B\x04\x80\x73\xC0\x21", "\x3B\x03\x80\x5F\x01", "\x3B\xDF\x96\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
	} {
		if a, err := apdu.ParseATR([]byte(atr)); err == nil {
			apdu.CapabilitiesOf(a.Historical)
		} else if !errors.Is(err, apdu.ErrATR) {
			t.Error(err)
		}
		persona := virtual.MyEID500()
		persona.ATR = []byte(atr)
		card := virtual.New(virtual.As(persona))
		r := strangerOn(t, card, virtual.Single(card))
		slots := must(r.module.Slots(r.ctx, false))(t)
		if len(slots) != 1 {
			t.Fatalf("%X: %d slots", atr, len(slots))
		}
		if _, err := slots[0].Token(r.ctx); ckr.Of(err) != ckr.TokenNotRecognized {
			t.Errorf("%X: %v", atr, err)
		}
		r.ok(r.module.Close())
	}
}

// pivPersonas are PIV cards whose management key is AES, which every mode of
// the program allows.
func pivPersonas() map[string]virtual.PIVPersona {
	nist := virtual.NISTPIV()
	nist.ManagementAlgorithm = 0x0A
	return map[string]virtual.PIVPersona{"nist": nist, "yubikey": virtual.YubiKey57()}
}

// pivRig is a PIV card with objects of the test's making, and theECKey in 9A
// and 9C.
func pivRig(t *testing.T, p virtual.PIVPersona, objects map[uint32][]byte, opts ...virtual.Option) *rig {
	t.Helper()
	der := pivKeys()[0]
	all := map[uint32][]byte{0x5FC105: pivCert(theCertificates()[0], 0)}
	for tag, value := range objects {
		all[tag] = value
	}
	card := virtual.New(append([]virtual.Option{virtual.WithPIV(p), virtual.WithPIVImage(virtual.PIVImage{
		Objects: all, Keys: map[byte][]byte{0x9A: der, 0x9C: der},
	})}, opts...)...)
	return rigOn(t, card, virtual.Single(card))
}

// pivCert is a certificate's container.
func pivCert(cert []byte, info byte) []byte {
	return tlv.New(0x53, tlv.New(0x70, cert), tlv.New(0x71, []byte{info}), tlv.New(0xFE))
}

func certificate(t *testing.T, key *ecdsa.PrivateKey, name string) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	return must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))(t)
}

// usable checks that a PIV card still does its work.
func (r *rig) usable() {
	r.Helper()
	s := r.user()
	defer s.Close()
	found := r.find(s, object.AttrClass.Is(object.ClassPrivateKey))
	if len(found) == 0 {
		r.Fatal("no key is found")
	}
	r.ok(r.sign(s, found[0]))
}

// A11
func keyHistory(t *testing.T) {
	for _, n := range []int{0, 118, 119, 1000, 12000} {
		url := []byte("http://example.com/../../etc/" + strings.Repeat("x", n))
		r := pivRig(t, virtual.NISTPIV(), map[uint32][]byte{
			0x5FC10C: tlv.New(0x53, tlv.New(0xC1, []byte{0xFF}), tlv.New(0xC2, []byte{0xFF}), tlv.New(0xF3, url), tlv.New(0xFE)),
		})
		r.usable()
	}
}

// A12
func compressedCertificates(t *testing.T) {
	pack := func(b []byte) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		z.Write(b)
		z.Close()
		return out.Bytes()
	}
	bomb := pack(make([]byte, 8<<20))
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	cert := pack(certificate(t, key, "other"))
	for name, packed := range map[string][]byte{
		"bomb": bomb, "cut": cert[:len(cert)/2], "header alone": cert[:10], "trailing": append(slices.Clone(cert), "garbage"...), "no gzip": {1, 2, 3}, "empty": {},
	} {
		r := pivRig(t, virtual.NISTPIV(), map[uint32][]byte{0x5FC101: pivCert(packed, 1)})
		if bytes := allocated(r.usable); bytes > mostHeap {
			t.Errorf("%s: %d bytes were allocated", name, bytes)
		}
	}
}

// A13
func foreignCertificate(t *testing.T) {
	other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	for name, cert := range map[string][]byte{"of another key": certificate(t, other, "x"), "no certificate": []byte("\x30\x03\x02\x01\x00"), "empty": nil} {
		for persona, p := range pivPersonas() {
			t.Run(persona+" "+name, func(t *testing.T) {
				r := pivRig(t, p, map[uint32][]byte{0x5FC105: pivCert(cert, 0)})
				s := r.user()
				for _, o := range r.find(s) {
					if _, err := s.Attributes(r.ctx, o); err != nil {
						r.code(err, documented...)
					}
				}
				if n := len(r.find(s, withID(object.ClassCertificate, 1)...)); n != 1 && name == "of another key" {
					t.Errorf("%d certificates", n)
				}
				key, err := first(r.ctx, s, withID(object.ClassPrivateKey, 1))
				if err != nil {
					t.Fatalf("the key is not shown beside its certificate: %v", err)
				}
				r.signsOrSaysWhy(s, key, persona == "yubikey")
			})
		}
	}
}

// signsOrSaysWhy has a key sign whose public half the card tells truly, if told,
// or nobody does. What comes is never a signature of no key.
func (r *rig) signsOrSaysWhy(s *session.Session, key *object.Object, told bool) {
	r.Helper()
	digest := bytes.Repeat([]byte{7}, 32)
	sig, err := s.Sign(r.ctx, mechanism.ECDSA{}, key, digest)
	if err != nil {
		r.code(err, ckr.DeviceError, ckr.KeyTypeInconsistent)
	} else if der := must(mechanism.ECDSAToASN1(sig))(r); !ecdsa.VerifyASN1(&theECKey().PublicKey, digest, der) {
		r.Errorf("the signature %X is none", sig)
	}
	if told && err != nil {
		r.Errorf("the card tells what key it is: %v", err)
	}
}

// A14
func wrongSignatures(t *testing.T) {
	r := newRig(t)
	s := r.user()
	key := r.key(s, "k")
	order := elliptic.P256().Params().N
	half := order.FillBytes(make([]byte, 32))
	one := append(make([]byte, 31), 1)
	for name, sig := range map[string][]byte{
		"empty": {}, "garbage": []byte("garbage"), "zero r": derPair(make([]byte, 32), one), "zero s": derPair(one, make([]byte, 32)),
		"r is n": derPair(half, one), "too large": derPair(one, bytes.Repeat([]byte{0xFF}, 40)), "DER and more": append(derPair(one, one), 0), "zeros": make([]byte, 64),
	} {
		r.answers(func(command, answer []byte) []byte {
			if command[1] == 0x2A {
				return append(slices.Clone(sig), 0x90, 0x00)
			}
			return answer
		})
		if got, err := s.Sign(r.ctx, mechanism.ECDSA{}, key, make([]byte, 32)); err == nil {
			t.Errorf("%s: a signature: %X", name, got)
		} else {
			r.code(err, ckr.DeviceError, ckr.FunctionFailed)
		}
		r.heal()
		r.ok(r.sign(s, key))
	}
}

// derPair is a signature as cards of the family answer it.
func derPair(r, s []byte) []byte {
	number := func(b []byte) []byte {
		b = bytes.TrimLeft(b, "\x00")
		if len(b) == 0 || b[0] >= 0x80 {
			b = append([]byte{0}, b...)
		}
		return tlv.New(0x02, b)
	}
	return tlv.New(0x30, number(r), number(s))
}

// rsaRig has an RSA key that decrypts, called "rsa".
func rsaRig(t *testing.T) (r *rig, s *session.Session, key *object.Object, pub *rsa.PublicKey) {
	t.Helper()
	r = newRig(t)
	s = r.user()
	r.importRSA(s, theRSAKey())
	key = r.key(s, "rsa")
	return r, s, key, must(s.PublicKey(r.ctx, key))(t).(*rsa.PublicKey)
}

// A15
func wrongPlaintexts(t *testing.T) {
	r, s, key, pub := rsaRig(t)
	n := pub.Size()
	secret := rawRSA(pub, slices.Concat([]byte{0, 2}, bytes.Repeat([]byte{0xA5}, n-9), []byte{0}, []byte("secret")))
	for name, plain := range map[string][]byte{
		"empty": {}, "short": make([]byte, 5), "long": make([]byte, n+1), "zeros": make([]byte, n), "ones": bytes.Repeat([]byte{0xFF}, n),
	} {
		r.answers(func(command, answer []byte) []byte {
			if command[1] == 0x2A || command[1] == 0xC0 {
				return append(slices.Clone(plain), 0x90, 0x00)
			}
			return answer
		})
		if got, err := s.Decrypt(r.ctx, mechanism.RSAPKCS{}, key, secret); err == nil {
			t.Errorf("%s: decrypted to %X", name, got)
		} else {
			r.code(err, ckr.DeviceError, ckr.EncryptedDataInvalid, ckr.EncryptedDataLenRange, ckr.FunctionFailed)
		}
		r.heal()
		if got := must(s.Decrypt(r.ctx, mechanism.RSAPKCS{}, key, secret))(t); string(got) != "secret" {
			t.Errorf("then to %q", got)
		}
	}
}

// A16
func wrongGeneratedKey(t *testing.T) {
	ec := func(r *rig, s *session.Session) (pub, priv *object.Object, err error) {
		common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is("new"), object.AttrID.Is([]byte{1})}
		return s.GenerateKeyPair(r.ctx, mechanism.ECKeyPairGen{}, common.With(object.AttrECParams.Is(p256)), common)
	}
	rsaPair := func(r *rig, s *session.Session) (pub, priv *object.Object, err error) {
		common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is("new"), object.AttrID.Is([]byte{1})}
		return s.GenerateKeyPair(r.ctx, mechanism.RSAKeyPairGen{}, common.With(object.AttrModulusBits.Is(1024)), common)
	}
	for name, c := range map[string]struct {
		answer   []byte
		generate func(r *rig, s *session.Session) (pub, priv *object.Object, err error)
	}{
		"nothing": {nil, ec}, "no point": {tlv.New(0x7F49, tlv.New(0x82, []byte{1, 0, 1})), ec}, "empty": {tlv.New(0x7F49, tlv.New(0x81), tlv.New(0x82)), ec},
		"point of another form": {tlv.New(0x30, tlv.New(0x86, []byte{4, 1, 2})), ec}, "huge": {append([]byte{0x7F, 0x49, 0x82, 0xFF, 0xFF}, make([]byte, 200)...), ec},
		"no modulus": {nil, rsaPair}, "a modulus of 8 bits": {[]byte{0xFF}, rsaPair}, "zeros": {make([]byte, 128), rsaPair}, "even": {bytes.Repeat([]byte{0xFE}, 128), rsaPair},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := r.user()
			before := r.labels(s)
			r.wire.forget()
			r.answers(func(command, good []byte) []byte {
				if command[1] == 0x46 || command[1] == 0x47 || command[1] == 0xCA && command[3] < 0xA0 {
					return append(slices.Clone(c.answer), 0x90, 0x00)
				}
				return good
			})
			pub, priv, err := c.generate(r, s)
			if n := r.wire.count(0x46); n > 1 {
				t.Errorf("%d commands to generate", n)
			}
			r.heal()
			if err == nil {
				// The card's key may be read again by other means.
				must(s.PublicKey(r.ctx, pub))(t)
				sig := must(s.Sign(r.ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
				r.ok(s.Verify(r.ctx, mechanism.ECDSA{}, pub, make([]byte, 32), sig))
				return
			}
			r.code(err, documented...)
			// What is listed now is what another program sees, too.
			other := r.stranger()
			os := other.user()
			if got, want := r.labels(s), other.labels(os); !slices.Equal(got, want) || !slices.Equal(got, before) && !slices.Contains(got, "new") {
				t.Errorf("%q are listed, %q by another program", got, want)
			}
			_, _, err = ec(other, os)
			r.ok(err)
		})
	}
	for persona, p := range pivPersonas() {
		t.Run(persona, func(t *testing.T) { wrongPIVKey(t, p) })
	}
}

// wrongPIVKey has a PIV card make a key and tell another one, or none.
func wrongPIVKey(t *testing.T, p virtual.PIVPersona) {
	for name, answer := range map[string][]byte{"nothing": nil, "no point": tlv.New(0x7F49, tlv.New(0x82, []byte{1, 0, 1})), "half a point": tlv.New(0x7F49, tlv.New(0x86, []byte{4, 1, 2}))} {
		r := pivRig(t, p, nil)
		s := r.writer()
		r.wire.forget()
		r.suffers(virtual.On(virtual.INS(0x47), virtual.Fault{Kind: virtual.Override, Answer: append(slices.Clone(answer), 0x90, 0x00)}))
		common := object.Template{object.AttrToken.Is(true), object.AttrID.Is([]byte{3})}
		_, _, err := s.GenerateKeyPair(r.ctx, mechanism.ECKeyPairGen{}, common.With(object.AttrECParams.Is(p256)), common)
		if err != nil {
			r.code(err, ckr.DeviceError)
		}
		r.heal()
		if n := r.wire.count(0x47); n != 1 {
			t.Errorf("%s: %d commands to generate", name, n)
		}
		// The others are as before, and the new one is shown if the card shows it.
		r.ok(r.sign(s, must(first(r.ctx, s, withID(object.ClassPrivateKey, 1)))(t)))
		for _, o := range r.find(s) {
			if _, err := s.Attributes(r.ctx, o); err != nil {
				r.code(err, documented...)
			}
		}
	}
}

// A17
func directoryCycles(t *testing.T) {
	r := newRig(t)
	df := []byte{0x3F, 0x00, 0x50, 0x15}
	path := func(fid uint16) []byte {
		return tlv.New(seq, tlv.New(octets, append(slices.Clone(df), byte(fid>>8), byte(fid))))
	}
	cycle := slices.Concat(
		tlv.New(0xA7, path(fidODF)), tlv.New(0xA7, path(fidODF)), tlv.New(0xA8, path(fidODF)), tlv.New(0xA4, path(fidCDF)), tlv.New(0xA4, path(fidCDF)),
		tlv.New(0xA7, tlv.New(seq, tlv.New(octets, bytes.Repeat([]byte{0x3F, 0x00}, 120)))))
	r.hostile(forged{fidODF: {content: cycle}})

	same := certEntry([]byte("twin"), []byte{1}, append(slices.Clone(df), 0x31, 0x01))
	labels, err := r.hostile(forged{fidCDF: {content: slices.Concat(same, certEntry([]byte("twin"), []byte{1}, []byte{0x31, 0x02}))}})
	r.ok(err)
	if n := len(slices.DeleteFunc(labels, func(l string) bool { return l != "twin" })); n != 2 {
		t.Errorf("%d certificates with the same id", n)
	}
	r.hostile(forged{fidCDF: {content: bytes.Repeat(same, 0x7FFF/len(same))}})
	r.hostile(forged{fidCDF: {content: certEntry([]byte("x"), []byte{1}, make([]byte, 255))}})
}

// A18
func wrongFileSizes(t *testing.T) {
	r := newRig(t)
	s := r.user()
	want := r.labels(s)
	for _, size := range []int{1, 0xFF, 0x7FFF, 0xFFFF} {
		p := r.stranger()
		p.module.Close()
		p = strangerOn(t, r.card, r.readers)
		p.answers(func(command, answer []byte) []byte {
			if command[1] != 0xA4 || len(answer) < 6 || answer[0] != 0x6F {
				return answer
			}
			a := slices.Clone(answer)
			if i := bytes.Index(a, []byte{0x80, 0x02}); i > 0 {
				a[i+2], a[i+3] = byte(size>>8), byte(size)
			}
			return a
		})
		err := p.tryLook()
		if err == nil {
			var fs *session.Session
			if fs, err = session.Open(p.ctx, p.token); err == nil {
				r.ok(fs.Login(p.ctx, token.User, pin(userPIN)))
				var got []string
				got, err = p.tryLabels(fs)
				if err == nil && size > 1 && !slices.Equal(got, want) {
					t.Errorf("size %d: %q, want %q", size, got, want)
				}
				for _, o := range p.find(fs, object.AttrClass.Is(object.ClassData)) {
					label := must(object.Get(p.ctx, o, object.AttrLabel))(t)
					v, err := object.Get(p.ctx, o, object.AttrValue)
					if err == nil && size > 0x1FF && string(v) != "value of "+label {
						t.Errorf("size %d: the value is %.40q", size, v)
					}
				}
			}
		}
		r.code(err, documented...)
		r.ok(p.module.Close())
	}
}

// A19
func wildPINInfo(t *testing.T) {
	r := newRig(t)
	s := r.open(false)
	defer s.Close()
	content := aodf(t, r)
	for _, lengths := range [][]byte{{0, 0, 0}, {0, 255, 255}, {200, 8, 1}, {127, 127, 127}} {
		wild := slices.Clone(content)
		for i := bytes.Index(wild, []byte{2, 1, 4, 2, 1, 8}); i >= 0; i = bytes.Index(wild, []byte{2, 1, 4, 2, 1, 8}) {
			wild[i+2], wild[i+5] = lengths[0], lengths[1]
			if wild[i+6] == 2 {
				wild[i+8] = lengths[2]
			}
		}
		p := strangerOn(t, r.card, r.readers)
		p.forge(forged{fidAODF: {content: wild}})
		p.look()
		ps := p.open(false)
		p.wire.forget()
		for _, n := range []int{0, 9, 255, 70000} {
			r.code(ps.Login(r.ctx, token.User, pin(strings.Repeat("1", n))), ckr.PINLenRange, ckr.PINIncorrect, ckr.ArgumentsBad)
		}
		if n := p.wire.pins(); n > 0 {
			t.Errorf("%v: %d PINs were sent", lengths, n)
		}
		r.ok(p.module.Close())
	}
	if n := r.triesLeft(); n != 3 {
		t.Errorf("%d tries are left", n)
	}
}

// aodf reads the file of the PINs as a program would that knows nothing of the
// library.
func aodf(t *testing.T, r *rig) []byte {
	t.Helper()
	c := must(r.readers.Connect(t.Context(), reader))(t)
	defer c.Close()
	send := func(command ...byte) []byte {
		answer, err := c.Transmit(t.Context(), command)
		for errors.Is(err, apdu.ErrReset) {
			answer, err = c.Transmit(t.Context(), command)
		}
		return must(answer, err)(t)
	}
	send(0x00, 0xA4, 0x08, 0x00, 0x04, 0x50, 0x15, 0x44, 0x01)
	answer := send(0x00, 0xB0, 0x00, 0x00, 0xFF)
	return answer[:len(answer)-2]
}

// A20
func oddRetryCounters(t *testing.T) {
	for sw, left := range map[string]int{"\x63\x00": -1, "\x63\xC2": 2, "\x63\xC0": 0, "\x69\x82": -1, "\x6F\x00": -1} {
		r := newRig(t)
		s := r.open(false)
		r.answers(func(command, answer []byte) []byte {
			if command[1] == 0x20 && len(command) > 5 {
				return []byte(sw)
			}
			return answer
		})
		err := s.Login(r.ctx, token.User, pin(wrongPIN))
		var e *ckr.Error
		if !errors.As(err, &e) {
			t.Fatalf("%X: %v", sw, err)
		}
		if e.Tries.Known != (left >= 0) || e.Tries.Known && e.Tries.Left != left {
			t.Errorf("%X: tries %+v", sw, e.Tries)
		}
	}
	p := virtual.NISTPIV()
	p.Quirks.OldCounters = true
	r := pivRig(t, p, nil)
	s := r.open(false)
	r.code(s.Login(r.ctx, token.User, pin(wrongPIN)), ckr.PINIncorrect)
	r.usable()
}

// A21
func unknownAlgorithms(t *testing.T) {
	r := newRig(t)
	entry := func(ref, mechanism byte) []byte {
		return tlv.New(seq, tlv.New(0x02, []byte{ref}), tlv.New(0x02, []byte{0x7F, mechanism}), tlv.New(0x05), tlv.New(bitstr, []byte{0, 0xFF}), tlv.New(0x06, []byte{0x2B, 0x99}), tlv.New(0x02, []byte{ref}))
	}
	var algorithms []byte
	for i := range 100 {
		algorithms = append(algorithms, entry(byte(i), byte(i))...)
	}
	labels, err := r.hostile(forged{fidTokenInfo: {content: tlv.New(seq, tlv.New(0x02, []byte{0}), tlv.New(octets, []byte{1}), tlv.New(bitstr, []byte{0, 0}), tlv.New(0xA2, algorithms))}})
	r.ok(err)
	if !slices.Contains(labels, "public") {
		t.Errorf("%q", labels)
	}
	// A curve that nobody knows.
	s := r.user()
	_, _, err = s.GenerateKeyPair(r.ctx, mechanism.ECKeyPairGen{}, object.Template{object.AttrECParams.Is([]byte{0x06, 0x03, 0x2B, 0x99, 0x01})}, nil)
	r.code(err, ckr.CurveNotSupported, ckr.AttributeValueInvalid, ckr.DomainParamsInvalid, ckr.TemplateInconsistent)
	unknownPIVAlgorithms(t)
}

// unknownPIVAlgorithms has a card tell of a key that nobody knows to use.
func unknownPIVAlgorithms(t *testing.T) {
	for _, algorithm := range []byte{0x00, 0x15, 0xEE, 0xFF} {
		r := pivRig(t, virtual.YubiKey57(), nil)
		r.answers(func(command, answer []byte) []byte {
			if command[1] == 0xF7 && command[3] == 0x9C && len(answer) > 4 {
				answer[2] = algorithm
			}
			return answer
		})
		s := r.user()
		for _, o := range r.find(s) {
			if _, err := s.Attributes(r.ctx, o); err != nil {
				r.code(err, documented...)
			}
			if _, err := s.Mechanisms(r.ctx, o); err != nil && o.Class() == object.ClassPrivateKey {
				t.Errorf("%02X: %v", algorithm, err)
			}
		}
		r.ok(r.sign(s, must(first(r.ctx, s, withID(object.ClassPrivateKey, 1)))(t)))
		if odd, err := first(r.ctx, s, withID(object.ClassPrivateKey, 2)); err == nil {
			r.code(r.sign(s, odd), ckr.KeyTypeInconsistent, ckr.MechanismInvalid, ckr.UserNotLoggedIn)
		}
	}
}

// A22
func oddLabels(t *testing.T) {
	r := newRig(t)
	path := []byte{0x3F, 0x00, 0x50, 0x15, 0x31, 0x01}
	for _, label := range []string{"\x00", "a\x00b", "\xFF\xFE", "\x1B[2J\n\r", strings.Repeat("x", 4096), "\u202Eevil", ""} {
		labels, err := r.hostile(forged{
			fidDODF: {content: dataEntry([]byte(label), path)},
			fidTokenInfo: {content: tlv.New(seq, tlv.New(0x02, []byte{0}), tlv.New(octets, []byte(strings.Repeat(label, 2))), tlv.New(utf8Tag, []byte(label)),
				tlv.New(0x80, []byte(label)), tlv.New(bitstr, []byte{0, 0}))},
		})
		r.ok(err)
		if len(labels) == 0 {
			t.Errorf("%.20q: nothing is listed", label)
		}
		p := strangerOn(t, r.card, r.readers)
		p.forge(forged{fidTokenInfo: {content: tlv.New(seq, tlv.New(0x02, []byte{0}), tlv.New(octets, []byte(label)), tlv.New(utf8Tag, []byte(label)),
			tlv.New(0x80, []byte(label)), tlv.New(bitstr, []byte{0, 0}))}})
		p.look()
		info := must(p.token.Info(r.ctx))(t)
		for _, f := range []string{info.Label, info.Manufacturer, info.Model, info.Serial} {
			if !utf8.ValidString(f) || strings.ContainsAny(f, "\x00\x1B\n\r") {
				t.Errorf("%.20q: a field is %q", label, f)
			}
		}
		r.ok(p.module.Close())
	}
}

// A23
func staleAnswers(t *testing.T) {
	r := newRig(t)
	clean := strangerOn(t, r.card, r.readers)
	r.ok(clean.story())
	n := len(clean.wire.sent())
	r.ok(clean.module.Close())
	for at := 2; at <= n; at++ {
		p := strangerOn(t, r.card, r.readers)
		var last []byte
		i := 0
		p.answers(func(_, answer []byte) []byte {
			if i++; i == at {
				return slices.Clone(last)
			}
			last = slices.Clone(answer)
			return answer
		})
		err := p.story()
		r.code(err, documented...)
		p.heal()
		r.ok(r.readers.Remove(reader))
		r.ok(r.readers.Insert(reader, r.card))
		if again := p.story(); again != nil {
			t.Errorf("exchange %d: after %v then %v", at, err, again)
		}
		r.ok(p.module.Close())
	}
}

// A24
//
// The library has no secure messaging, so that there is no channel to break. A
// card that offers one is spoken to in the clear, and nothing that a card says
// makes the library believe in a channel.
func noSecureChannel(t *testing.T) {
	const vci = 0x48 // PIN usage policy: the PIN, and the virtual contact interface
	discovery := tlv.New(0x7E, tlv.New(0x4F, []byte{0xA0, 0, 0, 3, 8, 0, 0, 0x10, 0, 1, 0}), tlv.New(0x5F2F, []byte{vci, 0}))
	protected := append(tlv.New(0x87, append([]byte{1}, make([]byte, 16)...)), tlv.New(0x8E, make([]byte, 8))...)
	for name, signer := range map[string][]byte{"none": nil, "garbage": tlv.New(0x53, []byte("garbage")), "empty": {0x53, 0x00}, "a key that is none": tlv.New(0x53, tlv.New(0x70, []byte{0x30, 0x00}), tlv.New(0x7F21, tlv.New(0x5F37, make([]byte, 64))))} {
		objects := map[uint32][]byte{0x7E: discovery}
		if signer != nil {
			objects[0x5FC122] = signer
		}
		r := pivRig(t, virtual.NISTPIV(), objects)
		r.usable()
		s := r.user()
		for _, o := range r.find(s) {
			if _, err := s.Attributes(r.ctx, o); err != nil {
				r.code(err, documented...)
			}
		}
		// Answers in the form of a channel are no answers.
		r.answers(func(command, answer []byte) []byte {
			if command[1] == 0x87 {
				return append(slices.Clone(protected), 0x99, 0x02, 0x90, 0x00, 0x90, 0x00)
			}
			return answer
		})
		if err := r.sign(s, must(first(r.ctx, s, withID(object.ClassPrivateKey, 1)))(t)); ckr.Of(err) != ckr.DeviceError {
			t.Errorf("%s: an answer of a channel that is not there: %v", name, err)
		}
		for _, command := range r.wire.sent() {
			if command[0]&0x0C != 0 {
				t.Errorf("%s: %X asks for secure messaging", name, command[:4])
			}
		}
	}
	r := newRig(t)
	r.rewritten(false, func([]byte) []byte { return append(slices.Clone(protected), 0x99, 0x02, 0x90, 0x00, 0x90, 0x00) },
		func([]byte) []byte { return []byte{0x69, 0x87} }, func([]byte) []byte { return []byte{0x69, 0x88} })
}
