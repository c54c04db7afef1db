package identity_test

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"sync"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// user is a goroutine of a process that holds Keys, and a session with handles.
type user struct {
	*process
	name   string
	random *mathrand.Rand

	keys    []session.Key
	s       *session.Session
	card    *card // that the session is with
	handles []handle
}

// handle is an object of a session, and what was read through it.
type handle struct {
	o    *object.Object
	pub  crypto.PublicKey
	cert []byte
}

const maxKeys = 6

// run acts until the steps are used up.
func (u *user) run(ctx context.Context) {
	for u.world.pace.wait(ctx, u.name, false) == nil && u.world.step() {
		u.act(ctx)
	}
}

func (u *user) act(ctx context.Context) {
	switch n := u.random.IntN(100); {
	case n < 1, len(u.keys) == 0 && n < 15:
		u.fetch(ctx)
	case n < 4, len(u.keys) == 0 && n < 60:
		u.fetchOne(ctx)
	case n < 60:
		u.useKey(ctx, u.keys[u.random.IntN(len(u.keys))])
	case u.s == nil || n < 62:
		u.begin(ctx)
	case n < 65:
		u.find(ctx)
	case len(u.handles) > 0:
		u.useHandle(ctx, u.handles[u.random.IntN(len(u.handles))])
	default:
		u.find(ctx)
	}
}

// keep holds a Key.
func (u *user) keep(k session.Key) {
	if len(u.keys) == maxKeys {
		u.keys[u.random.IntN(maxKeys)] = k
		return
	}
	u.keys = append(u.keys, k)
}

// fetch asks for all Keys and holds some.
func (u *user) fetch(ctx context.Context) {
	for k, err := range u.module.Keys(ctx, "pkcs11:") {
		if err != nil {
			u.world.judge.excuse("Keys", err, ckr.ArgumentsBad)
		} else if u.random.IntN(2) == 0 {
			u.keep(k)
		}
	}
}

// fetchOne asks for one Key.
func (u *user) fetchOne(ctx context.Context) {
	uri := fmt.Sprintf("pkcs11:id=%%%02X", 1+u.random.IntN(4))
	if u.random.IntN(2) == 0 {
		c := u.world.cards[u.random.IntN(len(u.world.cards))]
		uri += ";serial=" + c.serial
	}
	k, err := u.module.Key(ctx, uri)
	if err != nil {
		u.world.judge.excuse(uri, err, ckr.ArgumentsBad) // it may be ambiguous
		return
	}
	u.keep(k)
}

// useKey uses a Key and checks the result by its public half.
func (u *user) useKey(ctx context.Context, k session.Key) {
	what, err := useKey(ctx, u.world.judge, u.name, k, u.random)
	u.world.judge.excuse(u.name+" "+what, err)
}

// useKey signs, decrypts or agrees with a Key.
func useKey(ctx context.Context, j *judge, who string, k session.Key, random *mathrand.Rand) (what string, err error) {
	digest := sha256.Sum256([]byte(who))
	switch pub := k.Public().(type) {
	case *rsa.PublicKey:
		if random.IntN(2) == 0 {
			return decryptBy(j, who, pub, random.IntN(4) > 0, func(m mechanism.Mechanism, c []byte) ([]byte, error) {
				var opts crypto.DecrypterOpts = &rsa.OAEPOptions{Hash: crypto.SHA256}
				if _, ok := m.(mechanism.RSAPKCS); ok {
					opts = &rsa.PKCS1v15DecryptOptions{}
				}
				return k.WithContext(ctx).(crypto.Decrypter).Decrypt(nil, c, opts)
			})
		}
	case *ecdsa.PublicKey:
		if x, ok := k.WithContext(ctx).(ecdh.KeyExchanger); ok && random.IntN(2) == 0 {
			return "agree", agreeBy(j, who, pub, func(peer *ecdh.PublicKey) ([]byte, error) { return x.ECDH(peer) })
		}
	}
	sig, err := k.SignContext(ctx, digest[:], crypto.SHA256)
	if err == nil && !verifies(k.Public(), digest[:], sig) {
		j.fail("a signature of a Key does not verify under its public key", "%s, %T", who, k.Public())
	}
	return "sign", err
}

func verifies(pub crypto.PublicKey, digest, sig []byte) bool {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest, sig) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(pub, digest, sig)
	}
	return false
}

