package ckr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/spec"
)

func TestEveryCodeHasNameAndSentence(t *testing.T) {
	rows, err := spec.Rows("constants.tsv")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, row := range rows {
		if row["kind"] != "return_value" {
			continue
		}
		code, ok := ckr.ParseName(row["name"])
		if !ok {
			t.Errorf("%s is not known", row["name"])
			continue
		}
		if got := fmt.Sprintf("%#08x", uint64(code)); got != row["value"] {
			t.Errorf("%s = %s, want %s", row["name"], got, row["value"])
		}
		if code.Name() != row["name"] {
			t.Errorf("name of %#x is %s, want %s", uint64(code), code.Name(), row["name"])
		}
		if strings.HasPrefix(code.Error(), "CKR ") || seen[code.Error()] != "" {
			t.Errorf("%s has the sentence %q, and so has %q", code.Name(), code.Error(), seen[code.Error()])
		}
		seen[code.Error()] = code.Name()
	}
}

func TestUnknownCodesPrintTheirNumber(t *testing.T) {
	tests := map[ckr.Code][2]string{
		0x80000001:         {"CKR 0x80000001", "CKR_0x80000001"},
		0x1234:             {"CKR 0x00001234", "CKR_0x00001234"},
		0xffffffffffffffff: {"CKR 0xffffffffffffffff", "CKR_0xffffffffffffffff"},
	}
	for code, want := range tests {
		if code.Error() != want[0] || code.Name() != want[1] {
			t.Errorf("%#x prints %q, %q", uint64(code), code.Error(), code.Name())
		}
	}
	if _, ok := ckr.ParseName("CKR_NO_SUCH"); ok {
		t.Error("CKR_NO_SUCH is known")
	}
}

func TestErrorsReadFromTheOutsideIn(t *testing.T) {
	status := errors.New("VERIFY: 63C2")
	tests := []struct {
		err  *ckr.Error
		want string
	}{
		{&ckr.Error{Code: ckr.PINIncorrect, Op: "login", Tries: ckr.Tries{Left: 2, Known: true}, Err: status}, "login: PIN incorrect, 2 tries left: VERIFY: 63C2"},
		{&ckr.Error{Code: ckr.PINIncorrect, Tries: ckr.Tries{Left: 1, Known: true}}, "PIN incorrect, 1 try left"},
		{&ckr.Error{Code: ckr.PINLocked, Tries: ckr.Tries{Known: true}}, "PIN locked, 0 tries left"},
		{&ckr.Error{Code: ckr.PINIncorrect, Tries: ckr.Tries{Left: 2}}, "PIN incorrect"},
		{&ckr.Error{Code: ckr.DeviceRemoved}, "device removed"},
		{ckr.New(ckr.DeviceRemoved, "sign", ckr.DeviceRemoved), "sign: device removed"},
		{ckr.New(ckr.OK, "sign", ckr.New(ckr.DeviceRemoved, "PIV 9C", io.EOF)), "sign: PIV 9C: device removed: EOF"},
		{ckr.New(ckr.FunctionFailed, "sign", ckr.New(ckr.DeviceRemoved, "", nil)), "sign: function failed: device removed"},
		{ckr.New(ckr.OK, "open", nil), "open: general error"},
		{ckr.Newf(ckr.AttributeValueInvalid, "CKA_ID", "%d bytes", 70000), "CKA_ID: bad attribute value: 70000 bytes"},
	}
	for _, test := range tests {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}

func TestOneErrorAnswersToItsCodeAndItsCause(t *testing.T) {
	err := error(ckr.New(ckr.DeviceError, "sign", fmt.Errorf("read: %w", io.ErrUnexpectedEOF)))
	err = fmt.Errorf("outside: %w", err)
	for _, target := range []error{ckr.DeviceError, io.ErrUnexpectedEOF} {
		if !errors.Is(err, target) {
			t.Errorf("%v is not %v", err, target)
		}
	}
	if errors.Is(err, ckr.DeviceRemoved) {
		t.Error("a device error is a removed device")
	}
}

func TestTriesSurviveAnotherLayer(t *testing.T) {
	inner := &ckr.Error{Code: ckr.PINIncorrect, Op: "VERIFY", Tries: ckr.Tries{Left: 2, Known: true}}
	if outer := ckr.New(ckr.OK, "login", inner); outer.Tries != inner.Tries {
		t.Errorf("tries = %+v", outer.Tries)
	}
	if outer := ckr.New(ckr.FunctionFailed, "login", inner); outer.Tries.Known {
		t.Error("tries of another code were taken over")
	}
}

func TestTheOutermostCodeWins(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want ckr.Code
	}{
		{"nil", nil, ckr.OK},
		{"code", ckr.PINLocked, ckr.PINLocked},
		{"error", ckr.New(ckr.PINLocked, "x", ckr.DeviceError), ckr.PINLocked},
		{"wrapped", fmt.Errorf("x: %w", ckr.New(ckr.PINLocked, "", nil)), ckr.PINLocked},
		{"code outside error", fmt.Errorf("%w: %w", ckr.DeviceError, ckr.New(ckr.PINLocked, "", nil)), ckr.DeviceError},
		{"joined", errors.Join(io.EOF, ckr.PINLocked), ckr.PINLocked},
		{"cancelled", fmt.Errorf("x: %w", context.Canceled), ckr.FunctionCanceled},
		{"timeout", context.DeadlineExceeded, ckr.FunctionCanceled},
		{"coded over cancelled", ckr.New(ckr.DeviceError, "", context.Canceled), ckr.DeviceError},
		{"foreign", io.EOF, ckr.GeneralError},
		{"nil pointer", (*ckr.Error)(nil), ckr.GeneralError},
	}
	for _, test := range tests {
		if got := ckr.Of(test.err); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got.Name(), test.want.Name())
		}
	}
}

func ExampleError() {
	err := error(&ckr.Error{
		Code:  ckr.PINIncorrect,
		Op:    "login",
		Tries: ckr.Tries{Left: 2, Known: true},
		Err:   errors.New("VERIFY: 63C2"),
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, ckr.PINIncorrect), ckr.Of(err).Name())
	// Output:
	// login: PIN incorrect, 2 tries left: VERIFY: 63C2
	// true CKR_PIN_INCORRECT
}
