package pcsc

import (
	"context"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// service is a way to the smart card service of the system.
type service interface {
	// dial opens one context. Whatever blocks in it holds up this one only.
	dial(ctx context.Context) (session, error)
	// ctlCode is the drivers' number of a control code of PC/SC part 10.
	ctlCode(code uint32) uint32
}

// session is a context of PC/SC. It is used by one goroutine at a time, except
// for Interrupt and Abort. Errors wrap a winscard.Error.
type session interface {
	// Watch returns all readers as they are now; Wait returns when that may
	// have changed, or after an Interrupt that came later than Watch.
	Watch() ([]winscard.Reader, error)
	Wait() error
	Interrupt()
	// Connect opens a shared connection with T=0 or T=1.
	Connect(reader string) (card, error)
	// Abort makes calls fail that are under way, as far as that can be had.
	Abort()
	Close() error
}

// card is a shared connection to the card in a reader.
type card interface {
	Protocol() uint32
	Reconnect(initialization uint32) error
	Disconnect(disposition uint32) error
	// Begin may wait for the transaction of somebody else, or fail with a
	// sharing violation.
	Begin() error
	End(disposition uint32) error
	Status() error
	Transmit(command []byte) ([]byte, error)
	Control(code uint32, in []byte) ([]byte, error)
}
