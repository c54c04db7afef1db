package faults_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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

// torn runs a write once for each of its exchanges, with the card pulled
// before or after it. What the card holds then is what it held, what it should
// hold, or one of the states between that are allowed.
func torn(t *testing.T, write func(r *rig, s *session.Session) error, between ...string) {
	t.Helper()
	held := func(r *rig) string {
		p := strangerOn(t, r.card, r.readers)
		p.look()
		defer p.module.Close()
		s := p.user()
		var list []string
		for _, o := range p.find(s) {
			v, _ := object.Get(p.ctx, o, object.AttrValue)
			list = append(list, fmt.Sprintf("%v %s %s", o.Class(), must(object.Get(p.ctx, o, object.AttrLabel))(t), v))
		}
		slices.Sort(list)
		return fmt.Sprintf("%q", list)
	}
	clean := newRig(t)
	before := held(clean)
	s := clean.user()
	clean.find(s)
	clean.wire.forget()
	clean.ok(write(clean, s))
	n := len(clean.wire.sent())
	allowed := append([]string{before, held(clean)}, between...)
	for at := 1; at <= n; at++ {
		for _, kind := range []virtual.FaultKind{virtual.CutBefore, virtual.CutAfter} {
			r := newRig(t)
			s := r.user()
			r.find(s)
			r.suffers(virtual.At(at, virtual.Fault{Kind: kind}))
			r.code(write(r, s), ckr.DeviceRemoved)
			r.heal()
			r.ok(r.readers.Insert(reader, r.card))
			got := held(r)
			if !slices.Contains(allowed, got) {
				t.Errorf("exchange %d of %d: the card holds\n%s\nand not one of\n%q", at, n, got, allowed)
			}
			if got == before {
				// What was lost can be done again.
				p := strangerOn(t, r.card, r.readers)
				p.look()
				r.ok(write(p, p.user()))
				r.ok(p.module.Close())
				if got := held(r); got != allowed[1] {
					t.Errorf("exchange %d of %d, done again: the card holds\n%s", at, n, got)
				}
			}
		}
	}
}

// E1
func tornBigWrite(t *testing.T) {
	big := data("big", true, object.AttrValue.Is(bytes.Repeat([]byte("0123456789"), 80)))
	torn(t, func(r *rig, s *session.Session) error {
		_, err := s.Create(r.ctx, big...)
		return err
	})
	tornWithin(t, pkcs15Family(), func(b *bench, s *session.Session) error {
		_, err := s.Create(b.ctx, big...)
		return err
	}, func(b *bench, s *session.Session) {
		for _, o := range b.find(s, object.AttrLabel.Is("big")) {
			if v, err := object.Get(b.ctx, o, object.AttrValue); err == nil && !bytes.Equal(v, bytes.Repeat([]byte("0123456789"), 80)) {
				b.Errorf("an object is shown with the value %q", v)
			}
		}
	})
	// The object of a PIV card is written by a chain of commands.
	value := tlv.New(0xBC, bytes.Repeat([]byte("0123456789"), 80))
	for name, p := range pivPersonas() {
		f := pivFamily(name, p)
		printed := object.AttrLabel.Is("Printed Information")
		tornWithin(t, f, func(b *bench, s *session.Session) error {
			_, err := s.Create(b.ctx, object.AttrClass.Is(object.ClassData), object.AttrToken.Is(true), object.AttrPrivate.Is(true), printed, object.AttrValue.Is(value))
			return err
		}, func(b *bench, s *session.Session) {
			for _, o := range b.find(s, printed) {
				// There, whole or damaged: so it goes, and is written anew.
				if v, err := object.Get(b.ctx, o, object.AttrValue); err != nil {
					b.code(err, documented...)
				} else if len(v) != len(value) {
					b.Errorf("the object is shown with %d bytes", len(v))
				}
				b.ok(s.Destroy(b.ctx, o))
			}
		})
	}
}

// tornWithin tears a write after each of its writes within each of its
// commands. What is there afterwards is judged, all else must be as before, and
// the write can be done again.
func tornWithin(t *testing.T, f family, write func(b *bench, s *session.Session) error, judge func(b *bench, s *session.Session)) {
	t.Helper()
	clean, s := f.bench(t, task{})
	clean.ok(write(clean, s))
	n := len(clean.wire.sent())
	runs := 0
	for at := 1; at <= n; at++ {
		for writes := 1; ; writes++ {
			b, s := f.bench(t, task{})
			b.suffers(virtual.At(at, virtual.Fault{Kind: virtual.Tear, Writes: writes}))
			err := write(b, s)
			b.heal()
			if b.readers.Insert(reader, b.card) != nil {
				b.ok(err)
				break // the command writes no more than that
			}
			runs++
			b.code(err, ckr.DeviceRemoved)
			b.look()
			s = must(session.Open(b.ctx, b.token, session.ReadWrite(), session.WithPINFunc(f.write)))(t)
			b.ok(s.Login(b.ctx, token.User, pin(userPIN)))
			for _, match := range []object.Template{f.public, f.private, f.signer} {
				if _, err := first(b.ctx, s, match); err != nil {
					t.Errorf("exchange %d of %d, after %d writes: %v is not found: %v", at, n, writes, match, err)
				}
			}
			judge(b, s)
			b.ok(write(b, s))
			b.ok(b.signs(b.ctx, s))
			b.ok(b.module.Close())
		}
	}
	t.Logf("%s: %d times torn", f.name, runs)
}

