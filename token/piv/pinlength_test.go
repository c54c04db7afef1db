package piv_test

import (
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/piv"
)

// A PIN or a PUK whose length cannot be right is not sent, whoever asks for it:
// the card would count it as a wrong one. Nor is a right one sent along with a
// new one that the card will not take.
func TestPINsOfImpossibleLengthReachNoCard(t *testing.T) {
	shortest := map[string]int{"nist": 8, "yubikey": 6}
	for name, p := range personas() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, virtual.WithPIV(p))
			s, app := r.open(""), r.app()
			info, err := r.token.Info(t.Context())
			r.must(err)
			least := info.MinPUK
			if least != shortest[name] || info.MaxPUK != 8 {
				t.Errorf("PUKs of %d to %d bytes", least, info.MaxPUK)
			}
			long := strings.Repeat("1", 9)
			short := strings.Repeat("1", least-1)
			calls := map[string]func() error{
				"unblock, short PUK":       func() error { return s.UnblockPIN(t.Context(), pin(short), pin("111111")) },
				"unblock, long PUK":        func() error { return s.UnblockPIN(t.Context(), pin(long), pin("111111")) },
				"unblock, short PIN":       func() error { return s.UnblockPIN(t.Context(), pin(userPUK), pin("11111")) },
				"change PUK, short old":    func() error { return app.ChangePUK(t.Context(), pin(short), pin("87654321")) },
				"change PUK, short new":    func() error { return app.ChangePUK(t.Context(), pin(userPUK), pin(short)) },
				"change PUK, long new":     func() error { return app.ChangePUK(t.Context(), pin(userPUK), pin(long)) },
				"change PIN, short old":    func() error { return s.SetPIN(t.Context(), pin("12345"), pin("111111")) },
				"change PIN, short new":    func() error { return s.SetPIN(t.Context(), pin(userPIN), pin("11111")) },
				"log in":                   func() error { return s.Login(t.Context(), token.User, pin("12345")) },
				"SO logs in":               func() error { return s.Login(t.Context(), token.SO, pin(adminHex[:46])) },
				"inspect":                  func() error { _, err := app.Inspect(t.Context(), piv.Inspection{PIN: pin("12345")}); return err },
				"the padding as a part":    func() error { return s.Login(t.Context(), token.User, pin("12345\xff")) },
				"the padding as PUK's end": func() error { return app.ChangePUK(t.Context(), pin("12345\xff\xff"), pin("87654321")) },
			}
			if name == "yubikey" {
				calls["set tries"] = func() error { return app.SetRetries(t.Context(), pin(adminHex), pin("12345"), 3, 3) }
			}
			for name, call := range calls {
				r.exchanges()
				if code := ckr.Of(call()); code != ckr.PINLenRange && (name != "the padding as a part" || code != ckr.PINIncorrect) {
					t.Errorf("%s: %v", name, code)
				}
				for _, said := range r.exchanges() {
					switch said[2:4] {
					case "20", "24", "2C":
						if len(said) > 10 {
							t.Errorf("%s: sent %s", name, said)
						}
					}
				}
			}
			r.must(s.UnblockPIN(t.Context(), pin(userPUK), pin("111111")))
		})
	}
}
