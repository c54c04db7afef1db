package piv

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/rsapad"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Tags of the dynamic authentication template 7C, SP 800-73-5 part 2 table 7.
const (
	tagTemplate       tlv.Tag = 0x7C
	tagWitness        tlv.Tag = 0x80
	tagChallenge      tlv.Tag = 0x81
	tagResponse       tlv.Tag = 0x82
	tagExponentiation tlv.Tag = 0x85
)

// key returns the slot of a private key whose algorithm is known.
func (b *backend) key(ctx context.Context, ref driver.Ref) (*slot, error) {
	kind, s, _, err := b.parse(ref)
	if err != nil || kind != kindKey {
		return nil, ckr.New(ckr.KeyHandleInvalid, "", err)
	}
	if s.alg != 0 {
		return s, nil
	}
	if _, err := b.public(ctx, s); err != nil {
		return nil, err
	}
	if err := b.still(ref); err != nil {
		return nil, ckr.New(ckr.KeyHandleInvalid, "", err)
	}
	if s.alg == 0 {
		return nil, ckr.Newf(ckr.KeyTypeInconsistent, s.String(), "nothing on the card tells what kind of key it is")
	}
	return s, nil
}

// authenticate has the card apply a key to a block, a digest, a message or a
// point (GENERAL AUTHENTICATE, SP 800-73-5 part 2 §3.2.4).
func (a *app) authenticate(ctx context.Context, s *slot, tag tlv.Tag, input []byte) ([]byte, error) {
	cmd := apdu.Command{
		INS: insAuthenticate, P1: s.alg, P2: s.ref, Le: 256,
		Data: tlv.New(tagTemplate, tlv.New(tagResponse), tlv.New(tag, input)),
	}
	defer clear(cmd.Data)
	if rsaBits(s.alg) > 1024 {
		cmd.Le = whole
	}
	resp, err := a.do(ctx, cmd)
	if err != nil {
		return nil, a.keyError(ctx, s, err)
	}
	v, err := tlv.Find(resp, tagTemplate, tagResponse)
	if err != nil {
		return nil, ckr.New(ckr.DeviceError, s.String(), err)
	}
	return v, nil
}

// keyError gives refusals of a use their code. After one that speaks of the
// key, what is known of it is looked up again before its next use. After others
// used the card, any refusal may mean that the key is not there any more.
func (a *app) keyError(ctx context.Context, s *slot, err error) error {
	if !refused(err) {
		return err
	}
	if !s.tested {
		if replaced := a.replaced(ctx, s); replaced != nil {
			return fmt.Errorf("%w: %w", replaced, err)
		}
	}
	switch {
	case errors.Is(err, swSecurity) && s.touch > TouchNever:
		return ckr.Newf(ckr.FunctionRejected, s.String(), "the card was not touched in time, or has forgotten the PIN: %w", err)
	case errors.Is(err, swSecurity):
		return ckr.New(ckr.UserNotLoggedIn, s.String(), err)
	case errors.Is(err, apdu.SWWrongLength):
		return ckr.New(ckr.DataLenRange, s.String(), err)
	case errors.Is(err, swP1P2), errors.Is(err, swReference), errors.Is(err, apdu.SWConditionsNotSatisfied):
		a.mu.Lock()
		defer a.mu.Unlock()
		s.fresh, s.certKnown = false, false
		s.holds(0, nil)
		return ckr.New(ckr.KeyHandleInvalid, s.String(), err)
	}
	return err
}

// Sign signs: RSA with padding made here, ECDSA of a digest, Ed25519 of the
// whole message.
func (b *backend) Sign(ctx context.Context, ref driver.Ref, m mechanism.Mechanism, input []byte, _ driver.Auth) ([]byte, error) {
	s, err := b.key(ctx, ref)
	if err != nil {
		return nil, err
	}
	if _, ok := m.(mechanism.ECDSA); ok {
		return b.signECDSA(ctx, s, input)
	}
	if ed, ok := m.(mechanism.EdDSA); ok {
		return b.signEdDSA(ctx, s, ed, input)
	}
	bits := rsaBits(s.alg)
	if bits == 0 {
		return nil, ckr.New(ckr.KeyTypeInconsistent, "", nil)
	}
	block, err := rsapad.SignatureBlock(m, input, bits)
	if err != nil {
		return nil, err
	}
	sig, err := b.authenticate(ctx, s, tagChallenge, block)
	if err != nil {
		return nil, err
	}
	if sig, err = rsapad.Result(sig, bits/8); err != nil {
		return nil, err
	}
	return sig, b.tried(ctx, s, func(pub any) bool { return opens(pub, sig, block) })
}

