package driver

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
)

// TriesFlags turns the tries left of a PIN into the COUNT_LOW, FINAL_TRY and
// LOCKED flags of its role.
func TriesFlags(r token.Role, t ckr.Tries) (f token.Flags) {
	switch {
	case !t.Known:
		return 0
	case t.Left <= 0:
		f = token.FlagUserPINLocked
	case t.Left == 1:
		f = token.FlagUserPINFinalTry | token.FlagUserPINCountLow
	default:
		f = token.FlagUserPINCountLow
	}
	if r == token.SO {
		f <<= 4 // the SO's flags follow the user's
	}
	return f
}
