package cryptoki_test

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

const (
	testSO  = "87654321"
	testPIN = "123456"
)

var (
	oidP256 = []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}
	oidP384 = []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22}
)

// newCard returns a card with a token, and a user session to fill it with; the
// session ends with fill.
func newCard(t testing.TB, label string, fill func(s *session.Session)) *virtual.Card {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	card := virtual.New()
	p := virtual.Single(card)
	defer p.Remove("Virtual 00") // for the test's own reader
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(p))
	must(err)
	defer m.Close()
	slots, err := m.Slots(ctx, true)
	must(err)
	tok, err := slots[0].Token(ctx)
	must(err)
	so := token.NewPIN([]byte(testSO))
	must(tok.Initialize(ctx, so, label))
	s, err := session.Open(ctx, tok, session.ReadWrite())
	must(err)
	must(s.Login(ctx, token.SO, so))
	must(s.InitPIN(ctx, token.NewPIN([]byte(testPIN))))
	must(s.Logout(ctx))
	must(s.Login(ctx, token.User, token.NewPIN([]byte(testPIN))))
	if fill != nil {
		fill(s)
	}
	return card
}

// makeKey generates a key pair on the card.
func makeKey(t testing.TB, s *session.Session, label string, id byte, what object.Attribute, more ...object.Attribute) *object.Object {
	t.Helper()
	var m mechanism.Mechanism = mechanism.ECKeyPairGen{}
	if what.Type == object.AttrModulusBits.Type {
		m = mechanism.RSAKeyPairGen{}
	}
	common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is(label), object.AttrID.Is([]byte{id})}
	_, priv, err := s.GenerateKeyPair(context.Background(), m, common.With(what), common.With(more...))
	if err != nil {
		t.Fatal(err)
	}
	return priv
}

// makeCert stores a certificate for a key, signed by itself or by an issuer.
func makeCert(t testing.TB, s *session.Session, label string, id byte, priv *object.Object, parent *x509.Certificate, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	ctx := context.Background()
	key, err := s.Key(ctx, priv)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(id)), Subject: pkix.Name{CommonName: label}, DNSNames: []string{label},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: parent == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Create(ctx,
		object.AttrClass.Is(object.ClassCertificate), object.AttrCertificateType.Is(object.CertificateX509), object.AttrToken.Is(true),
		object.AttrLabel.Is(label), object.AttrID.Is([]byte{id}), object.AttrSubject.Is(cert.RawSubject), object.AttrValue.Is(cert.Raw))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// asker counts how often a person is asked.
type asker struct {
	pins  []string // one after the other, the last for ever
	calls atomic.Int32
	last  atomic.Pointer[token.PINRequest]
}

func (a *asker) ask(_ context.Context, r token.PINRequest) (token.PIN, error) {
	n := int(a.calls.Add(1)) - 1
	a.last.Store(&r)
	return token.NewPIN([]byte(a.pins[min(n, len(a.pins)-1)])), nil
}

