package pkcs15

import (
	"bytes"
	"context"
	"crypto"
	"crypto/subtle"
	"errors"
	"math/big"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/rsapad"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Algorithms of the security environment.
const (
	algRaw = 0x00 // RSA and AES without padding
	algPad = 0x02 // RSA, padded by the card as PKCS #1 v1.5 has it
	algEC  = 0x04 // ECDSA and ECDH
)

// Templates of MANAGE SECURITY ENVIRONMENT: P1 P2.
const (
	mseSign    = 0x41B6
	mseDecrypt = 0x41B8
	mseEncrypt = 0x81B8
	mseDerive  = 0x41A4
)

// environment selects a key for the command that follows (MANAGE SECURITY
// ENVIRONMENT: SET, ISO 7816-4 §11.5.11).
func (a *app) environment(ctx context.Context, p1p2 uint16, alg byte, e *entry, more ...byte) error {
	fid := e.fid()
	data := make([]byte, 0, 32)
	data = append(data, 0x80, 0x01, alg, 0x81, 0x02, byte(fid>>8), byte(fid))
	data = append(data, more...)
	_, err := a.do(ctx, apdu.Command{INS: 0x22, P1: byte(p1p2 >> 8), P2: byte(p1p2), Data: data})
	return keyError(err)
}

// The key references that go with a file: a private and a secret key.
var (
	privateRef = []byte{0x84, 0x01, 0x00}
	secretRef  = []byte{0x83, 0x01, 0x00}
)

// keyError gives refusals of a key command their code: these cards say 6985
// where the PIN is missing.
func keyError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, swSecurity):
		return ckr.New(ckr.UserNotLoggedIn, "", err)
	case errors.Is(err, apdu.Status(0x6A88)), errors.Is(err, swNotFound):
		return ckr.New(ckr.KeyHandleInvalid, "", err)
	}
	return err
}

// Sign signs: RSA with padding made here, ECDSA of a digest.
func (b *backend) Sign(ctx context.Context, ref driver.Ref, m mechanism.Mechanism, input []byte, _ driver.Auth) ([]byte, error) {
	e, err := b.entry(ref)
	if err != nil {
		return nil, err
	}
	if _, ok := m.(mechanism.ECDSA); ok {
		return b.app.signECDSA(ctx, e, input)
	}
	a := b.app
	alg, block, err := a.signInput(m, input, e.bits)
	if err != nil {
		return nil, err
	}
	if err := a.environment(ctx, mseSign, alg, e, privateRef...); err != nil {
		return nil, err
	}
	sig, err := a.do(ctx, apdu.Command{INS: 0x2A, P1: 0x9E, P2: 0x9A, Data: block, Le: 256})
	if err != nil {
		return nil, keyError(err)
	}
	return rsapad.Result(sig, (e.bits+7)/8)
}

// signInput is what the card is given to sign: the whole block, or on a card
// that cannot take one so long, what it then pads itself.
func (a *app) signInput(m mechanism.Mechanism, input []byte, bits int) (alg byte, data []byte, err error) {
	if a.takesBlock(bits) {
		data, err = rsapad.SignatureBlock(m, input, bits)
		return algRaw, data, err
	}
	pkcs1, ok := m.(mechanism.RSAPKCS)
	if !ok {
		return 0, nil, ckr.New(ckr.MechanismInvalid, "", nil)
	}
	if pkcs1.Hash != 0 {
		if input, err = rsapad.DigestInfo(pkcs1.Hash, input); err != nil {
			return 0, nil, err
		}
	}
	if len(input) > (bits+7)/8-11 {
		return 0, nil, ckr.Newf(ckr.DataLenRange, "", "%d bytes", len(input))
	}
	return algPad, input, nil
}

// takesBlock reports whether a block of the modulus's length reaches the card:
// those before version 4.5 do not chain commands.
func (a *app) takesBlock(bits int) bool { return a.chains() || (bits+7)/8 <= maxWrite }

func (a *app) chains() bool {
	v := a.card.version
	return v[0] > 4 || v[0] == 4 && v[1] >= 5
}

