package session_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"log"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// exampleSession returns a user session on a virtual card with an RSA key.
func exampleSession(ctx context.Context) (s *session.Session, end func()) {
	readers, err := cardtest.Readers(ctx, cardtest.Key{Label: "rsa", Type: cardtest.RSA2048})
	if err != nil {
		log.Fatal(err)
	}
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(readers))
	if err != nil {
		log.Fatal(err)
	}
	s, err = m.OpenSession(ctx, 1, session.ReadWrite())
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Login(ctx, token.User, token.NewPIN([]byte(cardtest.PIN))); err != nil {
		log.Fatal(err)
	}
	return s, func() { m.Close() }
}

func first(ctx context.Context, s *session.Session, class object.Class) *object.Object {
	for o, err := range s.Find(ctx, object.AttrClass.Is(class)) {
		if err != nil {
			log.Fatal(err)
		}
		return o
	}
	log.Fatal("nothing found")
	return nil
}

func ExampleSession_Sign() {
	ctx := context.Background()
	s, end := exampleSession(ctx)
	defer end()
	pss := mechanism.RSAPSS{Hash: crypto.SHA256}
	sig, err := s.Sign(ctx, pss, first(ctx, s, object.ClassPrivateKey), []byte("message"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Verify(ctx, pss, first(ctx, s, object.ClassPublicKey), []byte("message"), sig))
	// Output: <nil>
}

// A message in parts is hashed as it comes; the card is reached by Sum alone.
func ExampleSession_NewSign() {
	ctx := context.Background()
	s, end := exampleSession(ctx)
	defer end()
	op, err := s.NewSign(ctx, mechanism.RSAPKCS{Hash: crypto.SHA256}, first(ctx, s, object.ClassPrivateKey))
	if err != nil {
		log.Fatal(err)
	}
	defer op.Close()
	fmt.Fprint(op, "a message ")
	fmt.Fprint(op, "in parts")
	sig, err := op.Sum(ctx)
	fmt.Println(len(sig) == op.Size(), err)
	// Output: true <nil>
}

func ExampleSession_Key() {
	ctx := context.Background()
	s, end := exampleSession(ctx)
	defer end()
	key, err := s.Key(ctx, first(ctx, s, object.ClassPrivateKey))
	if err != nil {
		log.Fatal(err)
	}
	digest := sha256.Sum256([]byte("message"))
	sig, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rsa.VerifyPKCS1v15(key.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], sig))
	// Output: <nil>
}

func ExampleSession_GenerateKeyPair() {
	ctx := context.Background()
	s, end := exampleSession(ctx)
	defer end()
	common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is("new"), object.AttrID.Is([]byte{7})}
	p256 := []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}
	_, priv, err := s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{}, common.With(object.AttrECParams.Is(p256)), common)
	if err != nil {
		log.Fatal(err)
	}
	local, err := object.Get(ctx, priv, object.AttrLocal)
	fmt.Println(priv.Class(), "made on the card:", local, err)
	// Output: CKO_PRIVATE_KEY made on the card: true <nil>
}

// Data of the user's: nobody sees it before login.
func ExampleSession_Create() {
	ctx := context.Background()
	s, end := exampleSession(ctx)
	defer end()
	_, err := s.Create(ctx,
		object.AttrClass.Is(object.ClassData), object.AttrToken.Is(true), object.AttrPrivate.Is(true),
		object.AttrLabel.Is("diary"), object.AttrValue.Is([]byte("secret")))
	if err != nil {
		log.Fatal(err)
	}
	count := func() (n int) {
		for range s.Find(ctx, object.AttrLabel.Is("diary")) {
			n++
		}
		return n
	}
	before := count()
	if err := s.Logout(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(before, count())
	// Output: 1 0
}

// Encryption with the public key needs no card; decryption does.
func ExampleSession_Decrypt() {
	ctx := context.Background()
	s, end := exampleSession(ctx)
	defer end()
	oaep := mechanism.RSAOAEP{Hash: crypto.SHA256}
	secret, err := s.Encrypt(ctx, oaep, first(ctx, s, object.ClassPublicKey), []byte("meet me at noon"))
	if err != nil {
		log.Fatal(err)
	}
	plain, err := s.Decrypt(ctx, oaep, first(ctx, s, object.ClassPrivateKey), secret)
	fmt.Println(string(plain), err)
	// Output: meet me at noon <nil>
}

// A session key agrees with a peer on an AES key.
func ExampleSession_Derive() {
	ctx := context.Background()
	s, end := exampleSession(ctx)
	defer end()
	p256 := object.AttrECParams.Is([]byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07})
	_, mine, err := s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{}, object.Template{p256}, nil)
	if err != nil {
		log.Fatal(err)
	}
	peer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	point, err := peer.PublicKey.Bytes()
	if err != nil {
		log.Fatal(err)
	}
	key, err := s.Derive(ctx, mechanism.ECDH{Public: point}, mine,
		object.AttrKeyType.Is(object.KeyAES), object.AttrValueLen.Is(32))
	if err != nil {
		log.Fatal(err)
	}
	iv := make([]byte, 12)
	out, err := s.Encrypt(ctx, mechanism.AESGCM{IV: iv, TagBits: 128}, key, []byte("message"))
	fmt.Println(len(out), err)
	// Output: 23 <nil>
}