// tried compares a result of a key with its public key, unless that was done
// since others used the card, so that a key that took the place of another one
// is noticed, and so is a certificate of another key. Errors:
// ckr.KeyHandleInvalid for a key that was replaced, else ckr.DeviceError.
func (a *app) tried(ctx context.Context, s *slot, good func(pub any) bool) error {
	if s.tested || s.pub == nil {
		return nil
	}
	if good(s.pub) {
		a.mu.Lock()
		defer a.mu.Unlock()
		s.tested = true
		return nil
	}
	if err := a.replaced(ctx, s); err != nil {
		return err
	}
	return ckr.Newf(ckr.DeviceError, s.String(), "the key is not that of the certificate")
}

// replaced looks at a slot again. Errors: ckr.KeyHandleInvalid if the key that
// was there is not any more.
func (a *app) replaced(ctx context.Context, s *slot) error {
	before := s.keyCount
	a.mu.Lock()
	s.fresh, s.certKnown = false, false
	a.mu.Unlock()
	if _, err := a.public(ctx, s); err != nil {
		return err
	}
	switch {
	case s.keyCount == before:
		return nil
	case s.present:
		return ckr.Newf(ckr.KeyHandleInvalid, s.String(), "another key has taken the place of this one")
	}
	return ckr.Newf(ckr.KeyHandleInvalid, s.String(), "the key is not there any more")
}

// proved makes sure that a key that is about to agree on a secret, which cannot
// be checked, is the one of its public key: by what the card tells of the key,
// else by having it agree on a secret that is known. It costs nothing unless
// others may have used the card.
func (b *backend) proved(ctx context.Context, ref driver.Ref, s *slot, auth driver.Auth) error {
	if s.tested || s.pub == nil {
		return nil
	}
	if b.hasMetadata() {
		if err := b.look(ctx, s); err != nil {
			return err
		}
		if err := b.still(ref); err != nil {
			return ckr.New(ckr.KeyHandleInvalid, "", err)
		}
		if s.tested {
			return nil
		}
	}
	good, err := b.answers(ctx, s, s.pub)
	if err != nil {
		return err
	}
	if err := b.tried(ctx, s, func(any) bool { return good }); err != nil || !s.alwaysAuthenticate() {
		return err
	}
	return b.Login(ctx, token.ContextSpecific, auth.Consent) // the check took the user's consent
}

// opens tells whether result is what the private key makes of block.
func opens(pub any, result, block []byte) bool {
	p, ok := pub.(*rsa.PublicKey)
	if !ok {
		return false
	}
	n := new(big.Int).Exp(new(big.Int).SetBytes(result), big.NewInt(int64(p.E)), p.N)
	return n.Cmp(new(big.Int).SetBytes(block)) == 0
}

// signECDSA signs a digest, of which the leading bytes count that fit the
// curve.
func (a *app) signECDSA(ctx context.Context, s *slot, digest []byte) ([]byte, error) {
	c, ok := curveOf(s.alg)
	if !ok {
		return nil, ckr.New(ckr.KeyTypeInconsistent, s.String(), nil)
	}
	if len(digest) == 0 {
		return nil, ckr.New(ckr.DataLenRange, s.String(), nil)
	}
	in := make([]byte, c.Bytes)
	copy(in[c.Bytes-min(len(digest), c.Bytes):], digest)
	der, err := a.authenticate(ctx, s, tagChallenge, in)
	if err != nil {
		return nil, err
	}
	sig, err := mechanism.ECDSAFromASN1(der, c.Bytes)
	if err != nil || !inRange(sig, c) {
		return nil, ckr.Newf(ckr.DeviceError, s.String(), "the card's signature is no signature")
	}
	return sig, a.tried(ctx, s, func(pub any) bool {
		p, ok := pub.(*ecdsa.PublicKey)
		return ok && ecdsa.VerifyASN1(p, in, der)
	})
}

func curveOf(alg byte) (object.Curve, bool) {
	switch alg {
	case algP256:
		return object.CurveByName("P-256")
	case algP384:
		return object.CurveByName("P-384")
	case algX25519:
		return object.CurveByName("X25519")
	}
	return object.Curve{}, false
}

