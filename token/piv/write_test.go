package piv_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/piv"
)

var onToken = object.Template{object.AttrToken.Is(true)}

func params(name string) object.Attribute {
	c, _ := object.CurveByName(name)
	return object.AttrECParams.Is(c.Params())
}

// kinds are the keys that the cards make.
var kinds = []struct {
	name   string
	m      mechanism.Mechanism
	what   object.Attribute
	yubico bool
}{
	{"RSA-1024", mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(1024), false},
	{"RSA-2048", mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048), false},
	{"RSA-3072", mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(3072), false},
	{"P-256", mechanism.ECKeyPairGen{}, params("P-256"), false},
	{"P-384", mechanism.ECKeyPairGen{}, params("P-384"), false},
	{"Ed25519", mechanism.ECEdwardsKeyPairGen{}, params("Ed25519"), true},
	{"X25519", mechanism.ECMontgomeryKeyPairGen{}, params("X25519"), true},
}

func personas() map[string]virtual.PIVPersona {
	return map[string]virtual.PIVPersona{"nist": virtual.NISTPIV(), "yubikey": virtual.YubiKey57()}
}

// generate makes a key in the slot with an id.
func (r *rig) generate(s *session.Session, m mechanism.Mechanism, what object.Attribute, id byte, more ...object.Attribute) (pub, priv *object.Object) {
	r.Helper()
	with := onToken.With(object.AttrID.Is([]byte{id}))
	pub, priv, err := s.GenerateKeyPair(r.Context(), m, with.With(what), with.With(more...))
	r.must(err)
	return pub, priv
}

func TestKeysAreMadeAndUsed(t *testing.T) {
	for name, p := range personas() {
		for _, k := range kinds {
			if k.yubico && name != "yubikey" {
				continue
			}
			t.Run(name+"/"+k.name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, virtual.WithPIV(p))
				s := r.user(adminHex)
				_, priv := r.generate(s, k.m, k.what, 0x03)
				r.use(s, priv)
				_, _, err := s.GenerateKeyPair(r.Context(), k.m, onToken.With(k.what, object.AttrID.Is([]byte{3})), onToken)
				r.code(err, ckr.TemplateInconsistent) // not written over
			})
		}
	}
}

// use does with a key what it says that it does.
func (r *rig) use(s *session.Session, priv *object.Object) {
	r.Helper()
	key, err := s.Key(r.Context(), priv)
	r.must(err)
	digest := sha256.Sum256([]byte("message"))
	can, err := s.Mechanisms(r.Context(), priv)
	r.must(err)
	switch pub := key.Public().(type) {
	case *rsa.PublicKey:
		sig, err := key.Sign(nil, digest[:], crypto.SHA256)
		r.must(err)
		r.must(rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig))
		if pub.N.BitLen() > 1024 {
			sig, err = key.Sign(nil, digest[:], &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash})
			r.must(err)
			r.must(rsa.VerifyPSS(pub, crypto.SHA256, digest[:], sig, nil))
		}
		c, err := rsa.EncryptPKCS1v15(rand.Reader, pub, []byte("secret"))
		r.must(err)
		plain, err := key.(crypto.Decrypter).Decrypt(nil, c, nil)
		if err != nil || string(plain) != "secret" {
			r.Errorf("%q, %v", plain, err)
		}
	case *ecdsa.PublicKey:
		if can[mechanism.TypeECDSA].Flags.Has(mechanism.FlagSign) {
			sig, err := key.Sign(nil, digest[:], crypto.SHA256)
			r.must(err)
			if !ecdsa.VerifyASN1(pub, digest[:], sig) {
				r.Error("the signature does not verify")
			}
		}
		if can[mechanism.TypeECDH1Derive].Flags.Has(mechanism.FlagDerive) {
			own, err := pub.ECDH()
			r.must(err)
			r.agree(key, own)
		}
	case ed25519.PublicKey:
		sig, err := key.Sign(nil, []byte("message"), crypto.Hash(0))
		r.must(err)
		if !ed25519.Verify(pub, []byte("message"), sig) {
			r.Error("the signature does not verify")
		}
	case *ecdh.PublicKey:
		r.agree(key, pub)
	default:
		r.Errorf("a key of %T", pub)
	}
}