// signECDSA signs a digest, cut to the curve's order as the card wants it.
func (a *app) signECDSA(ctx context.Context, e *entry, digest []byte) ([]byte, error) {
	c := curveByBits(e.bits)
	if c == nil {
		return nil, ckr.New(ckr.KeySizeRange, "", errNoCurve)
	}
	size := (c.bits + 7) / 8
	if len(digest) == 0 {
		return nil, ckr.New(ckr.DataLenRange, "", nil)
	}
	if len(digest) > size {
		digest = digest[:size]
		if c.bits%8 != 0 { // the leftmost bits of a digest longer than the order
			v := new(big.Int).SetBytes(digest)
			digest = v.Rsh(v, uint(8-c.bits%8)).FillBytes(make([]byte, size))
		}
	}
	in := make([]byte, size)
	copy(in[size-len(digest):], digest)
	if err := a.environment(ctx, mseSign, algEC, e, privateRef...); err != nil {
		return nil, err
	}
	der, err := a.do(ctx, apdu.Command{INS: 0x2A, P1: 0x9E, P2: 0x9A, Data: in, Le: 256})
	if err != nil {
		return nil, keyError(err)
	}
	return rawSignature(der, c)
}

// rawSignature turns the card's DER signature into r‖s. A value that no
// signature has is an error of the card.
func rawSignature(der []byte, c *curve) ([]byte, error) {
	size := (c.bits + 7) / 8
	raw, err := mechanism.ECDSAFromASN1(der, size)
	if err != nil {
		return nil, ckr.Newf(ckr.DeviceError, "", "the card's signature is malformed")
	}
	for _, n := range [][]byte{raw[:size], raw[size:]} {
		if bytes.Compare(n, c.order) >= 0 || bytes.Equal(n, c.zero) {
			return nil, ckr.Newf(ckr.DeviceError, "", "the card's signature is out of range")
		}
	}
	return raw, nil
}

// Decrypt decrypts: RSA with the padding removed here, in constant time; AES.
func (b *backend) Decrypt(ctx context.Context, ref driver.Ref, m mechanism.Mechanism, data []byte, _ driver.Auth) ([]byte, error) {
	e, err := b.entry(ref)
	if err != nil {
		return nil, err
	}
	if dirClass[e.dir.kind] == object.ClassSecretKey {
		return b.app.cipher(ctx, e, m, data, false)
	}
	n := (e.bits + 7) / 8
	if len(data) != n {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "", "%d bytes for a modulus of %d", len(data), n)
	}
	a := b.app
	if err := a.environment(ctx, mseDecrypt, algRaw, e, privateRef...); err != nil {
		return nil, err
	}
	block, err := a.decipher(ctx, data)
	if errors.Is(err, swWrongData) { // not below the modulus
		return nil, ckr.New(ckr.EncryptedDataInvalid, "", err)
	}
	if err != nil {
		return nil, keyError(err)
	}
	defer clear(block)
	if len(block) != n {
		return nil, ckr.Newf(ckr.DeviceError, "", "the card answered %d bytes for %d", len(block), n)
	}
	return rsapad.Message(m, block)
}

// Padding indicators of DECIPHER: the whole cryptogram, or its halves, which
// is how cards take one that is too long for them.
const (
	wholeCryptogram = 0x00
	firstHalf       = 0x81
	secondHalf      = 0x82
)

// decipher sends a cryptogram and returns the block that comes of it.
func (a *app) decipher(ctx context.Context, data []byte) ([]byte, error) {
	cmd := apdu.Command{INS: 0x2A, P1: 0x80, P2: 0x86, Le: 256}
	if a.chains() || len(data) < maxWrite {
		cmd.Data = append([]byte{wholeCryptogram}, data...)
		return a.do(ctx, cmd)
	}
	half := len(data) / 2
	first := apdu.Command{INS: 0x2A, P1: 0x80, P2: 0x86, Data: append([]byte{firstHalf}, data[:half]...)}
	if _, err := a.do(ctx, first); err != nil {
		return nil, err
	}
	cmd.Data = append([]byte{secondHalf}, data[half:]...)
	return a.do(ctx, cmd)
}

// Encrypt encrypts with an AES key of the card.
func (b *backend) Encrypt(ctx context.Context, ref driver.Ref, m mechanism.Mechanism, data []byte, _ driver.Auth) ([]byte, error) {
	e, err := b.entry(ref)
	if err != nil {
		return nil, err
	}
	return b.app.cipher(ctx, e, m, data, true)
}

// aesPart is how much of a chain one command carries.
const aesPart = 240

