package virtual

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// transport is a connection to the card in a reader.
type transport struct {
	link *link
	end  func() error // the same for every transaction
}

var (
	_ apdu.Transport  = (*transport)(nil)
	_ apdu.Transactor = (*transport)(nil)
	_ apdu.Liveness   = (*transport)(nil)
	_ apdu.Immediacy  = (*transport)(nil)
)

func newTransport(s *slot) *transport {
	t := &transport{link: s.card.newLink(s)}
	t.end = func() error { return t.wrap(t.link.end()) }
	return t
}

// Transmit sends a command, after waiting for the end of a transaction that
// another connection has open.
func (t *transport) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	response, err := t.link.transmit(ctx, command)
	if err != nil {
		return nil, t.wrap(err)
	}
	return response, nil
}

// Begin opens a transaction.
func (t *transport) Begin(ctx context.Context) (apdu.Transaction, error) {
	undisturbed, err := t.link.begin(ctx)
	if err != nil {
		return apdu.Transaction{}, t.wrap(err)
	}
	return apdu.Transaction{End: t.end, Undisturbed: undisturbed}, nil
}

// TryBegin opens a transaction if that can be done now.
func (t *transport) TryBegin() (apdu.Transaction, bool, error) {
	undisturbed, ok, err := t.link.tryBegin()
	if !ok || err != nil {
		return apdu.Transaction{}, ok, t.wrap(err)
	}
	return apdu.Transaction{End: t.end, Undisturbed: undisturbed}, true, nil
}

// Immediate is true for the commands that neither make keys nor write
// anything, which would have to reach the disk, nor check a PIN; unless a test
// looks on, which may do as it likes.
func (t *transport) Immediate(command []byte) bool {
	if len(command) < 4 || !t.link.card.prompt() {
		return false
	}
	switch command[1] {
	case 0x22, // MANAGE SECURITY ENVIRONMENT
		0x2A, // PERFORM SECURITY OPERATION
		0x84, // GET CHALLENGE
		0x86, // GENERAL AUTHENTICATE, of MyEID cards
		0x87, // GENERAL AUTHENTICATE
		0xA4, // SELECT
		0xB0, // READ BINARY
		0xC0, // GET RESPONSE
		0xCA, // GET DATA
		0xCB: // GET DATA with a tag list
		return true
	}
	return false
}

// Alive is false once the card was removed or the connection closed.
func (t *transport) Alive() bool {
	t.link.card.mu.Lock()
	defer t.link.card.mu.Unlock()
	return !t.link.gone()
}

// The longest extended APDUs, in bytes.
const (
	longestCommand  = 4 + 3 + apdu.MaxExtendedData + 2
	longestResponse = apdu.MaxExtendedLe + 2
)

// Info tells reader, ATR and protocol. The reader carries extended lengths if
// there is an application on the card that takes them.
func (t *transport) Info() apdu.Info {
	info := apdu.Info{
		Reader:   t.link.slot.name,
		ATR:      slices.Clone(t.link.card.atr),
		Protocol: apdu.T1,
	}
	if t.link.card.system.extended() {
		info.MaxCommand, info.MaxResponse = longestCommand, longestResponse
	}
	return info
}

// Close gives the connection up, and ends its transaction.
func (t *transport) Close() error {
	t.link.close()
	return nil
}

func (t *transport) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("virtual: reader %q: %w", t.link.slot.name, err)
}