func (r *rig) agree(key session.Key, own *ecdh.PublicKey) {
	r.Helper()
	peer, err := own.Curve().GenerateKey(rand.Reader)
	r.must(err)
	want, err := peer.ECDH(own)
	r.must(err)
	got, err := key.(interface {
		ECDH(*ecdh.PublicKey) ([]byte, error)
	}).ECDH(peer.PublicKey())
	if err != nil || !bytes.Equal(got, want) {
		r.Errorf("shared secret %X, %v", got, err)
	}
}

func TestSignatureKeyAsksForThePINEachTime(t *testing.T) {
	for name, p := range personas() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, virtual.WithPIV(p))
			s := r.user(adminHex)
			_, priv := r.generate(s, mechanism.ECKeyPairGen{}, params("P-256"), 0x02)
			sign := func(login bool) error {
				op, err := s.NewSign(t.Context(), mechanism.ECDSA{Hash: crypto.SHA256}, priv)
				r.must(err)
				defer op.Close()
				if login {
					r.must(op.Login(t.Context(), pin(userPIN)))
				}
				op.Write([]byte("message"))
				_, err = op.Sum(t.Context())
				return err
			}
			r.code(sign(false), ckr.UserNotLoggedIn)
			r.must(sign(true))
			r.must(sign(true))
			r.code(sign(false), ckr.UserNotLoggedIn)
		})
	}
}

func TestCardAuthenticationKeyNeedsNoPIN(t *testing.T) {
	for name, p := range personas() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, virtual.WithPIV(p))
			s := r.user(adminHex)
			_, priv := r.generate(s, mechanism.ECKeyPairGen{}, params("P-256"), 0x04, object.AttrPrivate.Is(false))
			key, err := s.Key(t.Context(), priv)
			r.must(err)
			r.store(s, key, 0x04)
			r.must(s.Close())
			r.exchanges()
			again := r.open("")
			priv = r.one(again, object.ClassPrivateKey, 0x04)
			r.use(again, priv)
			for _, c := range r.exchanges() {
				if c[2:4] == "20" && len(c) > 10 {
					t.Errorf("a PIN was sent: %s", c)
				}
			}
		})
	}
}

// store makes a certificate with a key and stores it.
func (r *rig) store(s *session.Session, key session.Key, id byte) *object.Object {
	r.Helper()
	return r.storeDER(s, r.certify(key), id)
}

func (r *rig) certify(key crypto.Signer) []byte {
	r.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "PIV"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	r.must(err)
	return der
}

func (r *rig) storeDER(s *session.Session, der []byte, id byte) *object.Object {
	r.Helper()
	c, err := x509.ParseCertificate(der)
	r.must(err)
	o, err := s.Create(r.Context(), object.AttrClass.Is(object.ClassCertificate), object.AttrToken.Is(true),
		object.AttrCertificateType.Is(object.CertificateX509), object.AttrID.Is([]byte{id}),
		object.AttrSubject.Is(c.RawSubject), object.AttrValue.Is(der))
	r.must(err)
	return o
}

func TestCertificatesAreStoredFoundAndRemoved(t *testing.T) {
	for name, p := range personas() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, virtual.WithPIV(p))
			s := r.user(adminHex)
			_, priv := r.generate(s, mechanism.ECKeyPairGen{}, params("P-256"), 0x01)
			key, err := s.Key(t.Context(), priv)
			r.must(err)
			der := r.certify(key)
			o := r.storeDER(s, der, 0x01)
			got, err := object.Get(t.Context(), o, object.AttrValue)
			if err != nil || !bytes.Equal(got, der) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			r.must(s.Destroy(t.Context(), r.one(s, object.ClassCertificate, 0x01)))
			if found := r.find(s, object.AttrClass.Is(object.ClassCertificate), object.AttrID.Is([]byte{1})); len(found) > 0 {
				t.Errorf("%d are left", len(found))
			}
		})
	}
}

