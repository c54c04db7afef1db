package faults_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// managementKey is that of the PIV cards, as a person would type it.
const managementKey = "010203040506070801020304050607080102030405060708"

// family is cards of one kind, with what the tasks need on them: a P-256 key
// that signs, an RSA key that decrypts, a public and a private object.
type family struct {
	name  string
	fresh func(t *testing.T, x task) *virtual.Card
	spare func(opts ...virtual.Option) *virtual.Card // another card of the kind
	// How the objects are found.
	signer, decrypter, public, private object.Template
	write                              token.PINFunc // the card's own write secret
	created, generated                 object.Template
	destroyed                          object.Template
	initialises                        bool
	tries                              int
	// What another program sends: a SELECT, and a VERIFY of the user's PIN.
	selects, verifies [][]byte
	secrets           []string
}

func families() []family {
	return []family{pkcs15Family(), pivFamily("nist", virtual.NISTPIV()), pivFamily("yubikey", virtual.YubiKey57())}
}

// The keys of all cards, made once.
var (
	theRSAKey = sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return key
	})
	theECKey = sync.OnceValue(func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	})
)

func named(class object.Class, label string) object.Template {
	return object.Template{object.AttrClass.Is(class), object.AttrLabel.Is(label)}
}

func withID(class object.Class, id byte) object.Template {
	return object.Template{object.AttrClass.Is(class), object.AttrID.Is([]byte{id})}
}

func pkcs15Family() family {
	pkcs15 := []byte{0x00, 0xA4, 0x04, 0x00, 12, 0xA0, 0, 0, 0, 0x63, 'P', 'K', 'C', 'S', '-', '1', '5'}
	return family{
		name: "pkcs15", fresh: pkcs15Card, spare: virtual.New,
		signer: named(object.ClassPrivateKey, "k"), decrypter: named(object.ClassPrivateKey, "rsa"),
		public: named(object.ClassData, "public"), private: named(object.ClassData, "private"),
		created:     data("new", true),
		generated:   object.Template{object.AttrLabel.Is("new"), object.AttrID.Is([]byte{1})},
		destroyed:   named(object.ClassData, "victim"),
		initialises: true, tries: 3,
		selects:  [][]byte{{0x00, 0xA4, 0x00, 0x0C, 0x02, 0x3F, 0x00}},
		verifies: [][]byte{pkcs15, append([]byte{0x00, 0x20, 0x00, 0x01, 8}, padded(userPIN)...)},
		secrets:  []string{userPIN, soPIN, newPIN},
	}
}

func padded(pin string) []byte {
	b := []byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	copy(b, pin)
	return b
}

// pkcs15Card has the objects of newRig, and for the task that needs it an RSA
// key that is imported, which is quicker than to have it made.
func pkcs15Card(t *testing.T, x task) *virtual.Card {
	t.Helper()
	r := newRig(t)
	s := r.user()
	r.create(s, "victim", true)
	if x.name == "decrypt" {
		r.importRSA(s, theRSAKey())
	}
	r.ok(r.module.Close())
	r.ok(r.readers.Remove(reader))
	return r.card
}

// importRSA puts an RSA key on the card, called "rsa".
func (r *rig) importRSA(s *session.Session, k *rsa.PrivateKey) {
	r.Helper()
	must(s.Create(r.ctx, object.Template{
		object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyRSA), object.AttrToken.Is(true), object.AttrPrivate.Is(true),
		object.AttrLabel.Is("rsa"), object.AttrID.Is([]byte{7}), object.AttrDecrypt.Is(true), object.AttrSign.Is(true),
		object.AttrModulus.Is(k.N), object.AttrPublicExponent.Is(big.NewInt(int64(k.E))), object.AttrPrivateExponent.Is(k.D),
		object.AttrPrime1.Is(k.Primes[0]), object.AttrPrime2.Is(k.Primes[1]),
		object.AttrExponent1.Is(k.Precomputed.Dp), object.AttrExponent2.Is(k.Precomputed.Dq), object.AttrCoefficient.Is(k.Precomputed.Qinv),
	}...))(r)
}

func pivFamily(name string, p virtual.PIVPersona) family {
	p.PINTries, p.Serial = 3, 0x00ABCDEF
	piv := []byte{0x00, 0xA4, 0x04, 0x00, 5, 0xA0, 0x00, 0x00, 0x03, 0x08}
	f := family{
		name: name, fresh: func(*testing.T, task) *virtual.Card { return pivCard(p) },
		spare:  func(opts ...virtual.Option) *virtual.Card { return virtual.New(append(opts, virtual.WithPIV(p))...) },
		signer: withID(object.ClassPrivateKey, 1), decrypter: withID(object.ClassPrivateKey, 3),
		public: withID(object.ClassCertificate, 1), private: named(object.ClassData, "Cardholder Facial Image"),
		write: token.StaticPIN([]byte(managementKey)),
		created: object.Template{
			object.AttrClass.Is(object.ClassData), object.AttrToken.Is(true), object.AttrPrivate.Is(true),
			object.AttrLabel.Is("Printed Information"), object.AttrValue.Is(make([]byte, 600)),
		},
		generated: object.Template{object.AttrID.Is([]byte{2})},
		destroyed: named(object.ClassData, "Cardholder Iris Images"),
		tries:     3,
		selects:   [][]byte{piv}, verifies: [][]byte{piv, append([]byte{0x00, 0x20, 0x00, 0x80, 8}, padded(userPIN)...)},
		secrets: []string{userPIN, newPIN, managementKey, "\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08"},
	}
	if name == "yubikey" {
		f.destroyed = withID(object.ClassPrivateKey, 5) // that is a command of its own there
	}
	return f
}

var pivKeys = sync.OnceValue(func() (der [2][]byte) {
	for i, k := range []any{theECKey(), theRSAKey()} {
		b, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			panic(err)
		}
		der[i] = b
	}
	return der
})

func pivCard(p virtual.PIVPersona) *virtual.Card {
	der := pivKeys()
	return virtual.New(virtual.WithPIV(p), virtual.WithPIVImage(virtual.PIVImage{
		Objects: map[uint32][]byte{
			0x5FC105: pivCert(theCertificates()[0], 0),
			0x5FC10B: pivCert(theCertificates()[1], 0),
			0x5FC108: tlv.New(0x53, tlv.New(0xBC, []byte("a face")), tlv.New(0xFE)),
			0x5FC121: tlv.New(0x53, tlv.New(0xBC, []byte("an eye")), tlv.New(0xFE)),
		},
		Keys: map[byte][]byte{0x9A: der[0], 0x9D: der[1], 0x82: der[0]},
	}))
}

// theCertificates are those of theECKey and theRSAKey.
var theCertificates = sync.OnceValue(func() (der [2][]byte) {
	for i, pub := range []any{&theECKey().PublicKey, &theRSAKey().PublicKey} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "k"}, NotAfter: time.Now().Add(time.Hour)}
		b, err := x509.CreateCertificate(rand.Reader, template, template, pub, theECKey())
		if err != nil {
			panic(err)
		}
		der[i] = b
	}
	return der
})

// generatePair is the mechanism and the templates of a P-256 key.
func (f *family) generatePair() (m mechanism.Mechanism, pub, priv object.Template) {
	common := object.Template{object.AttrToken.Is(true)}.With(f.generated...)
	return mechanism.ECKeyPairGen{}, common.With(object.AttrECParams.Is(p256)), common
}