// inRange tells whether r and s are from 1 to the order of the curve.
func inRange(sig []byte, c object.Curve) bool {
	order := c.NIST.Params().N.FillBytes(make([]byte, c.Bytes))
	zero := make([]byte, c.Bytes)
	for _, n := range [][]byte{sig[:c.Bytes], sig[c.Bytes:]} {
		if bytes.Compare(n, order) >= 0 || bytes.Equal(n, zero) {
			return false
		}
	}
	return true
}

// maxMessage is how long a message an Ed25519 key of a card signs, in bytes:
// it goes there whole.
const maxMessage = 3000

func (a *app) signEdDSA(ctx context.Context, s *slot, m mechanism.EdDSA, message []byte) ([]byte, error) {
	switch {
	case s.alg != algEd25519:
		return nil, ckr.New(ckr.KeyTypeInconsistent, s.String(), nil)
	case m.Prehash || len(m.Context) > 0:
		return nil, ckr.Newf(ckr.MechanismParamInvalid, s.String(), "the card signs messages as they are, without context")
	case len(message) > maxMessage:
		return nil, ckr.Newf(ckr.DataLenRange, s.String(), "the card signs messages of up to %d bytes", maxMessage)
	}
	sig, err := a.authenticate(ctx, s, tagChallenge, message)
	if err != nil {
		return nil, err
	}
	if len(sig) != 64 {
		return nil, ckr.Newf(ckr.DeviceError, s.String(), "the card answered %d bytes for 64", len(sig))
	}
	return sig, a.tried(ctx, s, func(pub any) bool {
		p, ok := pub.(ed25519.PublicKey)
		return ok && ed25519.Verify(p, message, sig)
	})
}

// Decrypt decrypts with RSA; the padding is removed here, in constant time.
func (b *backend) Decrypt(ctx context.Context, ref driver.Ref, m mechanism.Mechanism, data []byte, _ driver.Auth) ([]byte, error) {
	s, err := b.key(ctx, ref)
	if err != nil {
		return nil, err
	}
	n := rsaBits(s.alg) / 8
	switch {
	case n == 0:
		return nil, ckr.New(ckr.KeyTypeInconsistent, s.String(), nil)
	case len(data) != n:
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "", "%d bytes for a modulus of %d", len(data), n)
	}
	block, err := b.authenticate(ctx, s, tagChallenge, data)
	if err != nil {
		if errors.Is(err, swWrongData) { // not below the modulus
			return nil, ckr.New(ckr.EncryptedDataInvalid, s.String(), err)
		}
		return nil, err
	}
	defer clear(block)
	if len(block) != n {
		return nil, ckr.Newf(ckr.DeviceError, s.String(), "the card answered %d bytes for %d", len(block), n)
	}
	if err := b.tried(ctx, s, func(pub any) bool { return opens(pub, block, data) }); err != nil {
		return nil, err
	}
	return rsapad.Message(m, block)
}

// Derive agrees on a secret: the x coordinate of the product.
func (b *backend) Derive(ctx context.Context, ref driver.Ref, m mechanism.Mechanism, auth driver.Auth) ([]byte, error) {
	ecdh, ok := m.(mechanism.ECDH)
	if !ok || ecdh.Cofactor {
		return nil, ckr.New(ckr.MechanismInvalid, "", nil)
	}
	s, err := b.key(ctx, ref)
	if err != nil {
		return nil, err
	}
	c, ok := curveOf(s.alg)
	if !ok {
		return nil, ckr.New(ckr.KeyTypeInconsistent, s.String(), nil)
	}
	view, err := publicView(s.pub)
	if err != nil {
		return nil, ckr.New(ckr.KeyTypeInconsistent, s.String(), err)
	}
	params, _ := object.In(view, object.AttrECParams)
	point, err := soft.Peer(params, ecdh)
	if err != nil {
		return nil, err
	}
	if err := b.proved(ctx, ref, s, auth); err != nil {
		return nil, err
	}
	x, err := b.authenticate(ctx, s, tagExponentiation, point)
	if err != nil {
		return nil, err
	}
	if len(x) != c.Bytes || s.alg == algX25519 && subtle.ConstantTimeCompare(x, make([]byte, c.Bytes)) == 1 {
		clear(x)
		return nil, ckr.Newf(ckr.DeviceError, s.String(), "the card's answer is no shared secret")
	}
	return x, nil
}