// A certificate that is longer than a YubiKey's objects is compressed.
func TestLongCertificatesAreCompressed(t *testing.T) {
	r := newRig(t, virtual.WithPIV(virtual.YubiKey57()))
	s := r.user(adminHex)
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: strings.Repeat("PIV ", 2000)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	r.must(err)
	o := r.storeDER(s, der, 0x01)
	if got, err := object.Get(t.Context(), o, object.AttrValue); err != nil || !bytes.Equal(got, der) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	r.exchanges()
	other := r.find(r.open(""), object.AttrClass.Is(object.ClassCertificate), object.AttrSubject.Is(pkixName(t, der)))
	if len(other) != 1 {
		t.Errorf("%d found by their subject", len(other))
	}
}

func pkixName(t *testing.T, der []byte) []byte {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c.RawSubject
}

func TestKeysAreImported(t *testing.T) {
	r := newRig(t, virtual.WithPIV(virtual.YubiKey57()))
	s := r.user(adminHex)
	common := onToken.With(object.AttrClass.Is(object.ClassPrivateKey))
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	r.must(err)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	r.must(err)
	scalar, err := ec.Bytes()
	r.must(err)
	for id, what := range map[byte]object.Template{
		0x01: {object.AttrKeyType.Is(object.KeyRSA), object.AttrModulus.Is(k.N), object.AttrPublicExponent.Is(big.NewInt(65537)),
			object.AttrPrivateExponent.Is(k.D), object.AttrPrime1.Is(k.Primes[0]), object.AttrPrime2.Is(k.Primes[1]),
			object.AttrExponent1.Is(k.Precomputed.Dp), object.AttrExponent2.Is(k.Precomputed.Dq), object.AttrCoefficient.Is(k.Precomputed.Qinv)},
		0x03: {object.AttrKeyType.Is(object.KeyEC), params("P-384"), object.AttrValue.Is(new(big.Int).SetBytes(scalar).Bytes())},
		0x05: {object.AttrKeyType.Is(object.KeyECEdwards), params("Ed25519"), object.AttrValue.Is(edKey.Seed())},
	} {
		o, err := s.Create(t.Context(), common.With(what...).With(object.AttrID.Is([]byte{id}))...)
		r.must(err)
		r.use(s, o)
		if local, err := object.Get(t.Context(), o, object.AttrLocal); err != nil || local {
			t.Errorf("an imported key says that it was made here: %v", err)
		}
	}
	nist := newRig(t, virtual.WithPIV(virtual.NISTPIV()))
	_, err = nist.user(adminHex).Create(t.Context(), common.With(object.AttrKeyType.Is(object.KeyECEdwards), params("Ed25519"),
		object.AttrValue.Is(edKey.Seed()), object.AttrID.Is([]byte{1}))...)
	nist.code(err, ckr.TemplateInconsistent)
}

func TestKeysMoveAndGo(t *testing.T) {
	r := newRig(t, virtual.WithPIV(virtual.YubiKey57()))
	s := r.user(adminHex)
	_, priv := r.generate(s, mechanism.ECKeyPairGen{}, params("P-256"), 0x03)
	r.must(s.Set(t.Context(), priv, object.AttrID.Is([]byte{0x06})))
	r.use(s, priv)
	r.use(s, r.one(s, object.ClassPrivateKey, 0x06))
	if found := r.find(s, object.AttrID.Is([]byte{0x03})); len(found) > 0 {
		t.Errorf("%d objects are left in the old slot", len(found))
	}
	r.must(s.Destroy(t.Context(), r.one(s, object.ClassPrivateKey, 0x06)))
	if found := r.find(s, object.AttrID.Is([]byte{0x06})); len(found) > 0 {
		t.Errorf("%d objects are left in the slot", len(found))
	}
}