// E2
func keyWithoutCertificate(t *testing.T) {
	cert := theCertificates()[0]
	torn(t, func(r *rig, s *session.Session) error {
		_, err := s.Create(r.ctx, object.AttrClass.Is(object.ClassCertificate), object.AttrToken.Is(true), object.AttrLabel.Is("of k"), object.AttrID.Is([]byte("k")),
			object.AttrCertificateType.Is(object.CertificateX509), object.AttrSubject.Is([]byte{0x30, 0x00}), object.AttrValue.Is(cert))
		return err
	})
	// On PIV cards the certificate is what shows the key.
	for _, p := range pivPersonas() {
		r := pivRig(t, p, nil)
		s := r.writer()
		common := object.Template{object.AttrToken.Is(true), object.AttrID.Is([]byte{3})}
		_, priv, err := s.GenerateKeyPair(r.ctx, mechanism.ECKeyPairGen{}, common.With(object.AttrECParams.Is(p256)), common)
		r.ok(err)
		r.suffers(virtual.On(virtual.INS(0xDB), virtual.Fault{Kind: virtual.CutBefore}))
		store := func(s *session.Session) error {
			_, err := s.Create(r.ctx, object.AttrClass.Is(object.ClassCertificate), object.AttrToken.Is(true), object.AttrID.Is([]byte{3}),
				object.AttrCertificateType.Is(object.CertificateX509), object.AttrSubject.Is([]byte{0x30, 0x00}), object.AttrValue.Is(cert))
			return err
		}
		r.code(store(s), ckr.DeviceRemoved)
		r.code(r.sign(s, priv), ckr.DeviceRemoved, ckr.SessionHandleInvalid)
		r.heal()
		r.ok(r.readers.Insert(reader, r.card))
		r.look()
		s = r.writer()
		if n := len(r.find(s, withID(object.ClassCertificate, 3)...)); n > 0 {
			t.Errorf("%d certificates", n)
		}
		r.ok(store(s))
		if n := len(r.find(s, withID(object.ClassCertificate, 3)...)); n != 1 {
			t.Errorf("%d certificates", n)
		}
	}
}

// E3
func lostAnswerToGenerate(t *testing.T) {
	r := newRig(t)
	s := r.user()
	common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is("new"), object.AttrID.Is([]byte{1})}
	generate := func() error {
		_, _, err := s.GenerateKeyPair(r.ctx, mechanism.ECKeyPairGen{}, common.With(object.AttrECParams.Is(p256)), common)
		return err
	}
	r.wire.forget()
	r.suffers(virtual.On(virtual.INS(0x46), virtual.Fault{Kind: virtual.LoseAnswer}))
	err := generate()
	r.code(err, ckr.DeviceError)
	if !errors.Is(err, apdu.ErrUnsure) {
		t.Errorf("%v does not say that the key may be there", err)
	}
	if n := r.wire.count(0x46); n != 1 {
		t.Errorf("%d commands to generate", n)
	}
	r.heal()
	r.ok(r.sign(s, r.key(s, "k")))
	if n := len(r.find(s, object.AttrLabel.Is("new"))); n != 0 {
		t.Errorf("%d keys that nobody knows the public half of", n)
	}
	r.ok(generate())
	if n := len(r.find(s, object.AttrLabel.Is("new"))); n != 2 {
		t.Errorf("%d keys of a pair", n)
	}
	r.ok(r.sign(s, r.key(s, "new")))
	for persona, p := range pivPersonas() {
		t.Run(persona, func(t *testing.T) { lostPIVKey(t, p, persona == "yubikey") })
	}
}

// lostPIVKey loses the answer to GENERATE ASYMMETRIC KEY PAIR. A card that tells
// of its keys shows the new one.
func lostPIVKey(t *testing.T, p virtual.PIVPersona, tells bool) {
	r := pivRig(t, p, nil)
	s := r.writer()
	r.wire.forget()
	r.suffers(virtual.On(virtual.INS(0x47), virtual.Fault{Kind: virtual.LoseAnswer}))
	common := object.Template{object.AttrToken.Is(true), object.AttrID.Is([]byte{3})}
	_, _, err := s.GenerateKeyPair(r.ctx, mechanism.ECKeyPairGen{}, common.With(object.AttrECParams.Is(p256)), common)
	r.code(err, ckr.DeviceError)
	if !errors.Is(err, apdu.ErrUnsure) || r.wire.count(0x47) != 1 {
		t.Errorf("%v, %d commands to generate", err, r.wire.count(0x47))
	}
	r.heal()
	found := r.find(s, withID(object.ClassPrivateKey, 3)...)
	if len(found) != map[bool]int{true: 1}[tells] {
		t.Errorf("%d new keys are shown", len(found))
	}
	for _, key := range found {
		r.ok(r.sign(s, key))
	}
	r.ok(r.sign(s, must(first(r.ctx, s, withID(object.ClassPrivateKey, 1)))(t)))
}

