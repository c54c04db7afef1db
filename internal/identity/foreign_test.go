package identity_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// Further commands of PIV cards.
const (
	insGenerate     = 0x47
	insAuthenticate = 0x87
	insPutData      = 0xDB
	insMove         = 0xF6
	insMetadata     = 0xF7
	insImport       = 0xFE
)

const algP256 = 0x11

var (
	aidPIV     = []byte{0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00}
	aidYubico  = []byte{0xA0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17}
	aidNothing = []byte{0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00}
)

// foreign is a program that knows nothing of this library, at one card: it
// speaks the card's own language.
type foreign struct {
	ctx context.Context
	c   *card
	tx  *apdu.Tx
}

// foreign runs f in one transaction of a foreign program, with the PIV
// application selected if aid is that.
func (p *process) foreign(ctx context.Context, c *card, reader string, aid []byte, f func(f *foreign) error) error {
	conn, err := apdu.Dial(ctx, p.wire(), reader)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Exclusive(ctx, aid, func(ctx context.Context, tx *apdu.Tx) error { return f(&foreign{ctx, c, tx}) })
}

func (f *foreign) do(cmd apdu.Command) ([]byte, error) { return f.tx.Do(f.ctx, cmd) }

// admin proves the management key, SP 800-73-5 part 2 §3.2.4: the card's
// challenge is enciphered.
func (f *foreign) admin() error {
	key, err := hex.DecodeString(managementKey)
	if err != nil {
		return err
	}
	alg := byte(0x03)
	var block cipher.Block
	if f.c.kind == yubiKey {
		alg = 0x0A
		block, err = aes.NewCipher(key)
	} else {
		block, err = des.NewTripleDESCipher(key)
	}
	if err != nil {
		return err
	}
	cmd := apdu.Command{INS: insAuthenticate, P1: alg, P2: 0x9B, Data: tlv.New(0x7C, tlv.New(0x81)), Le: 256}
	answer, err := f.do(cmd)
	if err != nil {
		return err
	}
	challenge, err := tlv.Find(answer, 0x7C, 0x81)
	if err != nil || len(challenge) != block.BlockSize() {
		return errors.New("the card's challenge is none")
	}
	out := make([]byte, len(challenge))
	block.Encrypt(out, challenge)
	cmd.Data = tlv.New(0x7C, tlv.New(0x82, out))
	_, err = f.do(cmd)
	return err
}

// generate makes a P-256 key in a slot.
func (f *foreign) generate(ref byte) error {
	inner := tlv.New(0x80, []byte{algP256})
	answer, err := f.do(apdu.Command{INS: insGenerate, P2: ref, Data: tlv.New(0xAC, inner), Le: 256})
	if err != nil {
		return err
	}
	point, err := tlv.Find(answer, 0x7F49, 0x86)
	if err != nil {
		return err
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return err
	}
	f.place(ref, func(p *place) { p.pub, p.private, p.local, p.steady = pub, nil, true, true })
	return nil
}

// importKey puts a key into a slot.
func (f *foreign) importKey(ref byte, private any, steady bool, policy ...byte) error {
	cmd := apdu.Command{INS: insImport, P2: ref}
	switch k := private.(type) {
	case *ecdsa.PrivateKey:
		secret, err := k.Bytes()
		if err != nil {
			return err
		}
		cmd.P1, cmd.Data = algP256, tlv.New(0x06, secret)
	case *rsa.PrivateKey:
		cmd.P1 = 0x07
		k.Precompute()
		half := k.Size() / 2
		for i, v := range [][]byte{
			k.Primes[0].FillBytes(make([]byte, half)), k.Primes[1].FillBytes(make([]byte, half)),
			k.Precomputed.Dp.FillBytes(make([]byte, half)), k.Precomputed.Dq.FillBytes(make([]byte, half)),
			k.Precomputed.Qinv.FillBytes(make([]byte, half)),
		} {
			cmd.Data = tlv.Append(cmd.Data, tlv.Tag(i+1), v)
		}
	default:
		return fmt.Errorf("%T", private)
	}
	if len(policy) > 0 { // when the PIN is needed
		cmd.Data = tlv.Append(cmd.Data, 0xAA, policy)
	}
	if _, err := f.do(cmd); err != nil {
		return err
	}
	f.place(ref, func(p *place) { p.pub, p.private, p.local, p.steady = publicOf(private), private, false, steady })
	return nil
}

// move moves a key to an empty slot, or removes it if to is FF.
func (f *foreign) move(from, to byte) error {
	if _, err := f.do(apdu.Command{INS: insMove, P1: to, P2: from}); err != nil {
		return err
	}
	var was place
	f.place(from, func(p *place) { was = *p; p.pub, p.private = nil, nil })
	if to == 0xFF {
		return nil
	}
	f.place(to, func(p *place) {
		// The policies go with the key.
		p.pub, p.private, p.local, p.always, p.never, p.steady = was.pub, was.private, was.local, was.always, was.never, false
	})
	return nil
}

// place notes what was done to a slot. A key that is made there has the
// policies of the slot.
func (f *foreign) place(ref byte, change func(p *place)) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	p := f.c.places[ref]
	if p == nil {
		p = &place{}
		f.c.places[ref] = p
	}
	p.always, p.never = ref == 0x9C, ref == 0x9E
	change(p)
}

// store puts a certificate for a public key beside a slot; nil takes it away.
func (f *foreign) store(ref byte, pub crypto.PublicKey) error {
	tag := certificateTag(ref)
	name := tlv.New(0x5C, []byte{byte(tag >> 16), byte(tag >> 8), byte(tag)})
	object := tlv.New(0x53)
	if pub != nil {
		object = container(certify(pub))
	}
	if _, err := f.do(apdu.Command{INS: insPutData, P1: 0x3F, P2: 0xFF, Data: append(name, object...)}); err != nil {
		return err
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	p := f.c.places[ref]
	if p == nil {
		p = &place{}
		f.c.places[ref] = p
	}
	p.cert = pub
	return nil
}

// block pads PINs for a command.
func block(pins ...string) (data []byte) {
	for _, p := range pins {
		data = append(data, append([]byte(p), bytes.Repeat([]byte{0xFF}, 8-len(p))...)...)
	}
	return data
}

// verify types a PIN into the foreign program. That it is refused is no error.
func (f *foreign) verify(pin string) error {
	_, err := f.do(apdu.Command{INS: insVerify, P2: f.c.pinRef, Data: block(pin)})
	if errors.Is(err, apdu.SWTriesLeft) || errors.Is(err, apdu.SWBlocked) {
		return nil
	}
	return err
}

// change changes the PIN.
func (f *foreign) change(old, new string) error {
	_, err := f.do(apdu.Command{INS: insChange, P2: f.c.pinRef, Data: block(old, new)})
	if errors.Is(err, apdu.SWBlocked) {
		return nil
	}
	return err
}

// unblock sets the PIN by the PUK.
func (f *foreign) unblock(new string) error {
	_, err := f.do(apdu.Command{INS: insUnblock, P2: f.c.pinRef, Data: block(puk, new)})
	return err
}