func TestAttestationsAreCertificates(t *testing.T) {
	r := newRig(t, virtual.WithPIV(virtual.YubiKey57()))
	s := r.user(adminHex)
	r.generate(s, mechanism.ECKeyPairGen{}, params("P-256"), 0x01)
	get := func(id ...byte) *x509.Certificate {
		t.Helper()
		found := r.find(s, object.AttrClass.Is(object.ClassCertificate), object.AttrID.Is(id))
		if len(found) != 1 {
			t.Fatalf("%d certificates with id %X", len(found), id)
		}
		der, err := object.Get(t.Context(), found[0], object.AttrValue)
		r.must(err)
		c, err := x509.ParseCertificate(der)
		r.must(err)
		return c
	}
	r.must(get(0xF9, 0x01).CheckSignatureFrom(get(0x19)))
	root, err := x509.ParseCertificate(r.card.PIVAttestationRoot())
	r.must(err)
	r.must(get(0x19).CheckSignatureFrom(root))
}

func TestDataObjectsAreWritten(t *testing.T) {
	for name, p := range personas() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, virtual.WithPIV(p))
			s := r.user(adminHex)
			of := func(label string, private bool, v string) object.Template {
				return onToken.With(object.AttrClass.Is(object.ClassData), object.AttrLabel.Is(label), object.AttrPrivate.Is(private), object.AttrValue.Is([]byte(v)))
			}
			o, err := s.Create(t.Context(), of("Printed Information", true, "\x01\x01x\xFE\x00")...)
			r.must(err)
			r.must(s.Set(t.Context(), o, object.AttrValue.Is([]byte("\x01\x01y\xFE\x00"))))
			if v, err := object.Get(t.Context(), o, object.AttrValue); err != nil || string(v) != "\x01\x01y\xFE\x00" {
				t.Errorf("%q, %v", v, err)
			}
			_, err = s.Create(t.Context(), of("Shopping List", false, "x")...)
			r.code(err, ckr.TemplateInconsistent)
			_, err = s.Create(t.Context(), of("Printed Information", true, "x")...)
			r.code(err, ckr.TemplateInconsistent) // it is there
			r.must(s.Destroy(t.Context(), o))
			r.must(s.Logout(t.Context()))
			if found := r.find(s, object.AttrLabel.Is("Printed Information")); len(found) > 0 {
				t.Error("it is still there")
			}
		})
	}
}

func TestManagementKeyIsTheSecurityOfficers(t *testing.T) {
	for name, p := range personas() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, virtual.WithPIV(p))
			s := r.open("")
			r.code(s.Login(t.Context(), token.SO, pin("0102")), ckr.PINLenRange)
			r.code(s.Login(t.Context(), token.SO, pin(strings.Repeat("00", 24))), ckr.PINIncorrect)
			r.must(s.Login(t.Context(), token.SO, token.NewPIN(virtual.DefaultPIVManagementKey())))
			r.must(s.Logout(t.Context()))
			r.must(s.Login(t.Context(), token.SO, pin(adminHex)))
			k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			r.must(err)
			r.storeDER(s, r.certify(k), 0x01)
			r.must(s.Logout(t.Context()))
			_, err = s.Create(t.Context(), object.AttrClass.Is(object.ClassData), object.AttrToken.Is(true),
				object.AttrLabel.Is("Security Object"), object.AttrValue.Is([]byte("x")))
			if name == "yubikey" {
				r.code(err, ckr.UserNotLoggedIn)
			}
		})
	}
}

func TestWritingNeedsTheManagementKey(t *testing.T) {
	r := newRig(t, virtual.WithPIV(virtual.YubiKey57()))
	for admin, want := range map[string]ckr.Code{"": ckr.UserNotLoggedIn, strings.Repeat("00", 24): ckr.PINIncorrect, "short": ckr.PINLenRange} {
		s := r.user(admin)
		_, _, err := s.GenerateKeyPair(t.Context(), mechanism.ECKeyPairGen{}, onToken.With(params("P-256")), onToken)
		r.code(err, want)
		r.must(s.Close())
	}
}

