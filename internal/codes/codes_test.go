package codes

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// TestCodes gives errors of the lower layers the code that callers see.
func TestCodes(t *testing.T) {
	wrapped := func(err error) error {
		return fmt.Errorf("read: %w", &apdu.CommandError{Command: "READ BINARY", Err: err})
	}
	for _, c := range []struct {
		err  error
		want ckr.Code
	}{
		{context.Canceled, ckr.FunctionCanceled},
		{context.DeadlineExceeded, ckr.FunctionCanceled},
		{fmt.Errorf("%w: %w", context.Canceled, apdu.ErrUnsure), ckr.FunctionCanceled},
		{apdu.ErrRemoved, ckr.DeviceRemoved},
		{fmt.Errorf("%w: %w", apdu.ErrRemoved, apdu.ErrUnsure), ckr.DeviceRemoved},
		{apdu.ErrNoReader, ckr.DeviceRemoved},
		{apdu.ErrClosed, ckr.DeviceRemoved},
		{apdu.ErrNoCard, ckr.TokenNotPresent},
		{apdu.ErrReset, ckr.DeviceError},
		{apdu.ErrInUse, ckr.DeviceError},
		{apdu.ErrNoService, ckr.DeviceError},
		{apdu.ErrLink, ckr.DeviceError},
		{apdu.ErrUnsure, ckr.DeviceError},
		{wrapped(apdu.Status(0x6A84)), ckr.DeviceMemory},
		{wrapped(apdu.Status(0x6982)), ckr.UserNotLoggedIn},
		{wrapped(apdu.Status(0x6983)), ckr.PINLocked},
		{wrapped(apdu.Status(0x63C0)), ckr.PINLocked},
		{wrapped(apdu.Status(0x63C2)), ckr.PINIncorrect},
		{wrapped(apdu.Status(0x63CF)), ckr.PINIncorrect},
		{wrapped(apdu.Status(0x6300)), ckr.PINIncorrect},
		{wrapped(apdu.Status(0x6581)), ckr.DeviceError},
		{wrapped(apdu.Status(0x6F00)), ckr.DeviceError},
		{wrapped(apdu.Status(0x6D00)), ckr.FunctionNotSupported},
		{wrapped(apdu.Status(0x6CFF)), ckr.DeviceError},
		{wrapped(ckr.KeyHandleInvalid), ckr.KeyHandleInvalid},
		{errors.New("something else"), ckr.GeneralError},
	} {
		err := Wrap("do it", c.err)
		var e *ckr.Error
		if !errors.As(err, &e) || e.Code != c.want || e.Op != "do it" {
			t.Errorf("%v: %v, want %v", c.err, err, c.want.Name())
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%v does not wrap %v", err, c.err)
		}
	}
}

// TestWrapKeepsWhatIsKnown wraps errors that have a code already.
func TestWrapKeepsWhatIsKnown(t *testing.T) {
	if Wrap("x", nil) != nil {
		t.Error("no error has become one")
	}
	inner := &ckr.Error{Code: ckr.PINIncorrect, Tries: ckr.Tries{Left: 2, Known: true}, Err: apdu.Status(0x63C2)}
	for _, err := range []error{Wrap("login", inner), Wrap("login", fmt.Errorf("more: %w", inner)), Wrap("login", Wrap("login", inner))} {
		var e *ckr.Error
		if !errors.As(err, &e) || e.Code != ckr.PINIncorrect || e.Op != "login" || e.Tries != inner.Tries || !errors.Is(err, apdu.Status(0x63C2)) {
			t.Errorf("%#v", err)
		}
	}
	if got := Wrap("login", Wrap("login", ckr.New(ckr.PINLocked, "login", nil))).Error(); got != "login: "+ckr.PINLocked.Error() {
		t.Errorf("the words are said twice: %s", got)
	}
}

// TestTriesFlags turns tries into flags.
func TestTriesFlags(t *testing.T) {
	for _, c := range []struct {
		tries    ckr.Tries
		user, so token.Flags
	}{
		{ckr.Tries{}, 0, 0},
		{ckr.Tries{Left: 2, Known: true}, token.FlagUserPINCountLow, token.FlagSOPINCountLow},
		{ckr.Tries{Left: 1, Known: true}, token.FlagUserPINCountLow | token.FlagUserPINFinalTry, token.FlagSOPINCountLow | token.FlagSOPINFinalTry},
		{ckr.Tries{Left: 0, Known: true}, token.FlagUserPINLocked, token.FlagSOPINLocked},
	} {
		if got := driver.TriesFlags(token.User, c.tries); got != c.user {
			t.Errorf("user, %v: %v, want %v", c.tries, got, c.user)
		}
		if got := driver.TriesFlags(token.SO, c.tries); got != c.so {
			t.Errorf("SO, %v: %v, want %v", c.tries, got, c.so)
		}
	}
	if got := (token.FlagRNG | token.FlagSOPINLocked).String(); got != "RNG SO_PIN_LOCKED" {
		t.Errorf("flags print as %q", got)
	}
}
