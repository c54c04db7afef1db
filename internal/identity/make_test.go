package identity_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

//go:embed testdata/rsa2048.pem
var rsaPEM []byte

// rsaKeys are RSA keys that were made before, since making one takes long.
var rsaKeys = sync.OnceValue(func() (list []*rsa.PrivateKey) {
	for rest := rsaPEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return list
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			panic(err)
		}
		list = append(list, key.(*rsa.PrivateKey))
	}
})

// issuer signs the certificates of the tests.
var issuer = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC() })

func newEC() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func publicOf(private any) crypto.PublicKey { return private.(crypto.Signer).Public() }

func same(a, b crypto.PublicKey) bool {
	x, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && b != nil && x.Equal(b)
}

var serials struct {
	sync.Mutex
	n int64
}

// certify makes a certificate of a public key.
func certify(pub crypto.PublicKey) []byte {
	serials.Lock()
	serials.n++
	n := serials.n
	serials.Unlock()
	t := &x509.Certificate{
		SerialNumber: big.NewInt(n), Subject: pkix.Name{CommonName: fmt.Sprint("certificate ", n)},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, pub, issuer())
	if err != nil {
		panic(err)
	}
	return der
}

// container is a certificate as a PIV card keeps it, SP 800-73-5 part 1
// table 10.
func container(der []byte) []byte {
	return tlv.New(0x53, tlv.New(0x70, der), tlv.New(0x71, []byte{0}), tlv.New(0xFE))
}

// chuid is the object that tells a card from others by a GUID.
func chuid(guid byte) []byte {
	id := make([]byte, 16)
	id[15] = guid
	return tlv.New(0x53, tlv.New(0x30, make([]byte, 25)), tlv.New(0x34, id), tlv.New(0x35, []byte("20991231")), tlv.New(0x3E), tlv.New(0xFE))
}

// certificateTag is the object with the certificate of a slot.
func certificateTag(ref byte) uint32 {
	switch ref {
	case 0x9A:
		return 0x5FC105
	case 0x9C:
		return 0x5FC10A
	case 0x9D:
		return 0x5FC10B
	case 0x9E:
		return 0x5FC101
	}
	return 0x5FC10D + uint32(ref-0x82)
}

// idOf is the CKA_ID of a slot's objects.
func idOf(ref byte) byte {
	switch ref {
	case 0x9A:
		return 1
	case 0x9C:
		return 2
	case 0x9D:
		return 3
	case 0x9E:
		return 4
	}
	return 5 + ref - 0x82
}

const managementKey = "010203040506070801020304050607080102030405060708"

const puk = "87654321"

// persona is what a PIV card of a kind is like.
func (k kind) persona(serial int) virtual.PIVPersona {
	p := virtual.NISTPIV()
	if k.yubico() {
		p = virtual.YubiKey57()
		p.Serial = uint32(1000 + serial)
	}
	if k == oldYubiKey {
		p.Version = [3]byte{5, 2, 7}
		p.ManagementAlgorithm = 0x03
	}
	p.PUK, p.PINTries, p.PUKTries = puk, 5, 15
	return p
}

// newCard makes a card. Cards of one serial number look alike.
func newCard(ctx context.Context, j *judge, k kind, digit, serial int, keys map[byte]any) (*card, error) {
	c := &card{
		name: fmt.Sprintf("%v %d", k, digit), kind: k, digit: digit, judge: j,
		olds: make(map[string]bool), wrong: make(map[string]int), places: make(map[byte]*place),
	}
	c.pin = c.newPIN()
	if k.piv() {
		c.makePIV(serial, keys)
		return c, nil
	}
	return c, c.makeMyEID(ctx, serial, keys)
}

func (c *card) makePIV(serial int, keys map[byte]any) {
	c.pinRef = 0x80
	p := c.kind.persona(serial)
	p.PIN = c.pin
	image := virtual.PIVImage{Objects: make(map[uint32][]byte), Keys: make(map[byte][]byte)}
	if c.kind != noCHUID {
		image.Objects[0x5FC102] = chuid(byte(serial))
	}
	for ref, private := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			panic(err)
		}
		image.Keys[ref] = der
		image.Objects[certificateTag(ref)] = container(certify(publicOf(private)))
		pub := publicOf(private)
		c.places[ref] = &place{pub: pub, private: private, cert: pub, always: ref == 0x9C, never: ref == 0x9E, steady: true}
	}
	opts := []virtual.Option{virtual.WithPIV(p), virtual.WithPIVImage(image), virtual.Observe(c.observe)}
	if c.kind == oldYubiKey {
		opts = append(opts, virtual.Faults(withoutMetadata))
	}
	c.virtual = virtual.New(opts...)
	c.left, c.most = p.PINTries, p.PINTries
}