// YubiKey Manager keeps the management key in an object that the PIN opens.
func TestManagementKeyKeptForThePIN(t *testing.T) {
	for name, notes := range map[string]object.Template{
		"kept":    {object.AttrValue.Is([]byte{0x80, 0x03, 0x81, 0x01, 0x02})},
		"derived": {object.AttrValue.Is(append([]byte{0x80, 0x15, 0x81, 0x01, 0x00, 0x82, 0x10}, make([]byte, 16)...))},
	} {
		t.Run(name, func(t *testing.T) {
			p := virtual.YubiKey57()
			if name == "derived" {
				key, err := pbkdf2.Key(sha1.New, userPIN, make([]byte, 16), 10000, 24)
				if err != nil {
					t.Fatal(err)
				}
				p.ManagementKey = key
			}
			r := newRig(t, virtual.WithPIV(p))
			s := r.user(fmt.Sprintf("%x", p.ManagementKey))
			data := onToken.With(object.AttrClass.Is(object.ClassData))
			_, err := s.Create(t.Context(), data.With(object.AttrLabel.Is("YubiKey Administration")).With(notes...)...)
			r.must(err)
			if name == "kept" {
				v := append([]byte{0x88, 0x1A, 0x89, 0x18}, p.ManagementKey...)
				_, err = s.Create(t.Context(), data.With(object.AttrLabel.Is("Printed Information"), object.AttrPrivate.Is(true), object.AttrValue.Is(v))...)
				r.must(err)
			}
			r.must(s.Close())
			s = r.user("")
			_, priv := r.generate(s, mechanism.ECKeyPairGen{}, params("P-256"), 0x01)
			r.use(s, priv)
		})
	}
}

func TestPINsAreChangedAndUnblocked(t *testing.T) {
	for name, p := range personas() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, virtual.WithPIV(p))
			s := r.open("")
			r.code(s.Login(t.Context(), token.User, pin("12345")), ckr.PINLenRange)
			r.must(s.Login(t.Context(), token.User, pin(userPIN)))
			r.must(s.SetPIN(t.Context(), pin(userPIN), pin("654321")))
			r.must(s.Logout(t.Context()))
			for range p.PINTries - 1 {
				r.code(s.Login(t.Context(), token.User, pin(userPIN)), ckr.PINIncorrect)
			}
			r.code(s.Login(t.Context(), token.User, pin(userPIN)), ckr.PINLocked)
			r.code(s.Login(t.Context(), token.User, pin("654321")), ckr.PINLocked)
			r.code(s.UnblockPIN(t.Context(), pin("00000000"), pin("111111")), ckr.PINIncorrect)
			r.must(s.UnblockPIN(t.Context(), pin(userPUK), pin("111111")))
			r.must(s.Login(t.Context(), token.User, pin("111111")))
		})
	}
}

func TestManagementKeyIsChanged(t *testing.T) {
	r := newRig(t, virtual.WithPIV(virtual.YubiKey57()))
	s := r.open("")
	r.must(s.Login(t.Context(), token.SO, pin(adminHex)))
	r.must(s.SetPIN(t.Context(), pin(adminHex), pin(strings.Repeat("a5", 32))))
	r.must(s.Logout(t.Context()))
	r.code(s.Login(t.Context(), token.SO, pin(adminHex)), ckr.PINIncorrect)
	r.must(s.Login(t.Context(), token.SO, pin(strings.Repeat("a5", 32))))
}

func TestRetriesAndReset(t *testing.T) {
	card := virtual.New(virtual.WithPIV(virtual.YubiKey57()))
	conn, err := apdu.Dial(t.Context(), virtual.Single(card), "Virtual 00")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	app, err := piv.Open(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := app.Version(); !ok || v != [3]byte{5, 7, 1} {
		t.Errorf("version %v", v)
	}
	if err := app.SetRetries(t.Context(), pin(adminHex), pin(userPIN), 7, 4); err != nil {
		t.Fatal(err)
	}
	if p, k, err := app.Tries(t.Context()); err != nil || p != 7 || k != 4 {
		t.Errorf("%d, %d, %v", p, k, err)
	}
	if err := app.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p, k, err := app.Tries(t.Context()); err != nil || p != 3 || k != 3 {
		t.Errorf("%d, %d, %v", p, k, err)
	}
	other, err := apdu.Dial(t.Context(), virtual.Single(virtual.New()), "Virtual 00")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := piv.Open(t.Context(), other); ckr.Of(err) != ckr.TokenNotRecognized {
		t.Errorf("a card without PIV: %v", err)
	}
}
