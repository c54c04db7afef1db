package piv

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/rsapad"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/token"
)

// keyCheck is what was found out about a private key beside a certificate. The
// zero value is nothing.
type keyCheck int

const (
	keyMatches keyCheck = iota + 1
	keyDiffers          // it is another one than the certificate's
	keyAbsent           // the slot has no key that the certificate could be for
)

// checkKey compares the key of a slot with the certificate there.
func (b *backend) checkKey(ctx context.Context, p *place, c *x509.Certificate, pin token.PIN) (keyCheck, error) {
	if b.hasMetadata() {
		s := &slot{place: p}
		if err := b.readMetadata(ctx, s); err != nil {
			return 0, err
		}
		switch {
		case !b.silent && !s.present:
			return keyAbsent, nil
		case s.pub != nil && same(s.pub, c.PublicKey):
			return keyMatches, nil
		case s.pub != nil:
			return keyDiffers, nil
		}
	}
	alg := algorithmOf(c.PublicKey)
	if alg == 0 || p.ref == refAttestation || p.ref != refCardAuth && pin.IsZero() {
		return 0, nil
	}
	if !pin.IsZero() {
		if err := b.Login(ctx, token.ContextSpecific, pin); err != nil {
			return 0, err
		}
	}
	return b.challenge(ctx, &slot{place: p, alg: alg}, c.PublicKey)
}

// challenge has a key prove that it is the private half of pub, if it is of
// the same kind.
func (a *app) challenge(ctx context.Context, s *slot, pub crypto.PublicKey) (keyCheck, error) {
	good, err := a.answers(ctx, s, pub)
	switch {
	case errors.Is(err, swP1P2), errors.Is(err, swReference), errors.Is(err, swWrongData), errors.Is(err, apdu.SWConditionsNotSatisfied):
		return keyAbsent, nil
	case refused(err):
		return 0, nil
	case err != nil:
		return 0, err
	case good:
		return keyMatches, nil
	}
	return keyDiffers, nil
}

// answers has the key sign or, where it is for that, agree.
func (a *app) answers(ctx context.Context, s *slot, pub crypto.PublicKey) (bool, error) {
	random := make([]byte, 32)
	rand.Read(random)
	switch p := pub.(type) {
	case *rsa.PublicKey:
		block, err := rsapad.SignatureBlock(mechanism.RSAPKCS{}, random, rsaBits(s.alg))
		if err != nil {
			return false, err
		}
		sig, err := a.authenticate(ctx, s, tagChallenge, block)
		return err == nil && opens(p, sig, block), err
	case ed25519.PublicKey:
		sig, err := a.authenticate(ctx, s, tagChallenge, random)
		return err == nil && ed25519.Verify(p, random, sig), err
	case *ecdh.PublicKey:
		return a.agreesOn(ctx, s, p)
	case *ecdsa.PublicKey:
		if s.agrees() {
			own, err := p.ECDH()
			if err != nil {
				return false, err
			}
			return a.agreesOn(ctx, s, own)
		}
		in := make([]byte, (p.Curve.Params().BitSize+7)/8)
		copy(in[len(in)-len(random):], random)
		sig, err := a.authenticate(ctx, s, tagChallenge, in)
		return err == nil && ecdsa.VerifyASN1(p, in, sig), err
	}
	return false, nil
}

func (a *app) agreesOn(ctx context.Context, s *slot, pub *ecdh.PublicKey) (bool, error) {
	own, err := pub.Curve().GenerateKey(rand.Reader)
	if err != nil {
		return false, err
	}
	want, err := own.ECDH(pub)
	if err != nil {
		return false, nil // no key has this public half
	}
	defer clear(want)
	got, err := a.authenticate(ctx, s, tagExponentiation, own.PublicKey().Bytes())
	defer clear(got)
	return err == nil && bytes.Equal(got, want), err
}
