package driver

import (
	"context"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// Tx is what a transaction tells of others' use of the card since the Backend's
// last one. All counters only grow; they start anywhere.
type Tx interface {
	// Resets counts the resets of the card: all logins have ended.
	Resets() uint64
	// Epoch grows with everything after which PINs may not be verified any
	// more: resets, and selections of other applications.
	Epoch() uint64
	// Disturbances counts the transactions in between in which others may have
	// used the card, so that nothing that was read before is certain.
	Disturbances() uint64
	// Reselected reports whether the application had to be selected for this
	// transaction, so that its PIN may not be verified any more.
	Reselected() bool
	// Unselect has the application selected again for the next transaction.
	Unselect()
}

// Exclusive runs f in one transaction of a card that speaks APDUs, with the
// application aid selected. It is what the Exclusive method of a Backend over an
// apdu.Conn calls. Errors: those of apdu.Conn.Exclusive, and of f.
func Exclusive(ctx context.Context, conn *apdu.Conn, aid []byte, f func(ctx context.Context, tx Tx) error) error {
	return conn.Exclusive(ctx, aid, func(ctx context.Context, tx *apdu.Tx) error { return f(ctx, cardTx{tx}) })
}

// cardTx is the Tx of a card that speaks APDUs.
type cardTx struct{ *apdu.Tx }

func (t cardTx) Reselected() bool {
	_, now := t.Selected()
	return now
}

// Undisturbed is the Tx of a Backend that nobody else uses, such as a token of
// its own process: nothing ever happened in between.
var Undisturbed Tx = undisturbed{}

type undisturbed struct{}

func (undisturbed) Resets() uint64       { return 0 }
func (undisturbed) Epoch() uint64        { return 0 }
func (undisturbed) Disturbances() uint64 { return 0 }
func (undisturbed) Reselected() bool     { return false }
func (undisturbed) Unselect()            {}
