// Package prompt has ready-made ways to ask a person for a PIN: on the
// terminal, and through pinentry, the program that gpg uses. Both are a
// token.PINFunc:
//
//	m, err := cryptoki.Open(ctx, cryptoki.WithPIN(prompt.Pinentry("")))
//
// For tests and unattended machines there is token.StaticPIN.
package prompt

import (
	"fmt"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
)

// question says in one line what the PIN is for.
func question(r token.PINRequest) string {
	who := "PIN"
	if r.Role == token.SO {
		who = "Security officer's PIN"
	}
	s := fmt.Sprintf("%s of the token %q", who, r.Token.Label)
	if r.Reason == token.ReasonConsent {
		s += fmt.Sprintf(", to use the key %q once", r.Key)
	}
	return s
}

// warning says how many tries are left, if that is known and not usual.
func warning(r token.PINRequest) string {
	if !r.Tries.Known {
		return ""
	}
	return r.Tries.String()
}

func canceled(err error) error { return ckr.New(ckr.FunctionCanceled, "ask for the PIN", err) }
