package session_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"log"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// exampleToken makes a token on a virtual card, with the user's PIN 123456.
func exampleToken(ctx context.Context) (*cryptoki.Module, *token.Token) {
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(virtual.New())))
	check(err)
	slots, err := m.Slots(ctx, true)
	check(err)
	t, err := slots[0].Token(ctx)
	check(err)
	so := token.NewPIN([]byte("87654321"))
	check(t.Initialize(ctx, so, "example"))
	s, err := session.Open(ctx, t, session.ReadWrite())
	check(err)
	defer s.Close()
	check(s.Login(ctx, token.SO, so))
	check(s.InitPIN(ctx, token.NewPIN([]byte("123456"))))
	return m, t
}

// A key pair is made on the card, found, and used as a crypto.Signer.
func Example() {
	ctx := context.Background()
	m, t := exampleToken(ctx)
	defer m.Close()
	s, err := session.Open(ctx, t, session.ReadWrite())
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	pin := token.NewPIN([]byte("123456"))
	defer pin.Clear()
	if err := s.Login(ctx, token.User, pin); err != nil {
		log.Fatal(err)
	}
	p256 := []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07} // DER of the OID
	name := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is("signing")}
	if _, _, err := s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{}, name.With(object.AttrECParams.Is(p256)), name); err != nil {
		log.Fatal(err)
	}
	for o, err := range s.Find(ctx, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("signing")) {
		if err != nil {
			log.Fatal(err)
		}
		key, err := s.Key(ctx, o)
		if err != nil {
			log.Fatal(err)
		}
		digest := sha256.Sum256([]byte("message"))
		sig, err := key.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ecdsa.VerifyASN1(key.Public().(*ecdsa.PublicKey), digest[:], sig))
	}
	// Output: true
}

// Private objects are there for the logged-in user only.
func ExampleSession_Find() {
	ctx := context.Background()
	m, t := exampleToken(ctx)
	defer m.Close()
	s, err := session.Open(ctx, t)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	list := func() {
		for o, err := range s.Find(ctx, object.AttrClass.Is(object.ClassData)) {
			if err != nil {
				log.Fatal(err)
			}
			label, err := object.Get(ctx, o, object.AttrLabel)
			fmt.Println(label, err)
		}
	}
	if err := s.Login(ctx, token.User, token.NewPIN([]byte("123456"))); err != nil {
		log.Fatal(err)
	}
	for label, private := range map[string]bool{"diary": true, "notice": false} {
		_, err := s.Create(ctx, object.AttrClass.Is(object.ClassData), object.AttrLabel.Is(label), object.AttrPrivate.Is(private))
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := s.Logout(ctx); err != nil {
		log.Fatal(err)
	}
	list()
	// Output: notice <nil>
}