// withoutMetadata refuses the commands that came with later YubiKeys.
func withoutMetadata(_ int, command []byte) virtual.Fault {
	if command[1] == insMetadata || command[1] == insMove {
		return virtual.SW(0x6D00)
	}
	return virtual.Fault{}
}

const soPIN = "99887766"

// makeMyEID makes a token with keys, whose ids are the references.
func (c *card) makeMyEID(ctx context.Context, serial int, keys map[byte]any) error {
	c.pinRef = 0x01
	p := virtual.MyEID500()
	p.Serial = [10]byte{9: byte(serial)}
	c.virtual = virtual.New(virtual.As(p), virtual.Observe(c.observe))
	const bench = "workbench"
	readers := virtual.NewProvider(virtual.Reader{Name: bench, Card: c.virtual})
	defer readers.Remove(bench)
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(readers))
	if err != nil {
		return err
	}
	defer m.Close()
	slots, err := m.Slots(ctx, true)
	if err != nil {
		return err
	}
	t, err := slots[0].Token(ctx)
	if err != nil {
		return err
	}
	so, user := token.NewPIN([]byte(soPIN)), token.NewPIN([]byte(c.pin))
	if err := t.Initialize(ctx, so, "myeid"); err != nil {
		return err
	}
	s, err := session.Open(ctx, t, session.ReadWrite())
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return s.Login(ctx, token.SO, so) },
		func() error { return s.InitPIN(ctx, user) },
		func() error { return s.Logout(ctx) },
		func() error { return s.Login(ctx, token.User, user) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		if err := storeKey(ctx, s, id, keys[id]); err != nil {
			return err
		}
		c.keys = append(c.keys, publicOf(keys[id]))
	}
	c.left, c.most = 3, 3
	return s.Close()
}

// p256 is the DER form of the curve's name.
var p256 = []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}

// privateTemplate describes a private key for the card.
func privateTemplate(id byte, private any) object.Template {
	t := object.Template{
		object.AttrClass.Is(object.ClassPrivateKey), object.AttrToken.Is(true),
		object.AttrID.Is([]byte{id}), object.AttrLabel.Is(fmt.Sprint("key ", id)),
	}
	switch k := private.(type) {
	case *rsa.PrivateKey:
		return append(t, object.AttrKeyType.Is(object.KeyRSA), object.AttrModulus.Is(k.N), object.AttrPublicExponent.Is(big.NewInt(int64(k.E))),
			object.AttrPrivateExponent.Is(k.D), object.AttrPrime1.Is(k.Primes[0]), object.AttrPrime2.Is(k.Primes[1]),
			object.AttrExponent1.Is(k.Precomputed.Dp), object.AttrExponent2.Is(k.Precomputed.Dq), object.AttrCoefficient.Is(k.Precomputed.Qinv),
			object.AttrSign.Is(true), object.AttrDecrypt.Is(true))
	case *ecdsa.PrivateKey:
		secret, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		return append(t, object.AttrKeyType.Is(object.KeyEC), object.AttrECParams.Is(p256), object.AttrValue.Is(secret),
			object.AttrSign.Is(true), object.AttrDerive.Is(true))
	}
	panic(fmt.Sprintf("%T", private))
}

// storeKey stores a private key with its certificate and, of RSA, its public key.
func storeKey(ctx context.Context, s *session.Session, id byte, private any) error {
	if _, err := s.Create(ctx, privateTemplate(id, private)...); err != nil {
		return fmt.Errorf("store a key: %w", err)
	}
	cert, err := x509.ParseCertificate(certify(publicOf(private)))
	if err != nil {
		return err
	}
	_, err = s.StoreCertificate(ctx, cert, object.AttrID.Is([]byte{id}), object.AttrLabel.Is(fmt.Sprint("key ", id)))
	return err
}

// generateKey makes a key pair on the card.
func generateKey(ctx context.Context, s *session.Session, id byte) (crypto.PublicKey, error) {
	t := object.Template{object.AttrToken.Is(true), object.AttrID.Is([]byte{id}), object.AttrLabel.Is(fmt.Sprint("key ", id))}
	pub, _, err := s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{}, t.With(object.AttrECParams.Is(p256)),
		t.With(object.AttrSign.Is(true), object.AttrDerive.Is(true)))
	if err != nil {
		return nil, err
	}
	return s.PublicKey(ctx, pub)
}