// decryptBy encrypts to a public key and has it decrypted.
func decryptBy(j *judge, who string, pub *rsa.PublicKey, oaep bool, decrypt func(mechanism.Mechanism, []byte) ([]byte, error)) (string, error) {
	plain := make([]byte, 16)
	rand.Read(plain)
	var m mechanism.Mechanism = mechanism.RSAPKCS{}
	var cipher []byte
	var err error
	if oaep {
		m = mechanism.RSAOAEP{Hash: crypto.SHA256}
		cipher, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, pub, plain, nil)
	} else {
		cipher, err = rsa.EncryptPKCS1v15(rand.Reader, pub, plain)
	}
	if err != nil {
		return "encrypt", err
	}
	got, err := decrypt(m, cipher)
	if err == nil && string(got) != string(plain) {
		j.fail("a decryption gives another plaintext", "%s: %x, want %x", who, got, plain)
	}
	return "decrypt", err
}

// agreeBy agrees on a secret with a new key.
func agreeBy(j *judge, who string, pub *ecdsa.PublicKey, agree func(*ecdh.PublicKey) ([]byte, error)) error {
	mine, err := newEC().ECDH()
	if err != nil {
		return err
	}
	theirs, err := pub.ECDH()
	if err != nil {
		return err
	}
	want, err := mine.ECDH(theirs)
	if err != nil {
		return err
	}
	got, err := agree(mine.PublicKey())
	if err == nil && string(got) != string(want) {
		j.fail("a secret is not the one that the public key gives", "%s", who)
	}
	return err
}

// begin ends the session and begins another, with the card in one of the
// readers, whose PIN the person types.
func (u *user) begin(ctx context.Context) {
	if u.s != nil {
		u.world.judge.excuse("close", u.s.Close())
		u.s, u.card, u.handles = nil, nil, nil
	}
	name := u.world.named[u.random.IntN(len(u.world.named))]
	c, moves := u.world.in(name)
	if c == nil {
		return
	}
	slots, err := u.module.Slots(ctx, true)
	if err != nil {
		u.world.judge.excuse("slots", err)
		return
	}
	for _, s := range slots {
		if s.Info().Reader != name {
			continue
		}
		t, err := s.Token(ctx)
		if err != nil {
			u.world.judge.excuse("token", err)
			return
		}
		if again, n := u.world.in(name); again != c || n != moves {
			return // somebody moved cards: it is not known which one this is
		}
		x, err := session.Open(ctx, t)
		if err != nil {
			u.world.judge.excuse("open session", err)
			return
		}
		u.s, u.card = x, c
		u.login(ctx, func(pin token.PIN) error { return x.Login(ctx, token.User, pin) })
		u.find(ctx)
		return
	}
}

// login types the PIN of the session's card.
func (u *user) login(_ context.Context, verify func(token.PIN) error) {
	u.card.mu.Lock()
	pin := u.card.pin
	u.card.mu.Unlock()
	u.types(pin)
	u.world.judge.excuse("login", verify(token.NewPIN([]byte(pin))))
}

// find looks for objects of the session, and reads what makes them what they
// are.
func (u *user) find(ctx context.Context) {
	if info, err := u.s.Info(); err != nil {
		u.world.judge.excuse("session info", err)
		u.s, u.card, u.handles = nil, nil, nil
		return
	} else if info.State == token.ROPublic {
		u.login(ctx, func(pin token.PIN) error { return u.s.Login(ctx, token.User, pin) })
	}
	u.handles = nil
	class := object.ClassPrivateKey
	if u.random.IntN(4) == 0 {
		class = object.ClassCertificate
	}
	for o, err := range u.s.Find(ctx, object.AttrClass.Is(class)) {
		if err != nil {
			u.world.judge.excuse("find", err)
			return
		}
		h, err := u.read(ctx, o)
		if err != nil {
			u.world.judge.excuse("read", err)
			continue
		}
		u.handles = append(u.handles, h)
	}
}

// read reads an object. Its unique id stands for what it is, for good.
func (u *user) read(ctx context.Context, o *object.Object) (h handle, err error) {
	h.o = o
	value := object.AttrPublicKeyInfo.Type
	if o.Class() == object.ClassCertificate {
		value = object.AttrValue.Type
	}
	values, err := u.s.Attributes(ctx, o, object.AttrUniqueID.Type, value)
	if err != nil {
		return h, err
	}
	if values[0].Code == ckr.OK && values[1].Code == ckr.OK {
		u.world.unique(u.card, string(values[0].Attribute.Bytes()), values[1].Attribute.Bytes())
	}
	if o.Class() == object.ClassCertificate {
		if values[1].Code != ckr.OK {
			return h, ckr.New(values[1].Code, "read", nil)
		}
		h.cert = values[1].Attribute.Bytes()
		cert, err := x509.ParseCertificate(h.cert)
		if err == nil {
			h.pub = cert.PublicKey
		}
		return h, nil
	}
	h.pub, err = u.s.PublicKey(ctx, o)
	return h, err
}