// cipher runs AES on the card. Each block of ECB is a chain of its own: the
// card chains all that one environment sees.
func (a *app) cipher(ctx context.Context, e *entry, m mechanism.Mechanism, data []byte, encrypt bool) (out []byte, err error) {
	const block = 16
	moded, ok := m.(interface{ BlockMode() mechanism.BlockMode })
	if !ok || moded.BlockMode().Size != block {
		return nil, ckr.New(ckr.MechanismInvalid, "", nil)
	}
	mode := moded.BlockMode()
	iv, pad, each := mode.IV, mode.Padded, max(len(data), block)
	if !mode.Chained {
		iv, each = make([]byte, block), block
	}
	if pad && encrypt {
		n := block - len(data)%block
		padded := append([]byte(nil), data...)
		for range n {
			padded = append(padded, byte(n))
		}
		defer clear(padded)
		data, each = padded, len(padded)
	}
	if len(data)%block != 0 || len(data) == 0 && pad {
		if encrypt {
			return nil, ckr.Newf(ckr.DataLenRange, "", "%d bytes are no whole blocks", len(data))
		}
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "", "%d bytes are no whole blocks", len(data))
	}
	for len(data) > 0 {
		n := min(each, len(data))
		if out, err = a.chain(ctx, e, iv, data[:n], encrypt, out); err != nil {
			clear(out)
			return nil, err
		}
		data = data[n:]
	}
	if pad && !encrypt {
		defer clear(out)
		return unpadCBC(out, block)
	}
	return out, nil
}