func openModule(t testing.TB, p apdu.Provider, opts ...cryptoki.Option) *cryptoki.Module {
	t.Helper()
	m, err := cryptoki.Open(context.Background(), append([]cryptoki.Option{cryptoki.WithProvider(p)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func checkSigns(t testing.TB, key crypto.Signer) {
	t.Helper()
	digest := sha256.Sum256([]byte("message"))
	sig, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	switch pub := key.Public().(type) {
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(pub, digest[:], sig) {
			t.Fatal("the signature does not verify")
		}
	case *rsa.PublicKey:
		if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig); err != nil {
			t.Fatal(err)
		}
	default:
		t.Fatalf("a %T", pub)
	}
}

func TestKeyIsOneLineFromItsURI(t *testing.T) {
	card := newCard(t, "demo", func(s *session.Session) {
		makeKey(t, s, "mail", 1, object.AttrModulusBits.Is(2048))
		priv := makeKey(t, s, "signing", 2, object.AttrECParams.Is(oidP256))
		makeCert(t, s, "signing", 2, priv, nil, nil)
	})
	who := &asker{pins: []string{testPIN}}
	m := openModule(t, virtual.Single(card), cryptoki.WithPIN(who.ask))
	for _, u := range []string{
		"pkcs11:object=signing", "pkcs11:token=demo;id=%02", "pkcs11:token=demo;object=signing;type=cert",
		"pkcs11:object=mail;type=public", "pkcs11:object=mail?pin-value=" + testPIN,
	} {
		key, err := m.Key(t.Context(), u)
		if err != nil {
			t.Errorf("%s: %v", u, err)
			continue
		}
		checkSigns(t, key)
	}
	if n := who.calls.Load(); n != 1 {
		t.Errorf("the PIN was asked for %d times", n)
	}
	if r := who.last.Load(); r.Token.Label != "demo" || r.Reason != token.ReasonLogin {
		t.Errorf("asked %+v", r)
	}
	n := 0
	for key, err := range m.Keys(t.Context(), "pkcs11:") {
		if err != nil {
			t.Fatal(err)
		}
		checkSigns(t, key)
		n++
	}
	if n != 2 {
		t.Errorf("%d keys, not 2", n)
	}
}

// A certificate of the wanted name on another card does not hide the key. Where
// the login on the likely card fails, no other card's PIN is asked for.
func TestKeyIsFoundThoughAnotherCardLooksLikelier(t *testing.T) {
	imported, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	values, err := soft.PrivateTemplate(imported)
	if err != nil {
		t.Fatal(err)
	}
	plain := newCard(t, "plain", func(s *session.Session) { // with a private key and nothing else
		if _, err := s.Create(context.Background(), values.With(object.AttrClass.Is(object.ClassPrivateKey), object.AttrToken.Is(true),
			object.AttrLabel.Is("k"), object.AttrSign.Is(true))...); err != nil {
			t.Fatal(err)
		}
	})
	likely := newCard(t, "likely", func(s *session.Session) {
		makeCert(t, s, "k", 1, makeKey(t, s, "other", 1, object.AttrECParams.Is(oidP256)), nil, nil)
	})
	p := virtual.NewProvider(virtual.Reader{Name: "A", Card: plain}, virtual.Reader{Name: "B", Card: likely})
	m := openModule(t, p, cryptoki.WithPIN(token.StaticPIN([]byte(testPIN))))
	key, err := m.Key(t.Context(), "pkcs11:object=k;type=private")
	if err != nil {
		t.Fatal(err)
	}
	checkSigns(t, key)
	has := newCard(t, "has", func(s *session.Session) { makeKey(t, s, "k", 1, object.AttrECParams.Is(oidP256)) })
	p.Remove("B")
	p.Insert("B", has)
	who := &asker{pins: []string{"999999"}}
	if _, err := openModule(t, p, cryptoki.WithPIN(who.ask)).Key(t.Context(), "pkcs11:object=k;type=private"); ckr.Of(err) != ckr.PINIncorrect {
		t.Errorf("a wrong PIN: %v", err)
	}
	if n := who.calls.Load(); n != 1 {
		t.Errorf("asked for %d PINs", n)
	}
}

func TestURIThatNamesSeveralOrNothingSaysSo(t *testing.T) {
	card := newCard(t, "demo", func(s *session.Session) {
		makeKey(t, s, "a", 1, object.AttrECParams.Is(oidP256))
		makeKey(t, s, "b", 2, object.AttrECParams.Is(oidP256))
	})
	m := openModule(t, virtual.Single(card), cryptoki.WithPIN(token.StaticPIN([]byte(testPIN))))
	_, err := m.Key(t.Context(), "pkcs11:token=demo?pin-value="+testPIN)
	var several *cryptoki.AmbiguousError
	if !errors.As(err, &several) || len(several.Matches) != 2 || !strings.Contains(err.Error(), "object=b") {
		t.Errorf("two keys: %v", err)
	}
	if strings.Contains(err.Error(), testPIN) {
		t.Error("the error tells the PIN")
	}
	var none *cryptoki.NotFoundError
	_, err = m.Key(t.Context(), "pkcs11:token=demo;object=c")
	if !errors.As(err, &none) || ckr.Of(err) != ckr.KeyHandleInvalid || !strings.Contains(err.Error(), `"demo"`) {
		t.Errorf("no key: %v", err)
	}
	_, err = m.Key(t.Context(), "pkcs11:token=other")
	if !errors.As(err, &none) || ckr.Of(err) != ckr.TokenNotPresent || !strings.Contains(err.Error(), `"demo"`) {
		t.Errorf("no token: %v", err)
	}
	if _, err = m.Key(t.Context(), "pkcs12:"); ckr.Of(err) != ckr.ArgumentsBad {
		t.Errorf("no URI: %v", err)
	}
}

func TestPINSourcesAreFollowedOnlyIfAllowed(t *testing.T) {
	card := newCard(t, "demo", func(s *session.Session) { makeKey(t, s, "k", 1, object.AttrECParams.Is(oidP256)) })
	path := filepath.ToSlash(filepath.Join(t.TempDir(), "pin"))
	if err := os.WriteFile(path, []byte(testPIN+"\nnot this\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, command := "pkcs11:object=k?pin-source=file:"+path, "pkcs11:object=k?pin-source=|cat%20"+path
	p := virtual.Single(card)
	m := openModule(t, p)
	for _, u := range []string{file, command} {
		if _, err := m.Key(t.Context(), u); ckr.Of(err) != ckr.ArgumentsBad {
			t.Errorf("%s: %v", u, err)
		}
	}
	if _, err := m.Key(t.Context(), "pkcs11:object=k"); ckr.Of(err) != ckr.UserNotLoggedIn {
		t.Errorf("nobody to ask: %v", err)
	}
	for u, allow := range map[string]cryptoki.Option{file: cryptoki.WithPINFiles(), command: cryptoki.WithPINCommands()} {
		if strings.Contains(u, "|") {
			if _, err := os.Stat("/bin/cat"); err != nil {
				continue // the command is Unix's
			}
		}
		m := openModule(t, p, allow)
		key, err := m.Key(t.Context(), u)
		if err != nil {
			t.Errorf("%s: %v", u, err)
			continue
		}
		checkSigns(t, key)
		m.Close()
	}
}

func TestRefusedPINIsNotSentAgain(t *testing.T) {
	var verifies atomic.Int32
	card := newCard(t, "demo", func(s *session.Session) { makeKey(t, s, "k", 1, object.AttrECParams.Is(oidP256)) })
	p := virtual.Single(card)
	who := &asker{pins: []string{"999999", "999999", testPIN}}
	m := openModule(t, p, cryptoki.WithPIN(who.ask))
	_, err := m.Key(t.Context(), "pkcs11:object=k")
	var e *ckr.Error
	if !errors.As(err, &e) || e.Code != ckr.PINIncorrect || e.Tries != (ckr.Tries{Left: 2, Known: true}) {
		t.Fatalf("first: %v", err)
	}
	before := card.Exchanges()
	if _, err = m.Key(t.Context(), "pkcs11:object=k"); ckr.Of(err) != ckr.PINIncorrect {
		t.Errorf("second: %v", err)
	}
	_ = verifies.Load()
	if n := card.Exchanges() - before; n != 0 {
		t.Errorf("%d exchanges for a PIN that was refused before", n)
	}
	key, err := m.Key(t.Context(), "pkcs11:object=k")
	if err != nil {
		t.Fatal(err)
	}
	checkSigns(t, key)
}

func TestKeyOutlivesResetAndRemoval(t *testing.T) {
	card := newCard(t, "demo", func(s *session.Session) { makeKey(t, s, "k", 1, object.AttrECParams.Is(oidP256)) })
	other := newCard(t, "demo", func(s *session.Session) { makeKey(t, s, "k", 1, object.AttrECParams.Is(oidP256)) })
	const reader = "R"
	p := virtual.NewProvider(virtual.Reader{Name: reader, Card: card})
	for name, cache := range map[string]cryptoki.PINCache{"remembered": cryptoki.CacheUntilLogout(), "asked": cryptoki.CacheNever()} {
		t.Run(name, func(t *testing.T) {
			who := &asker{pins: []string{testPIN}}
			m := openModule(t, p, cryptoki.WithPIN(who.ask), cryptoki.WithPINCache(cache))
			key, err := m.Key(t.Context(), "pkcs11:object=k")
			if err != nil {
				t.Fatal(err)
			}
			checkSigns(t, key)
			p.Reset(reader)
			checkSigns(t, key)
			p.Remove(reader)
			digest := sha256.Sum256(nil)
			if _, err := key.Sign(nil, digest[:], crypto.SHA256); ckr.Of(err) != ckr.TokenNotPresent {
				t.Errorf("away: %v", err)
			}
			// Another card, though it is called the same, gets no PIN.
			before := other.Exchanges()
			p.Insert(reader, other)
			asked := who.calls.Load()
			if _, err := key.Sign(nil, digest[:], crypto.SHA256); ckr.Of(err) != ckr.TokenNotPresent {
				t.Errorf("another card: %v", err)
			}
			if who.calls.Load() != asked {
				t.Error("the PIN was asked for another card")
			}
			if other.Exchanges() == before {
				t.Error("the other card was not even looked at")
			}
			p.Remove(reader)
			p.Insert(reader, card)
			checkSigns(t, key)
			want := int32(3) // the first login, after the reset, after the return
			if name == "remembered" {
				want = 1
			}
			if n := who.calls.Load(); n != want {
				t.Errorf("the PIN was asked for %d times, not %d", n, want)
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := key.Sign(nil, digest[:], crypto.SHA256); ckr.Of(err) != ckr.CryptokiNotInitialized {
				t.Errorf("closed: %v", err)
			}
			if _, err := m.Key(t.Context(), "pkcs11:object=k"); ckr.Of(err) != ckr.CryptokiNotInitialized {
				t.Errorf("closed: %v", err)
			}
		})
	}
}

func TestConsentIsAskedForEachUse(t *testing.T) {
	card := newCard(t, "demo", func(s *session.Session) {
		makeKey(t, s, "always", 1, object.AttrECParams.Is(oidP256), object.AttrAlwaysAuthenticate.Is(true))
	})
	p := virtual.Single(card)
	for _, c := range []struct {
		name  string
		cache cryptoki.PINCache
		want  int32
	}{
		{"never", cryptoki.CacheNever(), 4},                // a login, and three consents
		{"one operation", cryptoki.CacheOneOperation(), 3}, // the login's PIN is the first consent's
		{"until logout", cryptoki.CacheUntilLogout(), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			who := &asker{pins: []string{testPIN}}
			m := openModule(t, p, cryptoki.WithPIN(who.ask), cryptoki.WithPINCache(c.cache))
			defer m.Close()
			key, err := m.Key(t.Context(), "pkcs11:object=always")
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				checkSigns(t, key)
			}
			if n := who.calls.Load(); n != c.want {
				t.Errorf("asked %d times, not %d", n, c.want)
			}
		})
	}
}

func TestCachedPINExpires(t *testing.T) {
	card := newCard(t, "demo", func(s *session.Session) { makeKey(t, s, "k", 1, object.AttrECParams.Is(oidP256)) })
	synctest.Test(t, func(t *testing.T) {
		const reader = "R"
		p := virtual.NewProvider(virtual.Reader{Name: reader, Card: card})
		who := &asker{pins: []string{testPIN}}
		m := openModule(t, p, cryptoki.WithPIN(who.ask), cryptoki.WithPINCache(cryptoki.CacheFor(time.Minute)))
		key, err := m.Key(t.Context(), "pkcs11:object=k")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		p.Reset(reader)
		checkSigns(t, key)
		if n := who.calls.Load(); n != 1 {
			t.Errorf("asked %d times within the minute", n)
		}
		time.Sleep(2 * time.Second) // a minute after it was typed, not after it was used
		p.Reset(reader)
		checkSigns(t, key)
		if n := who.calls.Load(); n != 2 {
			t.Errorf("asked %d times after it", n)
		}
		m.Close()
	})
}

func TestKeyExchange(t *testing.T) {
	card := newCard(t, "demo", func(s *session.Session) {
		makeKey(t, s, "p256", 1, object.AttrECParams.Is(oidP256))
		makeKey(t, s, "p384", 2, object.AttrECParams.Is(oidP384))
	})
	m := openModule(t, virtual.Single(card), cryptoki.WithPIN(token.StaticPIN([]byte(testPIN))))
	for label, curve := range map[string]ecdh.Curve{"p256": ecdh.P256(), "p384": ecdh.P384()} {
		key, err := m.Key(t.Context(), "pkcs11:object="+label)
		if err != nil {
			t.Fatal(err)
		}
		mine, ok := key.(ecdh.KeyExchanger)
		if !ok {
			t.Fatalf("%s is no KeyExchanger", label)
		}
		theirs, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		got, err := mine.ECDH(theirs.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		want, err := theirs.ECDH(mine.PublicKey())
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: the secrets differ (%v)", label, err)
		}
		if _, err := mine.ECDH(nil); err == nil {
			t.Error("agreed with nobody")
		}
	}
}

func TestMutualTLSWithCardKeys(t *testing.T) {
	var root *x509.Certificate
	card := newCard(t, "demo", func(s *session.Session) {
		ca := makeKey(t, s, "ca", 1, object.AttrECParams.Is(oidP384))
		root = makeCert(t, s, "ca", 1, ca, nil, nil)
		signer, err := s.Key(context.Background(), ca)
		if err != nil {
			t.Fatal(err)
		}
		for i, what := range []object.Attribute{object.AttrECParams.Is(oidP256), object.AttrModulusBits.Is(2048)} {
			label := []string{"ec", "rsa"}[i]
			priv := makeKey(t, s, label, byte(i+2), what)
			makeCert(t, s, label, byte(i+2), priv, root, signer)
		}
	})
	m := openModule(t, virtual.Single(card), cryptoki.WithPIN(token.StaticPIN([]byte(testPIN))))
	roots := x509.NewCertPool()
	roots.AddCert(root)
	for _, label := range []string{"ec", "rsa"} {
		cert, err := m.TLSCertificate(t.Context(), "pkcs11:object="+label)
		if err != nil {
			t.Fatal(err)
		}
		if len(cert.Certificate) != 2 {
			t.Errorf("%s: a chain of %d", label, len(cert.Certificate))
		}
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			handshake(t, &tls.Config{
				Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, MaxVersion: version,
			}, &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, ServerName: label})
		}
	}
}

func handshake(t *testing.T, server, client *tls.Config) {
	t.Helper()
	a, b := net.Pipe()
	var wg sync.WaitGroup
	var serverErr error
	wg.Go(func() {
		defer a.Close()
		c := tls.Server(a, server)
		if serverErr = c.Handshake(); serverErr == nil {
			_, serverErr = c.Write([]byte("hello"))
		}
		c.Close()
	})
	c := tls.Client(b, client)
	got, err := io.ReadAll(c)
	b.Close()
	wg.Wait()
	if err != nil || serverErr != nil || string(got) != "hello" {
		t.Errorf("client %v, server %v, read %q", err, serverErr, got)
	}
}

// Any number of goroutines share one Key and one session, while the card is
// reset, pulled and put back: each call returns a right signature or says what
// happened.
func TestKeyServesManyGoroutinesThroughTrouble(t *testing.T) {
	card := newCard(t, "demo", func(s *session.Session) { makeKey(t, s, "k", 1, object.AttrECParams.Is(oidP256)) })
	const reader = "R"
	p := virtual.NewProvider(virtual.Reader{Name: reader, Card: card})
	m := openModule(t, p, cryptoki.WithPIN(token.StaticPIN([]byte(testPIN))))
	key, err := m.Key(t.Context(), "pkcs11:object=k")
	if err != nil {
		t.Fatal(err)
	}
	pub := key.Public().(*ecdsa.PublicKey)
	digest := sha256.Sum256([]byte("message"))
	var wg sync.WaitGroup
	var good, bad atomic.Int32
	for range 50 {
		wg.Go(func() {
			for range 20 {
				sig, err := key.Sign(nil, digest[:], crypto.SHA256)
				switch code := ckr.Of(err); {
				case err == nil && ecdsa.VerifyASN1(pub, digest[:], sig):
					good.Add(1)
				case err == nil:
					t.Error("a wrong signature")
				case code == ckr.TokenNotPresent, code == ckr.DeviceRemoved, code == ckr.DeviceError, code == ckr.UserNotLoggedIn:
					bad.Add(1)
				default:
					t.Errorf("not a documented error: %v", err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 20 {
			if i%4 == 3 {
				p.Remove(reader)
				p.Insert(reader, card)
			} else {
				p.Reset(reader)
			}
		}
	})
	wg.Wait()
	if good.Load() == 0 {
		t.Errorf("no signature in %d calls", bad.Load())
	}
	checkSigns(t, key)
}

func TestSignerOptionsAreChecked(t *testing.T) {
	card := newCard(t, "demo", func(s *session.Session) {
		makeKey(t, s, "ec", 1, object.AttrECParams.Is(oidP256))
		makeKey(t, s, "rsa", 2, object.AttrModulusBits.Is(2048))
	})
	m := openModule(t, virtual.Single(card), cryptoki.WithPIN(token.StaticPIN([]byte(testPIN))))
	digest := sha256.Sum256(nil)
	for _, label := range []string{"ec", "rsa"} {
		key, err := m.Key(t.Context(), "pkcs11:object="+label)
		if err != nil {
			t.Fatal(err)
		}
		before := card.Exchanges()
		for name, sign := range map[string]func() ([]byte, error){
			"no options":      func() ([]byte, error) { return key.Sign(nil, digest[:], nil) },
			"nil PSS options": func() ([]byte, error) { return key.Sign(nil, digest[:], (*rsa.PSSOptions)(nil)) },
			"short digest":    func() ([]byte, error) { return key.Sign(nil, digest[:31], crypto.SHA256) },
			"long digest":     func() ([]byte, error) { return key.Sign(nil, append(digest[:], 0), crypto.SHA256) },
			"empty digest":    func() ([]byte, error) { return key.Sign(nil, nil, crypto.SHA256) },
			"PSS, no hash":    func() ([]byte, error) { return key.Sign(nil, digest[:], &rsa.PSSOptions{}) },
		} {
			if _, err := sign(); err == nil && (label == "rsa" || name != "PSS, no hash" && name != "no options") {
				t.Errorf("%s: signed with %s", label, name)
			}
		}
		if label == "rsa" && card.Exchanges() != before {
			t.Errorf("%s: the card saw bad options", label)
		}
		msg := []byte("message")
		sum := sha256.Sum256(msg)
		sig, err := key.(crypto.MessageSigner).SignMessage(nil, msg, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		switch pub := key.Public().(type) {
		case *ecdsa.PublicKey:
			if !ecdsa.VerifyASN1(pub, sum[:], sig) {
				t.Error("SignMessage: does not verify")
			}
		case *rsa.PublicKey:
			if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], sig); err != nil {
				t.Error(err)
			}
			decrypts(t, key.(crypto.Decrypter), pub)
		}
	}
}

// What the way to the card costs is counted, for time cannot be.
func TestSignatureCostsFewAllocations(t *testing.T) {
	card := newCard(t, "demo", func(s *session.Session) { makeKey(t, s, "ec", 1, object.AttrECParams.Is(oidP256)) })
	m := openModule(t, virtual.Single(card), cryptoki.WithPIN(token.StaticPIN([]byte(testPIN))))
	key, err := m.Key(t.Context(), "pkcs11:object=ec")
	if err != nil {
		t.Fatal(err)
	}
	std, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	count := func(k crypto.Signer) float64 {
		return testing.AllocsPerRun(200, func() {
			if _, err := k.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
				t.Fatal(err)
			}
		})
	}
	before := card.Exchanges()
	ours, theirs := count(key), count(std)
	if !raceEnabled && ours > theirs+12 {
		t.Errorf("%v allocations, crypto/ecdsa has %v", ours, theirs)
	}
	if n := card.Exchanges() - before; n > 2*201+1 {
		t.Errorf("%d exchanges for 201 signatures", n)
	}
}

// A mechanism that the key lacks is refused before anything is sent, with
// what there is.
func TestMechanismThatTheCardLacksIsRefusedWithWhatItHas(t *testing.T) {
	newCard(t, "demo", func(s *session.Session) {
		priv := makeKey(t, s, "ec", 1, object.AttrECParams.Is(oidP256))
		_, err := s.Sign(t.Context(), mechanism.RSAPKCS{Hash: crypto.SHA256}, priv, []byte("x"))
		if ckr.Of(err) != ckr.KeyTypeInconsistent || !strings.Contains(err.Error(), "CKM_ECDSA_SHA256") {
			t.Error(err)
		}
	})
}

func decrypts(t *testing.T, key crypto.Decrypter, pub *rsa.PublicKey) {
	t.Helper()
	secret := []byte("0123456789abcdef")
	v15, err := rsa.EncryptPKCS1v15(rand.Reader, pub, secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, opts := range []crypto.DecrypterOpts{nil, &rsa.PKCS1v15DecryptOptions{}, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 16}} {
		if got, err := key.Decrypt(nil, v15, opts); err != nil || string(got) != string(secret) {
			t.Errorf("%+v: %q, %v", opts, got, err)
		}
	}
	// A wrong padding is a random key of that length, not an error.
	v15[100] ^= 1
	got, err := key.Decrypt(nil, v15, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 16})
	if err != nil || len(got) != 16 || string(got) == string(secret) {
		t.Errorf("wrong padding: %d bytes, %v", len(got), err)
	}
	if _, err := key.Decrypt(nil, v15, &rsa.PKCS1v15DecryptOptions{}); ckr.Of(err) != ckr.EncryptedDataInvalid {
		t.Errorf("wrong padding: %v", err)
	}
	oaep, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, pub, secret, []byte("label"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.Decrypt(nil, oaep, &rsa.OAEPOptions{Hash: crypto.SHA256, Label: []byte("label")}); err != nil || string(got) != string(secret) {
		t.Errorf("OAEP: %q, %v", got, err)
	}
	if _, err := key.Decrypt(nil, oaep, &rsa.OAEPOptions{Hash: crypto.SHA256}); ckr.Of(err) != ckr.EncryptedDataInvalid {
		t.Errorf("OAEP with another label: %v", err)
	}
}

// TLS takes any key that is a crypto.Signer: here an Ed25519 key of a session.
func TestTLSWithAnEd25519SessionKey(t *testing.T) {
	newCard(t, "demo", func(s *session.Session) {
		ctx := context.Background()
		_, priv, err := s.GenerateKeyPair(ctx, mechanism.ECEdwardsKeyPairGen{}, object.Template{object.AttrECParams.Is(oidEd25519)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		key, err := s.Key(ctx, priv)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), DNSNames: []string{"ed"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(leaf)
		cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			handshake(t, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, MaxVersion: version},
				&tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, ServerName: "ed"})
		}
	})
}
