package piv

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/rawrsa"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// refAttestation is the key reference of Yubico's attestation key.
const refAttestation = 0xF9

// PIN policies of a key.
const (
	pinDefault = 0
	pinNever   = 1
	pinOnce    = 2
	pinAlways  = 3
)

// Touch policies of a key.
const (
	touchDefault = 0
	touchNever   = 1
	touchAlways  = 2
	touchCached  = 3
)

// key is a private key in a slot.
type key struct {
	algorithm Algorithm
	private   any // *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey, *ecdh.PrivateKey (X25519)
	agreement *ecdh.PrivateKey
	pkcs8     []byte // what is kept
	length    int    // of that, in bytes
	pin       byte   // in a slot: the policy that holds
	touch     byte
	generated bool

	// closed is the private half while it is not known; pub is the other one.
	closed *sealed
	pub    any
}

// retired tells whether a key reference is of a retired key management key.
func retired(ref byte) bool { return ref >= 0x82 && ref <= 0x95 }

// isSlot tells whether a key reference is of a key that clients make.
func isSlot(ref byte) bool {
	return ref == 0x9A || ref >= 0x9C && ref <= 0x9E || retired(ref)
}

// pinPolicy is the policy that holds: the key's own, or the slot's.
func (k *key) pinPolicy(ref byte) byte {
	switch {
	case k.pin != pinDefault:
		return k.pin
	case ref == 0x9C:
		return pinAlways
	case ref == 0x9E:
		return pinNever
	}
	return pinOnce
}

func (k *key) touchPolicy() byte { return max(k.touch, touchNever) }

var errKind = errors.New("a key that no slot holds")

// newKey takes a private key of the standard library.
func newKey(private any) (*key, error) {
	k := &key{private: private}
	var err error
	switch p := private.(type) {
	case *rsa.PrivateKey:
		if len(p.Primes) != 2 {
			return nil, errKind
		}
		p.Precompute()
	case *ecdsa.PrivateKey:
		if k.agreement, err = p.ECDH(); err != nil {
			return nil, err
		}
	case *ecdh.PrivateKey:
		k.agreement = p
	}
	k.algorithm = algorithmOf(k.public())
	if k.algorithm == 0 {
		return nil, errKind
	}
	k.pkcs8, err = x509.MarshalPKCS8PrivateKey(private)
	k.length = len(k.pkcs8)
	return k, err
}

// parseKey reads what is kept of a key.
func parseKey(pkcs8 []byte) (*key, error) {
	private, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, err
	}
	return newKey(private)
}

// makeKey generates a key.
func makeKey(a Algorithm) (*key, error) {
	var private any
	var err error
	switch a {
	case P256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case Ed25519:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case X25519:
		private, err = ecdh.X25519().GenerateKey(rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, a.rsaBits())
	}
	if err != nil {
		return nil, err
	}
	return newKey(private)
}

// public is the public half, as crypto/x509 has it.
func (k *key) public() any {
	if k.closed != nil {
		return k.pub
	}
	switch p := k.private.(type) {
	case *ecdh.PrivateKey:
		return p.PublicKey()
	case crypto.Signer:
		return p.Public()
	}
	return nil
}

// describe is the content of the template 7F49, SP 800-73-5 part 2 table 10.
func (k *key) describe() []byte {
	switch p := k.public().(type) {
	case *rsa.PublicKey:
		return append(tlv.New(0x81, p.N.Bytes()), tlv.New(0x82, big.NewInt(int64(p.E)).Bytes())...)
	case *ecdsa.PublicKey:
		point, _ := p.Bytes()
		return tlv.New(0x86, point)
	case ed25519.PublicKey:
		return tlv.New(0x86, p)
	case *ecdh.PublicKey:
		return tlv.New(0x86, p.Bytes())
	}
	return nil
}

// sign applies the key to a block, a hash or a message.
func (k *key) sign(input []byte) ([]byte, apdu.Status) {
	switch p := k.private.(type) {
	case *rsa.PrivateKey:
		out, err := rawrsa.Apply(p, input)
		switch {
		case errors.Is(err, rawrsa.ErrRange):
			return nil, apdu.SWWrongData
		case err != nil:
			return nil, apdu.SWNoDiagnosis
		}
		return out, apdu.OK
	case *ecdsa.PrivateKey:
		if len(input) > (p.Curve.Params().BitSize+7)/8 {
			return nil, apdu.SWWrongData
		}
		out, err := ecdsa.SignASN1(rand.Reader, p, input)
		if err != nil {
			return nil, apdu.SWNoDiagnosis
		}
		return out, apdu.OK
	case ed25519.PrivateKey:
		return ed25519.Sign(p, input), apdu.OK
	}
	return nil, apdu.SWWrongData
}

// agree multiplies a point and answers the x coordinate.
func (k *key) agree(point []byte) ([]byte, apdu.Status) {
	if k.agreement == nil {
		return nil, apdu.SWWrongData
	}
	peer, err := k.agreement.Curve().NewPublicKey(point)
	if err != nil {
		return nil, apdu.SWWrongData
	}
	out, err := k.agreement.ECDH(peer)
	if err != nil {
		return nil, apdu.SWWrongData
	}
	return out, apdu.OK
}

// keep puts a key into a slot, in place of the one that was there.
func (c *Card) keep(ref byte, k *key) apdu.Status {
	old := 0
	if o := c.keys[ref]; o != nil {
		old = o.length
	}
	if c.used()-old+k.length > c.persona.Capacity {
		return apdu.SWNoMemory
	}
	c.place(ref, k)
	return apdu.OK
}

// place puts a key into a slot. The policy of the slot becomes the key's own,
// and goes with it if it is moved.
func (c *Card) place(ref byte, k *key) {
	c.dropKey(ref)
	k.pin = k.pinPolicy(ref)
	c.keys[ref] = k
	c.journal.key(ref)
	c.line.Wrote()
}

func (c *Card) dropKey(ref byte) {
	if k := c.keys[ref]; k != nil {
		clear(k.pkcs8)
		delete(c.keys, ref)
		c.journal.key(ref)
		c.line.Wrote()
	}
}