// E4
func tornImport(t *testing.T) {
	priv := must(object.Template{
		object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrToken.Is(true), object.AttrPrivate.Is(true),
		object.AttrLabel.Is("imported"), object.AttrValue.Is([]byte("0123456789abcdef")), object.AttrEncrypt.Is(true),
	}, error(nil))(t)
	torn(t, func(r *rig, s *session.Session) error {
		_, err := s.Create(r.ctx, priv...)
		return err
	})
}

// E5
func directoryComesLast(t *testing.T) {
	torn(t, func(r *rig, s *session.Session) error {
		_, err := s.Create(r.ctx, data("new", false)...)
		return err
	})
	torn(t, func(r *rig, s *session.Session) error { return s.Destroy(r.ctx, r.one(s, "private")) })
	torn(t, func(r *rig, s *session.Session) error {
		return s.Set(r.ctx, r.one(s, "public"), object.AttrValue.Is([]byte("another value")))
	})
}

// storedCard makes a card in a file, and returns the file.
func storedCard(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "card")
	card := must(virtual.Open(path))(t)
	r := rigOn(t, card, virtual.Single(card))
	r.initialise()
	r.create(r.user(), "first", false)
	r.ok(r.module.Close())
	r.ok(card.Close())
	return path
}

// E7
func damagedCardFiles(t *testing.T) {
	good := must(os.ReadFile(storedCard(t)))(t)
	path := filepath.Join(t.TempDir(), "card")
	damaged := [][]byte{{}, []byte("no card"), good[:len(good)/2], good[:len(good)-1], good[:16]}
	for i := 0; i < len(good); i += max(1, len(good)/times(12, 400)) {
		flipped := slices.Clone(good)
		flipped[i] ^= 0x40
		damaged = append(damaged, flipped)
	}
	opened := 0
	for _, b := range damaged {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		card, err := virtual.Open(path)
		if err == nil {
			// A free page, or the older of two heads: the content is whole.
			opened++
			r := rigOn(t, card, virtual.Single(card))
			r.one(r.user(), "first")
			r.ok(r.module.Close())
			r.ok(card.Close())
			continue
		}
		if !errors.Is(err, virtual.ErrDamaged) && !errors.Is(err, virtual.ErrForeign) && !errors.Is(err, virtual.ErrNewer) {
			t.Errorf("no reason: %v", err)
		}
		if now := must(os.ReadFile(path))(t); !bytes.Equal(now, b) {
			t.Errorf("a refused file was written over: %v", err)
		}
	}
	t.Logf("%d damaged files, of which %d were whole in all that counts", len(damaged), opened)
}

// E8
func cardFilesOutOfReach(t *testing.T) {
	path := storedCard(t)
	link := filepath.Join(t.TempDir(), "link")
	if runtime.GOOS != "windows" {
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		if card, err := virtual.Open(link); err == nil {
			card.Close()
			t.Error("a link is followed")
		}
	}
	for _, bad := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none", "card")} {
		if _, err := virtual.Open(bad); err == nil {
			t.Errorf("%s is opened", bad)
		}
	}
	outOfSpace(t)
	withoutPermission(t)
	// A card that is full says so, and what is on it is whole.
	r := newRig(t, virtual.Capacity(24<<10))
	s := r.user()
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		_, err = s.Create(r.ctx, data(fmt.Sprint(i), false, object.AttrValue.Is(make([]byte, 700)))...)
	}
	r.code(err, ckr.DeviceMemory)
	r.ok(r.sign(s, r.key(s, "k")))
	r.one(s, "public")
}

// E9
func memoryErrors(t *testing.T) {
	for _, sw := range []apdu.Status{0x6581, 0x6A84, 0x6F00} {
		clean := newRig(t)
		s := clean.user()
		clean.wire.forget()
		clean.create(s, "new", true)
		n := len(clean.wire.sent())
		for at := 1; at <= n; at++ {
			r := newRig(t)
			s := r.user()
			r.suffers(virtual.At(at, virtual.SW(sw)))
			r.wire.forget()
			_, err := s.Create(r.ctx, data("new", true)...)
			r.heal()
			if err != nil {
				r.code(err, ckr.DeviceMemory, ckr.DeviceError, ckr.FunctionFailed)
			}
			other := r.stranger()
			os := other.user()
			if got := slices.Contains(other.labels(os), "new"); got != (err == nil) {
				t.Errorf("exchange %d refused with %v: %v, and the object is there: %v", at, sw, err, got)
			}
			r.ok(other.module.Close())
			if i := len(r.wire.sent()); i > n+30 {
				t.Errorf("%d commands", i)
			}
		}
	}
}
