package slot

import (
	"context"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/token"
)

// ID names a slot. It is given when the slot is first seen, stays with reader,
// driver and place on the card, and is never used again for another slot of
// the same Provider. It is never 0.
type ID uint64

// Flags of a slot (CK_SLOT_INFO.flags).
type Flags uint64

// The slot flags of PKCS #11 v3.2 §3.2.
const (
	FlagTokenPresent    Flags = 1
	FlagRemovableDevice Flags = 2
	FlagHardwareSlot    Flags = 4
)

// Info describes a slot.
type Info struct {
	Reader string // name of the reader
	Driver string // that recognised the card, or empty
	ATR    []byte // of the card, or nil
	Flags  Flags
}

// Slot is a place for a token, as one application sees it. It shows what was
// there when List looked.
type Slot struct {
	id   ID
	list *List
	info Info
	card *engine.Card
	err  error
}

// ID returns the slot's id.
func (s *Slot) ID() ID { return s.id }

// Info describes the slot; the card is not reached.
func (s *Slot) Info() Info { return s.info }

// Token returns the application's view of the token in the slot: the same one
// for as long as the card stays. Errors: ckr.TokenNotPresent,
// ckr.TokenNotRecognized if no driver knows the card, ckr.DeviceError if it
// could not be read, ckr.CryptokiNotInitialized if the List is closed.
func (s *Slot) Token(ctx context.Context) (token.Token, error) {
	const op = "token"
	switch {
	case s.err != nil:
		return nil, codes.Wrap(op, s.err)
	case s.card == nil:
		return nil, ckr.New(ckr.TokenNotPresent, op, apdu.ErrNoCard)
	case !s.card.Alive():
		s.card.Gone()
		return nil, ckr.New(ckr.TokenNotPresent, op, apdu.ErrRemoved)
	}
	t, err := s.list.token(s.card)
	if err != nil {
		return nil, err
	}
	return t, nil
}