// unpadCBC removes the padding of PKCS #7. All bytes are looked at, whatever
// they hold.
func unpadCBC(b []byte, block int) ([]byte, error) {
	n := int(b[len(b)-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, block)
	for i := range block {
		in := subtle.ConstantTimeLessOrEq(i+1, n)
		same := subtle.ConstantTimeByteEq(b[len(b)-1-i], byte(n))
		good &= subtle.ConstantTimeSelect(in, same, 1)
	}
	if good != 1 {
		return nil, ckr.New(ckr.EncryptedDataInvalid, "", nil)
	}
	return append([]byte(nil), b[:len(b)-n]...), nil
}

func (a *app) chain(ctx context.Context, e *entry, iv, data []byte, encrypt bool, out []byte) ([]byte, error) {
	mse, p1, p2 := uint16(mseDecrypt), byte(0x80), byte(0x84)
	if encrypt {
		mse, p1, p2 = mseEncrypt, 0x84, 0x80
	}
	more := append(append([]byte(nil), secretRef...), 0x87, byte(len(iv)))
	if err := a.environment(ctx, mse, algRaw, e, append(more, iv...)...); err != nil {
		return out, err
	}
	for len(data) > 0 {
		n := min(aesPart, len(data))
		cmd := apdu.Command{INS: 0x2A, P1: p1, P2: p2, Data: data[:n], Le: n}
		if n < len(data) {
			cmd.CLA = 0x10
		}
		part, err := a.do(ctx, cmd)
		if err != nil {
			return out, keyError(err)
		}
		if len(part) != n {
			return out, ckr.Newf(ckr.DeviceError, "", "the card answered %d bytes for %d", len(part), n)
		}
		out = append(out, part...)
		data = data[n:]
	}
	return out, nil
}

// Derive agrees on a secret (GENERAL AUTHENTICATE): the x coordinate.
func (b *backend) Derive(ctx context.Context, ref driver.Ref, m mechanism.Mechanism, _ driver.Auth) ([]byte, error) {
	ecdh, ok := m.(mechanism.ECDH)
	if !ok {
		return nil, ckr.New(ckr.MechanismInvalid, "", nil)
	}
	e, err := b.entry(ref)
	if err != nil {
		return nil, err
	}
	c := curveByBits(e.bits)
	if c == nil {
		return nil, ckr.New(ckr.KeySizeRange, "", errNoCurve)
	}
	point, err := soft.Peer(c.params, ecdh)
	if err != nil {
		return nil, err
	}
	a := b.app
	if err := a.environment(ctx, mseDerive, algEC, e, privateRef...); err != nil {
		return nil, err
	}
	size := (c.bits + 7) / 8
	x, err := a.do(ctx, apdu.Command{INS: 0x86, Data: tlv.New(0x7C, tlv.New(0x85, point)), Le: size})
	if err != nil {
		return nil, keyError(err)
	}
	if len(x) != size {
		clear(x)
		return nil, ckr.Newf(ckr.DeviceError, "", "the card answered %d bytes for %d", len(x), size)
	}
	return x, nil
}

// cardMechanisms is what the card does with keys of the right kind.
func (a *app) cardMechanisms() map[mechanism.Type]mechanism.Info {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.able == nil {
		a.able = make(map[mechanism.Type]mechanism.Info)
		for _, f := range a.families() {
			for m, info := range f {
				a.able[m] = info
			}
		}
	}
	return a.able
}

type abilities = map[mechanism.Type]mechanism.Info

// families lists what the card does: RSA, EC, AES.
func (a *app) families() []abilities {
	return []abilities{a.rsaAble(1024, a.card.rsa), a.ecAble(256, a.card.ec), a.aesAble()}
}

func (a *app) rsaAble(lo, hi int) abilities {
	if a.card.features&featureRSA == 0 {
		return nil
	}
	t := abilities{}
	set := func(m mechanism.Type, f mechanism.Flags) {
		t[m] = mechanism.Info{MinKeySize: uint64(lo), MaxKeySize: uint64(hi), Flags: mechanism.FlagHW | f}
	}
	set(mechanism.TypeRSAPKCSKeyPairGen, mechanism.FlagGenerateKeyPair)
	set(mechanism.TypeRSAPKCS, mechanism.FlagSign|mechanism.FlagDecrypt)
	set(mechanism.TypeRSAX509, mechanism.FlagDecrypt)
	set(mechanism.TypeRSAPKCSOAEP, mechanism.FlagDecrypt)
	for _, h := range hashes {
		set(mechanism.RSAPKCS{Hash: h}.Type(), mechanism.FlagSign)
	}
	if !a.takesBlock(hi) {
		return t
	}
	set(mechanism.TypeRSAX509, mechanism.FlagSign|mechanism.FlagDecrypt)
	set(mechanism.TypeRSAPKCSPSS, mechanism.FlagSign)
	for _, h := range hashes {
		set(mechanism.RSAPSS{Hash: h}.Type(), mechanism.FlagSign)
	}
	return t
}

var hashes = []crypto.Hash{crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512}

func (a *app) ecAble(lo, hi int) abilities {
	if a.card.features&featureEC == 0 {
		return nil
	}
	t := abilities{}
	set := func(m mechanism.Type, f mechanism.Flags) {
		f |= mechanism.FlagHW | mechanism.FlagECFP | mechanism.FlagECOID | mechanism.FlagECUncompress
		t[m] = mechanism.Info{MinKeySize: uint64(lo), MaxKeySize: uint64(hi), Flags: f}
	}
	set(mechanism.TypeECKeyPairGen, mechanism.FlagGenerateKeyPair)
	set(mechanism.TypeECDSA, mechanism.FlagSign)
	set(mechanism.TypeECDH1Derive, mechanism.FlagDerive)
	for _, h := range hashes {
		set(mechanism.ECDSA{Hash: h}.Type(), mechanism.FlagSign)
	}
	return t
}

func (a *app) aesAble() abilities {
	if a.card.features&featureAES == 0 {
		return nil
	}
	info := mechanism.Info{MinKeySize: 16, MaxKeySize: uint64(a.card.aes / 8), Flags: mechanism.FlagHW | mechanism.FlagEncrypt | mechanism.FlagDecrypt}
	return abilities{mechanism.TypeAESECB: info, mechanism.TypeAESCBC: info, mechanism.TypeAESCBCPad: info}
}

// keyMechanisms is what the card does with one key.
func (a *app) keyMechanisms(e *entry) abilities {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.able != nil {
		return e.able
	}
	switch class := dirClass[e.dir.kind]; {
	case class == object.ClassPrivateKey && e.node.Tag == tagSeq:
		e.able = a.rsaAble(e.bits, e.bits)
	case class == object.ClassPrivateKey && e.node.Tag == tagContext:
		e.able = a.ecAble(e.bits, e.bits)
	case class == object.ClassSecretKey && a.keyType(e) == object.KeyAES:
		e.able = a.aesAble()
	default:
		e.able = abilities{}
	}
	return e.able
}
