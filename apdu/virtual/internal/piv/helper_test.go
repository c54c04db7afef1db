package piv

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

var testKey = unhex("010203040506070801020304050607080102030405060708")

func nist() Persona {
	return Persona{
		PIN: "123456", PUK: "12345678", PINTries: 3, PUKTries: 3,
		ManagementAlgorithm: TDES, ManagementKey: bytes.Clone(testKey),
		Algorithms: []Algorithm{RSA1024, RSA2048, P256, P384},
		Capacity:   1 << 17, MaxObject: 16 << 10,
	}
}

func yubikey() Persona {
	p := nist()
	p.Yubico, p.Version, p.Serial, p.Extended = true, [3]byte{5, 7, 1}, 12345678, true
	p.ManagementAlgorithm = AES192
	p.Algorithms = append(p.Algorithms, RSA4096, Ed25519, X25519)
	p.MaxObject = 3072
	return p
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// testKit makes locks that are quickly opened.
func testKit() seal.Kit { return seal.Kit{Cost: seal.Cost{Time: 1, Memory: 32, Threads: 1}} }

// rig is a card and what a test does with it.
type rig struct {
	*testing.T
	card *Card
}

func newRig(t *testing.T, p Persona) *rig { return &rig{t, New(p)} }

// send sends a command of any length, as a chain if need be, and returns the
// whole answer and its status word.
func (r *rig) send(header string, data []byte) ([]byte, apdu.Status) {
	r.Helper()
	h := unhex(header)
	for len(data) > 255 {
		c := append([]byte{h[0] | 0x10, h[1], h[2], h[3], 255}, data[:255]...)
		if got := r.card.Process(c); !bytes.Equal(got, []byte{0x90, 0}) {
			return nil, apdu.Status(got[0])<<8 | apdu.Status(got[1])
		}
		data = data[255:]
	}
	c := bytes.Clone(h)
	if len(data) > 0 {
		c = append(append(c, byte(len(data))), data...)
	}
	got := r.card.Process(append(c, 0))
	out, sw := got[:len(got)-2], apdu.Status(got[len(got)-2])<<8|apdu.Status(got[len(got)-1])
	for sw&0xFF00 == apdu.SWBytesLeft {
		got = r.card.Process([]byte{0, 0xC0, 0, 0, byte(sw)})
		out = append(out, got[:len(got)-2]...)
		sw = apdu.Status(got[len(got)-2])<<8 | apdu.Status(got[len(got)-1])
	}
	return out, sw
}

func (r *rig) want(sw apdu.Status, header, data string) {
	r.Helper()
	if _, got := r.send(header, unhex(data)); got != sw {
		r.Errorf("%s %s: %v, want %v", header, data, got, sw)
	}
}

func (r *rig) ok(header string, data []byte) []byte {
	r.Helper()
	out, sw := r.send(header, data)
	if sw != apdu.OK {
		r.Fatalf("%s: %v", header, sw)
	}
	return out
}

func (r *rig) verify(pin string) { r.Helper(); r.ok("00200080", padded(pin)) }

func padded(pin string) []byte {
	return append([]byte(pin), bytes.Repeat([]byte{0xFF}, 8-len(pin))...)
}

func (r *rig) cipher() (cipher.Block, string) {
	a := r.card.management.algorithm
	var b cipher.Block
	if a == TDES {
		b, _ = des.NewTripleDESCipher(r.card.management.key)
	} else {
		b, _ = aes.NewCipher(r.card.management.key)
	}
	return b, fmt.Sprintf("0087%02X9B", byte(a))
}

// admin proves the management key in the mutual form, and checks the card's
// side of it.
func (r *rig) admin() {
	r.Helper()
	block, header := r.cipher()
	n := block.BlockSize()
	witness, err := tlv.Find(r.ok(header, unhex("7C028000")), 0x7C, 0x80)
	if err != nil || len(witness) != n {
		r.Fatalf("witness %X, %v", witness, err)
	}
	plain, challenge := make([]byte, n), bytes.Repeat([]byte{0x5A}, n)
	block.Decrypt(plain, witness)
	answer := r.ok(header, tlv.New(0x7C, tlv.New(0x80, plain), tlv.New(0x81, challenge)))
	response, _ := tlv.Find(answer, 0x7C, 0x82)
	want := make([]byte, n)
	block.Encrypt(want, challenge)
	if !bytes.Equal(response, want) {
		r.Fatalf("the card's proof is wrong: %X", response)
	}
}

// generate makes a key and returns the content of its template.
func (r *rig) generate(ref byte, a Algorithm, more ...byte) []byte {
	r.Helper()
	inner := append([]byte{0x80, 1, byte(a)}, more...)
	out := r.ok(fmt.Sprintf("004700%02X", ref), tlv.New(0xAC, inner))
	v, err := tlv.Find(out, 0x7F49)
	if err != nil {
		r.Fatal(err)
	}
	return v
}

// use computes with a key.
func (r *rig) use(a Algorithm, ref byte, tag tlv.Tag, input []byte) ([]byte, apdu.Status) {
	r.Helper()
	out, sw := r.send(fmt.Sprintf("0087%02X%02X", byte(a), ref), tlv.New(0x7C, tlv.New(0x82), tlv.New(tag, input)))
	if sw != apdu.OK {
		return nil, sw
	}
	v, err := tlv.Find(out, 0x7C, 0x82)
	if err != nil {
		r.Fatal(err)
	}
	return v, sw
}
