package engine

import (
	"fmt"
	"unicode/utf8"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
)

// checkEntered refuses, before the card sees it, a PIN that cannot be right.
// PKCS #11 v3.2 §5.1.6 keeps CKR_PIN_INVALID for functions that set a PIN.
func checkEntered(op string, p token.PIN, min, max int, pad bool) error {
	switch {
	case p.IsZero():
		return ckr.Newf(ckr.ArgumentsBad, op, "no PIN given")
	case p.IsPad() && pad:
		return nil
	case p.IsPad():
		return ckr.Newf(ckr.ArgumentsBad, op, "the reader has no keys to enter a PIN")
	case p.Len() == 0 || p.Len() < min || max > 0 && p.Len() > max:
		return ckr.Newf(ckr.PINLenRange, op, "%s", lengths(min, max))
	case !wellFormed(p.Reveal()):
		return ckr.Newf(ckr.PINIncorrect, op, "the PIN holds characters that no PIN of this token has")
	}
	return nil
}

// checkSO is checkEntered for a secret that may be a key: any bytes.
func checkSO(i *token.Info, op string, p token.PIN) error {
	lo, hi := i.MinSOPIN, i.MaxSOPIN
	pad := i.Flags.Has(token.FlagProtectedAuthPath) && !i.BinarySOPIN
	err := checkEntered(op, p, lo, hi, pad)
	if i.BinarySOPIN && ckr.Of(err) == ckr.PINIncorrect {
		return nil
	}
	return err
}

// checkNew refuses a PIN that is to be set.
func checkNew(op string, p token.PIN, min, max int, pad bool) error {
	err := checkEntered(op, p, min, max, pad)
	if ckr.Of(err) == ckr.PINIncorrect {
		return ckr.Newf(ckr.PINInvalid, op, "a PIN is text without control characters")
	}
	return err
}

func lengths(min, max int) string {
	switch {
	case max <= 0:
		return fmt.Sprintf("a PIN has at least %d bytes", min)
	case min == max:
		return fmt.Sprintf("it has exactly %d bytes", max)
	}
	return fmt.Sprintf("a PIN has %d to %d bytes", min, max)
}

func wellFormed(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == 0x7F {
			return false
		}
	}
	return utf8.Valid(b)
}

// checkLogin refuses, before the card sees it, what cannot be right.
func checkLogin(i *token.Info, op string, r token.Role, p token.PIN) error {
	if r == token.SO {
		return checkSO(i, op, p)
	}
	return checkEntered(op, p, i.MinPIN, i.MaxPIN, i.Flags.Has(token.FlagProtectedAuthPath))
}

// checkChange refuses PINs that cannot be right or cannot be set.
func checkChange(i *token.Info, r token.Role, old, new token.PIN) error {
	if r == token.SO && i.BinarySOPIN {
		if err := checkSO(i, "new PIN", new); err != nil {
			return err
		}
		return checkSO(i, "old PIN", old)
	}
	lo, hi := limits(i, r)
	pad := i.Flags.Has(token.FlagProtectedAuthPath)
	if err := checkNew("new PIN", new, lo, hi, pad); err != nil {
		return err
	}
	return checkEntered("old PIN", old, lo, hi, pad)
}

func limits(i *token.Info, r token.Role) (lo, hi int) {
	if r == token.SO {
		return i.MinSOPIN, i.MaxSOPIN
	}
	return i.MinPIN, i.MaxPIN
}
