package piv

import (
	"context"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
)

// changeAdmin replaces the management key (Yubico's SET MANAGEMENT KEY). The
// old one is proved first. Where the card keeps it for the user it keeps the
// new one; where it was derived from the PIN it is not any more.
func (a *app) changeAdmin(ctx context.Context, old, new token.PIN) error {
	if !a.yubico {
		return ckr.Newf(ckr.FunctionNotSupported, "", "the management key of this card is changed by its issuer")
	}
	from, err := managementKey(old.Reveal())
	if err != nil {
		return err
	}
	defer clear(from)
	to, err := managementKey(new.Reveal())
	if err != nil {
		return err
	}
	defer clear(to)
	if err := a.prove(ctx, from); err != nil {
		return err
	}
	if err := a.setAdmin(ctx, to); err != nil {
		return err
	}
	if err := a.readAdminData(ctx); err != nil {
		return err
	}
	switch d := &a.derived; {
	case d.kept:
		return a.keepKey(ctx, to)
	case d.salt != nil:
		return a.forgetSalt(ctx)
	}
	return nil
}

// setAdmin sets the management key, which was proved, with the touch policy
// that it had, and of the algorithm that it had if the length allows it.
func (a *app) setAdmin(ctx context.Context, key []byte) error {
	was, touch, err := a.adminMetadata(ctx)
	if err != nil {
		return err
	}
	alg := map[int]byte{16: algAES128, 24: algTDES, 32: algAES256}[len(key)]
	if len(key) == 24 && was != algTDES && a.atLeast(5, 7) {
		alg = algAES192
	}
	data := append([]byte{alg, refAdmin, byte(len(key))}, key...)
	defer clear(data)
	policy := map[byte]byte{TouchAlways: 0xFE, TouchCached: 0xFD}[touch]
	if policy == 0 {
		policy = 0xFF
	}
	_, err = a.do(ctx, apdu.Command{INS: insSetAdmin, P1: 0xFF, P2: policy, Data: data})
	return err
}

// rederive has the management key follow a PIN that was changed, where it is
// derived from that. The salt stays. If it cannot, the old key holds, which
// only the old PIN tells.
func (a *app) rederive(ctx context.Context, old, new token.PIN) error {
	if err := a.readAdminData(ctx); err != nil {
		return err
	}
	d := &a.derived
	if d.salt == nil {
		return nil
	}
	from, to := d.of(old.Reveal()), d.of(new.Reveal())
	defer clear(from)
	defer clear(to)
	if from == nil || to == nil {
		return nil
	}
	if err := a.prove(ctx, from); err != nil {
		if ckr.Of(err) == ckr.PINIncorrect {
			return nil // it is another one by now
		}
		return err
	}
	defer a.giveBack(ctx)
	if err := a.setAdmin(ctx, to); err != nil {
		return err
	}
	d.derive(new.Reveal())
	return nil
}
