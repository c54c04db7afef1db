package piv

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Application is a PIV application for what PKCS #11 has no calls for. Its
// methods reach the card and may be called while the card is in use as a
// token: each is one transaction.
type Application struct{ a *app }

// Open selects the application on a card. Errors: ckr.TokenNotRecognized if
// the card has none.
func Open(ctx context.Context, conn *apdu.Conn) (*Application, error) {
	list, err := probe(ctx, conn)
	if err != nil {
		return nil, codes.Wrap("open PIV", err)
	}
	if len(list) == 0 {
		return nil, ckr.Newf(ckr.TokenNotRecognized, "open PIV", "the card has no such application")
	}
	return &Application{list[0].(*backend).app}, nil
}

// Serial is the serial number: a YubiKey's, or what the CHUID tells.
func (p *Application) Serial() string { return p.a.serial }

// Version is the version of a YubiKey; ok is false for other cards.
func (p *Application) Version() (version [3]byte, ok bool) { return p.a.version, p.a.yubico }

// Tries tells how many tries are left at PIN and PUK, without spending one.
// Errors: ckr.FunctionNotSupported unless the card is a YubiKey from 5.3 on.
func (p *Application) Tries(ctx context.Context) (pin, puk int, err error) {
	const op = "PIV tries"
	if !p.a.hasMetadata() {
		return 0, 0, unsupported(op)
	}
	err = p.a.unit(ctx, op, func(ctx context.Context) error {
		for ref, left := range map[byte]*int{refPIN: &pin, refPUK: &puk} {
			b, err := p.a.do(ctx, apdu.Command{INS: insMetadata, P2: ref, Le: 256})
			if err != nil {
				return err
			}
			v, err := tlv.Find(b, 0x06)
			if err != nil || len(v) != 2 {
				return ckr.Newf(ckr.DeviceError, "", "the card does not tell")
			}
			*left = int(v[1])
		}
		return nil
	})
	return pin, puk, err
}

func unsupported(op string) error {
	return ckr.Newf(ckr.FunctionNotSupported, op, "the card has no command for it")
}

// unit runs f in one transaction.
func (a *app) unit(ctx context.Context, op string, f func(ctx context.Context) error) error {
	err := a.conn.Exclusive(ctx, aid, func(ctx context.Context, _ *apdu.Tx) error { return f(ctx) })
	return codes.Wrap(op, err)
}

// ChangePUK replaces the PUK, which has eight bytes, that of a YubiKey six to
// eight (CHANGE REFERENCE DATA, SP 800-73-5 part 2 §3.2.2). The caller clears
// both. Errors: ckr.PINIncorrect and ckr.PINLocked, with the tries that are
// left, and ckr.PINLenRange, which costs no try.
func (p *Application) ChangePUK(ctx context.Context, old, new token.PIN) error {
	return p.a.unit(ctx, "change PUK", func(ctx context.Context) error {
		var tries ckr.Tries
		least := p.a.minPUK()
		return (&backend{p.a}).exchange(ctx, insChange, refPUK, &tries, typed{old, least}, typed{new, least})
	})
}

// SetRetries sets how many tries there are at PIN and PUK, 1 to 255. It also
// sets both back to what the card was made with: 123456 and 12345678. It needs
// the management key, or the zero value where the card keeps that for the PIN,
// and the PIN, which the caller clears. Errors: ckr.UserNotLoggedIn if the card
// does not keep it,
// ckr.PINIncorrect, ckr.PINLocked, ckr.PINLenRange, ckr.ArgumentsBad,
// ckr.FunctionNotSupported unless the card is a YubiKey.
func (p *Application) SetRetries(ctx context.Context, management, pin token.PIN, pinTries, pukTries int) error {
	const op = "set PIV tries"
	switch {
	case !p.a.yubico:
		return unsupported(op)
	case pinTries < 1 || pinTries > 255 || pukTries < 1 || pukTries > 255:
		return ckr.Newf(ckr.ArgumentsBad, op, "tries are 1 to 255")
	}
	return p.a.unit(ctx, op, func(ctx context.Context) error {
		b := &backend{p.a}
		if err := b.Login(ctx, token.User, pin); err != nil {
			return err
		}
		defer b.forgetPIN(ctx)
		leave, err := b.admit(ctx, driver.Auth{Write: management})
		if err != nil {
			return err
		}
		defer leave()
		if _, err = b.do(ctx, apdu.Command{INS: insSetRetries, P1: byte(pinTries), P2: byte(pukTries)}); err != nil {
			return err
		}
		return b.rederive(ctx, pin, token.NewPIN([]byte(madeWithPIN)))
	})
}

// madeWithPIN is the PIN of YubiKeys that leave their maker.
const madeWithPIN = "123456"

// maxGuesses bounds the tries at a PIN that is being blocked.
const maxGuesses = 255

// Reset removes all keys and objects, and sets PINs and management key back to
// what the card was made with. To be allowed to it blocks PIN and PUK first,
// by as many wrong ones as that takes. Nothing can be got back. Errors:
// ckr.FunctionNotSupported unless the card is a YubiKey.
func (p *Application) Reset(ctx context.Context) error {
	const op = "reset PIV"
	if !p.a.yubico {
		return unsupported(op)
	}
	return p.a.unit(ctx, op, func(ctx context.Context) error {
		if err := p.a.block(ctx, apdu.Command{INS: insVerify, P2: refPIN}, 1); err != nil {
			return err
		}
		if err := p.a.block(ctx, apdu.Command{INS: insUnblock, P2: refPIN}, 2); err != nil {
			return err
		}
		_, err := p.a.do(ctx, apdu.Command{INS: insReset})
		return err
	})
}

// block sends wrong PINs until there are no tries left.
func (a *app) block(ctx context.Context, cmd apdu.Command, blocks int) error {
	for range maxGuesses {
		cmd.Data = make([]byte, blocks*pinBlock)
		rand.Read(cmd.Data)
		for i := range cmd.Data {
			cmd.Data[i] = '0' + cmd.Data[i]%10
		}
		_, err := a.do(ctx, cmd)
		if errors.Is(err, apdu.SWBlocked) || errors.Is(err, apdu.Status(0x63C0)) && exhausted(err) {
			return nil
		}
		if err != nil && !refused(err) {
			return err
		}
	}
	return ckr.Newf(ckr.DeviceError, "", "the PIN does not get blocked")
}

func exhausted(err error) bool {
	var sw apdu.Status
	return errors.As(err, &sw) && sw == apdu.SWTriesLeft
}