// names remembers what each unique id stood for.
type names struct {
	mu  sync.Mutex
	are map[string]string
}

// unique checks that a unique id on a card stands for one thing.
func (w *world) unique(c *card, id string, value []byte) {
	w.ids.mu.Lock()
	defer w.ids.mu.Unlock()
	key := c.name + " " + id
	if w.ids.are == nil {
		w.ids.are = make(map[string]string)
	}
	was, known := w.ids.are[key]
	if known && was != string(value) {
		w.judge.fail("a unique id stands for two things", "%s", key)
	}
	w.ids.are[key] = string(value)
}

// useHandle uses a handle and checks the result by what was read through it.
func (u *user) useHandle(ctx context.Context, h handle) {
	j := u.world.judge
	if h.o.Class() == object.ClassCertificate {
		again, err := u.read(ctx, h.o)
		if err == nil && string(again.cert) != string(h.cert) {
			j.fail("a handle of a certificate has become another one", "%s", u.name)
		}
		j.excuse("read a certificate", err)
		return
	}
	digest := sha256.Sum256([]byte(u.name))
	switch pub := h.pub.(type) {
	case *rsa.PublicKey:
		if u.random.IntN(2) == 0 {
			what, err := decryptBy(j, u.name+" with a handle", pub, u.random.IntN(4) > 0, func(m mechanism.Mechanism, c []byte) ([]byte, error) {
				return u.s.Decrypt(ctx, m, h.o, c)
			})
			j.excuse(what+" with a handle", err)
			return
		}
		sig, err := u.s.Sign(ctx, mechanism.RSAPKCS{Hash: crypto.SHA256}, h.o, []byte(u.name))
		if err == nil && !verifies(pub, digest[:], sig) {
			j.fail("a signature of a handle does not verify under the public key that it told", "%s", u.name)
		}
		j.excuse("sign with a handle", err)
	case *ecdsa.PublicKey:
		if u.random.IntN(2) == 0 {
			err := agreeBy(j, u.name+" with a handle", pub, func(peer *ecdh.PublicKey) ([]byte, error) { return u.derive(ctx, h.o, peer) })
			j.excuse("derive with a handle", err)
			return
		}
		sig, err := u.sign(ctx, h.o, digest[:])
		if err == nil && !verifiesRaw(pub, digest[:], sig) {
			j.fail("a signature of a handle does not verify under the public key that it told", "%s", u.name)
		}
		j.excuse("sign with a handle", err)
	}
}

// sign signs with a handle, with the user's consent if the key needs it.
func (u *user) sign(ctx context.Context, o *object.Object, digest []byte) ([]byte, error) {
	sig, err := u.s.Sign(ctx, mechanism.ECDSA{}, o, digest)
	if ckr.Of(err) != ckr.UserNotLoggedIn {
		return sig, err
	}
	op, err := u.s.NewSign(ctx, mechanism.ECDSA{}, o)
	if err != nil {
		return nil, err
	}
	defer op.Close()
	if _, err := op.Write(digest); err != nil {
		return nil, err
	}
	u.card.mu.Lock()
	pin := u.card.pin
	u.card.mu.Unlock()
	u.types(pin)
	if err := op.Login(ctx, token.NewPIN([]byte(pin))); err != nil {
		if ckr.Of(err) == ckr.OperationNotInitialized { // it needs none
			err = ckr.New(ckr.UserNotLoggedIn, "sign", err)
		}
		return nil, err
	}
	return op.Sum(ctx)
}

// derive returns the secret that a handle agrees on.
func (u *user) derive(ctx context.Context, o *object.Object, peer *ecdh.PublicKey) ([]byte, error) {
	made, err := u.s.Derive(ctx, mechanism.ECDH{Public: peer.Bytes()}, o,
		object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrToken.Is(false),
		object.AttrSensitive.Is(false), object.AttrExtractable.Is(true), object.AttrValueLen.Is(32))
	if err != nil {
		return nil, err
	}
	values, err := u.s.Attributes(ctx, made, object.AttrValue.Type)
	if err != nil {
		return nil, err
	}
	if values[0].Code != ckr.OK {
		return nil, ckr.New(values[0].Code, "read the secret", nil)
	}
	secret := values[0].Attribute.Bytes()
	return secret, u.s.Destroy(ctx, made)
}

func verifiesRaw(pub *ecdsa.PublicKey, digest, sig []byte) bool {
	if len(sig) != 64 {
		return false
	}
	return ecdsa.Verify(pub, digest, new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
}
