package token

import (
	"context"

	"github.com/go-cryptoki/cryptoki/mechanism"
)

// Token is one application's view of a token: its login, its sessions and its
// session objects are the application's own. It is safe for concurrent use. Tokens
// come from slot.Slot.Token and cryptoki.Module.Token; other implementations are
// refused by session.Open.
type Token interface {
	// Info describes the token (C_GetTokenInfo, PKCS #11 v3.2 §5.5.6). It may
	// reach the card.
	Info(ctx context.Context) (Info, error)
	// Mechanisms lists what the token can do: on the card, and in software for
	// session and public keys (C_GetMechanismList, C_GetMechanismInfo). The card
	// is not reached.
	Mechanisms() map[mechanism.Type]mechanism.Info
	// Initialize initializes the token (C_InitToken, PKCS #11 v3.2 §5.5.7):
	// everything on it is lost, the label is set, and the user's PIN is not
	// initialized. On a token that was initialized, so must be the SO PIN.
	// Errors: ckr.SessionExists while any application has a session,
	// ckr.PINIncorrect, ckr.PINLocked, ckr.PINLenRange, ckr.TokenWriteProtected,
	// ckr.ArgumentsBad for a label of over 32 bytes, ckr.FunctionNotSupported
	// for a card that its issuer initializes. The caller clears so.
	Initialize(ctx context.Context, so PIN, label string) error
	// CloseSessions closes all sessions of the application with the token
	// (C_CloseAllSessions, PKCS #11 v3.2 §5.6.3) and logs it out. The card is
	// reached only if that ends a login.
	CloseSessions(ctx context.Context) error
	// Alive reports whether the card is still there. It does not reach the card.
	Alive() bool
}
