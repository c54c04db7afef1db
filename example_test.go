package cryptoki_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// demo returns a module on a virtual card with two keys.
func demo(ctx context.Context) *cryptoki.Module {
	readers, err := cardtest.Readers(ctx,
		cardtest.Key{Label: "ca", Type: cardtest.P256}, cardtest.Key{Label: "server", Type: cardtest.P256})
	if err != nil {
		log.Fatal(err)
	}
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(readers), cryptoki.WithPIN(token.StaticPIN([]byte(cardtest.PIN))))
	if err != nil {
		log.Fatal(err)
	}
	return m
}

// A program that works with PKCS #11's own notions: slots, sessions, objects.
func ExampleOpen() {
	ctx := context.Background()
	readers, err := cardtest.Readers(ctx, cardtest.Key{Label: "mine", Type: cardtest.P256})
	if err != nil {
		log.Fatal(err)
	}
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(readers)) // without a provider, the readers of the machine
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	slots, err := m.Slots(ctx, true)
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.OpenSession(ctx, slots[0].ID(), session.ReadWrite())
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	for o, err := range s.Find(ctx, object.AttrClass.Is(object.ClassCertificate)) {
		if err != nil {
			log.Fatal(err)
		}
		label, err := object.Get(ctx, o, object.AttrLabel)
		fmt.Println(label, err)
	}
	// Output: mine <nil>
}

func ExampleModule_Key() {
	ctx := context.Background()
	m := demo(ctx)
	defer m.Close()
	key, err := m.Key(ctx, "pkcs11:token=test;object=server")
	if err != nil {
		log.Fatal(err)
	}
	digest := sha256.Sum256([]byte("message"))
	sig, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ecdsa.VerifyASN1(key.Public().(*ecdsa.PublicKey), digest[:], sig))

	_, err = m.Key(ctx, "pkcs11:token=test;object=client")
	var none *cryptoki.NotFoundError
	fmt.Println(errors.As(err, &none), errors.Is(err, ckr.KeyHandleInvalid))
	// Output:
	// true
	// true true
}

func ExampleModule_Keys() {
	ctx := context.Background()
	m := demo(ctx)
	defer m.Close()
	for key, err := range m.Keys(ctx, "pkcs11:") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%T\n", key.Public())
	}
	// Output:
	// *ecdsa.PublicKey
	// *ecdsa.PublicKey
}

// A server whose private key is on a card.
func ExampleModule_TLSCertificate() {
	ctx := context.Background()
	m := demo(ctx)
	defer m.Close()
	cert, err := m.TLSCertificate(ctx, "pkcs11:object=server")
	if err != nil {
		log.Fatal(err)
	}
	ca, err := m.Certificate(ctx, "pkcs11:object=ca")
	if err != nil {
		log.Fatal(err)
	}

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.StartTLS()
	defer server.Close()

	roots := x509.NewCertPool()
	roots.AddCert(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)
	// Output: hello <nil>
}

func ExampleModule_CertificateChain() {
	ctx := context.Background()
	m := demo(ctx)
	defer m.Close()
	chain, err := m.CertificateChain(ctx, "pkcs11:object=server")
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range chain {
		fmt.Println(c.Subject)
	}
	// Output:
	// CN=server
	// CN=ca
}

// A PIN function tells a person what the PIN is for, and how many tries are
// left.
func ExampleWithPIN() {
	ctx := context.Background()
	readers, err := cardtest.Readers(ctx, cardtest.Key{Label: "signing", Type: cardtest.P256})
	if err != nil {
		log.Fatal(err)
	}
	ask := func(_ context.Context, r token.PINRequest) (token.PIN, error) {
		fmt.Printf("PIN of %s:\n", r.Token.Label)
		return token.NewPIN([]byte(cardtest.PIN)), nil
	}
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(readers), cryptoki.WithPIN(ask), cryptoki.WithPINCache(cryptoki.CacheFor(time.Minute)))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	_, err = m.Key(ctx, "pkcs11:object=signing")
	fmt.Println(err)
	// Output:
	// PIN of test:
	// <nil>
}

// Two applications in one process are strangers to each other: what one logs
// in to, the other has no part in.
func ExampleModule_Application() {
	ctx := context.Background()
	one := demo(ctx)
	defer one.Close()
	two, err := one.Application(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer two.Close()
	for i, m := range []*cryptoki.Module{one, two} {
		s, err := m.OpenSession(ctx, 1)
		if err != nil {
			log.Fatal(err)
		}
		defer s.Close()
		if i == 0 {
			if err := s.Login(ctx, token.User, token.NewPIN([]byte(cardtest.PIN))); err != nil {
				log.Fatal(err)
			}
		}
		info, err := s.Info()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(info.State)
	}
	// Output:
	// R/O user
	// R/O public
}

// Errors carry the standard's code, what was being done, and the tries left.
func Example_errors() {
	ctx := context.Background()
	m := demo(ctx)
	defer m.Close()
	s, err := m.OpenSession(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	err = s.Login(ctx, token.User, token.NewPIN([]byte("wrong")))
	var e *ckr.Error
	if errors.As(err, &e) {
		fmt.Println(e.Code.Name(), e.Tries.Left)
	}
	fmt.Println(strings.HasPrefix(err.Error(), "login: PIN incorrect, 2 tries left"))
	// Output:
	// CKR_PIN_INCORRECT 2
	// true
}

// A program that looks after certificates wants to know what is wrong with a
// chain. A server takes the best one there is.
func ExampleModule_Chain() {
	ctx := context.Background()
	m := demo(ctx)
	defer m.Close()
	chain, err := m.Chain(ctx, "pkcs11:object=server")
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range chain.Certificates {
		fmt.Println(c.Subject)
	}
	for _, p := range chain.Problems {
		fmt.Println(p)
	}
	fmt.Println(chain.Err())
	// Output:
	// CN=server
	// CN=ca
	// <nil>
}
