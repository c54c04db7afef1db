package piv

import (
	"bytes"
	"context"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Key references of PINs, SP 800-73-5 part 1 table 4.
const (
	refGlobalPIN = 0x00
	refPIN       = 0x80
	refPUK       = 0x81
)

// A PIN has six to eight bytes and is padded with FF to eight, SP 800-73-5
// part 2 §2.4.3. The PUK has eight, of any value; that of a YubiKey six to
// eight.
const (
	minPIN   = 6
	pinBlock = 8
	pinPad   = 0xFF
)

// minPUK is the least length of the PUK.
func (a *app) minPUK() int {
	if a.yubico {
		return minPIN
	}
	return pinBlock
}

// block pads a PIN or a PUK of at least so many bytes to the length that the
// card compares. What is too short is refused, for it might cost a try. The
// caller clears the result.
func block(secret []byte, least int) ([]byte, error) {
	switch {
	case len(secret) < least || len(secret) > pinBlock:
		return nil, ckr.Newf(ckr.PINLenRange, "", "%d bytes are given, and the card has %d to %d", len(secret), least, pinBlock)
	case least < pinBlock && bytes.IndexByte(secret, pinPad) >= 0:
		return nil, ckr.Newf(ckr.PINLenRange, "", "the byte FF is what the card fills up with")
	}
	b := bytes.Repeat([]byte{pinPad}, pinBlock)
	copy(b, secret)
	return b, nil
}

// Login verifies the user's PIN with one VERIFY, or proves the management key.
func (b *backend) Login(ctx context.Context, r token.Role, secret token.PIN) error {
	if r == token.SO {
		return b.loginAdmin(ctx, secret)
	}
	if secret.IsPad() {
		return b.verifyOnPad(ctx)
	}
	data, err := block(secret.Reveal(), minPIN)
	if err != nil {
		return err
	}
	defer clear(data)
	if r == token.User {
		if err := b.readAdminData(ctx); err != nil {
			return err
		}
	}
	_, err = b.do(ctx, apdu.Command{INS: insVerify, P2: b.pinRef, Data: data})
	if err := b.judge(err, &b.userTries); err != nil {
		return err
	}
	b.derived.derive(secret.Reveal())
	return nil
}

// judge turns the answer to a PIN command into a code and notes the tries.
func (a *app) judge(err error, tries *ckr.Tries) error {
	if err == nil {
		*tries = ckr.Tries{}
		return nil
	}
	var sw apdu.Status
	if !errors.As(err, &sw) {
		return err
	}
	code := driver.StatusCode(sw)
	switch {
	case sw == apdu.SWBlocked || sw == apdu.SWTriesLeft:
		code = ckr.PINLocked
		*tries = ckr.Tries{Left: 0, Known: true}
	case sw.Is(apdu.SWTriesLeft):
		code = ckr.PINIncorrect
		*tries = ckr.Tries{Left: int(sw & 0x0F), Known: true}
	case sw&0xFFF0 == apdu.SWVerifyFailed: // before SP 800-73-4
		a.oldCounters = true
		code = ckr.PINIncorrect
		*tries = ckr.Tries{Left: int(sw & 0x0F), Known: sw&0x0F != 0}
	case sw == apdu.SWSecurityNotSatisfied:
		code = ckr.PINIncorrect
	case sw == apdu.SWWrongLength || sw == swWrongData:
		code = ckr.PINLenRange
	case sw == swReference || sw == swP1P2:
		code = ckr.UserPINNotInitialized
	}
	return &ckr.Error{Code: code, Tries: *tries, Err: err}
}

// Logout has the card forget that the PIN was verified: VERIFY with P1 FF,
// which cards before SP 800-73-4 do not know; there the selection of another
// application does it.
func (b *backend) Logout(ctx context.Context, r token.Role) error {
	if r == token.SO {
		return b.logoutAdmin(ctx)
	}
	b.derived.clear()
	_, err := b.do(ctx, apdu.Command{INS: insVerify, P1: 0xFF, P2: b.pinRef})
	if !refused(err) {
		return err
	}
	return b.leave(ctx)
}

// others are applications that most cards have: the issuer's.
var others = [][]byte{
	{0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00},
	{0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00},
}

// leave selects another application, if the card has one, so that this one
// forgets what was verified. The next command selects it again.
func (a *app) leave(ctx context.Context) error {
	for _, name := range others {
		_, err := a.do(ctx, apdu.Command{INS: 0xA4, P1: 0x04, Data: name, Le: 256})
		if !refused(err) {
			return err
		}
	}
	return nil
}

// PINStatus asks with an empty VERIFY, unless the card is of an age whose
// cards may count that as a wrong PIN.
func (b *backend) PINStatus(ctx context.Context, r token.Role) (bool, ckr.Tries, error) {
	if r == token.SO || b.oldCounters {
		return false, ckr.Tries{}, nil
	}
	_, err := b.do(ctx, apdu.Command{INS: insVerify, P2: b.pinRef})
	if err == nil {
		return true, ckr.Tries{}, nil
	}
	if !refused(err) {
		return false, ckr.Tries{}, err
	}
	var tries ckr.Tries
	b.judge(err, &tries)
	return false, tries, nil
}

// ChangePIN replaces the user's PIN (CHANGE REFERENCE DATA, SP 800-73-5 part 2
// §3.2.2), or the management key. One that is derived from the PIN follows it.
func (b *backend) ChangePIN(ctx context.Context, r token.Role, old, new token.PIN) error {
	switch {
	case r == token.SO:
		return b.changeAdmin(ctx, old, new)
	case old.IsPad() != new.IsPad():
		return ckr.Newf(ckr.ArgumentsBad, "", "old and new PIN are both entered on the reader, or neither")
	case old.IsPad():
		return b.changeOnPad(ctx)
	}
	if err := b.exchange(ctx, insChange, b.pinRef, &b.userTries, typed{old, minPIN}, typed{new, minPIN}); err != nil {
		return err
	}
	return b.rederive(ctx, old, new)
}

// UnblockPIN sets the user's PIN with the PUK (RESET RETRY COUNTER, SP
// 800-73-5 part 2 §3.2.3). The global PIN has none.
func (b *backend) UnblockPIN(ctx context.Context, puk, new token.PIN) error {
	var pukTries ckr.Tries
	if err := b.exchange(ctx, insUnblock, refPIN, &pukTries, typed{puk, b.minPUK()}, typed{new, minPIN}); err != nil {
		return err
	}
	b.userTries = ckr.Tries{}
	return nil
}

// typed is what was given for a PIN or a PUK, and the least length of that.
type typed struct {
	secret token.PIN
	least  int
}

// exchange sends a command with two PINs.
func (b *backend) exchange(ctx context.Context, ins, ref byte, tries *ckr.Tries, first, second typed) error {
	data := make([]byte, 0, 2*pinBlock)
	defer func() { clear(data[:cap(data)]) }()
	for _, p := range []typed{first, second} {
		padded, err := block(p.secret.Reveal(), p.least)
		if err != nil {
			return err
		}
		data = append(data, padded...)
		clear(padded)
	}
	_, err := b.do(ctx, apdu.Command{INS: ins, P2: ref, Data: data})
	return b.judge(err, tries)
}

// InitPIN is not what the card's administrator can do.
func (b *backend) InitPIN(context.Context, token.PIN) error {
	return ckr.Newf(ckr.FunctionNotSupported, "", "the PIN of a PIV card is set with its PUK")
}
