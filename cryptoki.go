package cryptoki

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
	"github.com/go-cryptoki/cryptoki/token/piv"
	"github.com/go-cryptoki/cryptoki/token/pkcs15"
)

// Module is one PKCS #11 application (C_Initialize to C_Finalize). Several in
// one process are separate: each has logins, sessions and session objects of
// its own, also on the same card. It is safe for concurrent use.
type Module struct {
	list   *slot.List
	config config

	once sync.Once
	keys *keyring // made with the first Key
}

// Option changes how Open opens a Module.
type Option func(*config)

type config struct {
	provider apdu.Provider
	sources  []slot.Source
	drivers  []driver.Driver
	logger   *slog.Logger
	ask      token.PINFunc
	cache    PINCache
	allow    sources
	legacy   bool
}

// WithProvider says where readers come from, instead of the readers of the
// machine (package pcsc).
func WithProvider(p apdu.Provider) Option { return func(c *config) { c.provider = p } }

// WithSources adds sources of tokens to the cards in readers, as tokens that live
// in other processes.
func WithSources(s ...slot.Source) Option {
	return func(c *config) { c.sources = append(c.sources, s...) }
}

// WithDrivers says which cards are known, instead of all that the library
// has. They are asked in their order.
func WithDrivers(d ...driver.Driver) Option { return func(c *config) { c.drivers = d } }

// WithLogger logs every exchange with a card at debug level; PINs, keys and
// the contents of files are left out.
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.logger = l } }

// WithLegacy offers what is broken or weak as well: MD5, DES, triple DES, raw
// RSA signatures and decryption, and RSA with less than 2048 bits, in software.
// It is for old data and old peers. What a card does is the card's own.
func WithLegacy() Option { return func(c *config) { c.legacy = true } }

// Drivers returns the drivers for all card families that the library knows. A
// card that holds applications of several of them has a slot for each.
func Drivers() []driver.Driver { return []driver.Driver{piv.Driver(), pkcs15.Driver()} }

// Open begins a PKCS #11 application (C_Initialize, PKCS #11 v3.2 §5.4.1). No
// reader is reached yet. Errors: ckr.GeneralError if no provider is given and
// the program was built without a way to the readers of the machine.
func Open(ctx context.Context, opts ...Option) (*Module, error) {
	if err := ctx.Err(); err != nil {
		return nil, ckr.New(ckr.FunctionCanceled, "open", err)
	}
	c := config{drivers: Drivers()}
	for _, o := range opts {
		o(&c)
	}
	if c.provider == nil {
		readers, err := machine()
		if err != nil {
			return nil, ckr.New(ckr.GeneralError, "open", err)
		}
		c.provider = readers
	}
	var conn []apdu.Option
	if c.logger != nil {
		conn = append(conn, apdu.WithLogger(c.logger))
	}
	list := slot.New(append([]slot.Source{slot.Readers(c.provider, c.drivers, conn...)}, c.sources...)...)
	if c.legacy {
		list.AllowLegacy()
	}
	return &Module{list: list, config: c}, nil
}

// Application begins a second application on the same cards.
func (m *Module) Application(ctx context.Context) (*Module, error) {
	if err := ctx.Err(); err != nil {
		return nil, ckr.New(ckr.FunctionCanceled, "open", err)
	}
	return &Module{list: m.list.Application(), config: m.config}, nil
}

// Slots lists the slots (C_GetSlotList), those with a token only if present
// is true; see slot.List.Slots.
func (m *Module) Slots(ctx context.Context, present bool) ([]*slot.Slot, error) {
	return m.list.Slots(ctx, present)
}

// Slot returns the slot with an id. Errors: ckr.SlotIDInvalid.
func (m *Module) Slot(ctx context.Context, id slot.ID) (*slot.Slot, error) {
	return m.list.Slot(ctx, id)
}

// OpenSession opens a session with the token in a slot (C_OpenSession).
// Errors: ckr.SlotIDInvalid, ckr.TokenNotPresent, ckr.TokenNotRecognized, and
// those of session.Open.
func (m *Module) OpenSession(ctx context.Context, id slot.ID, opts ...session.Option) (*session.Session, error) {
	const op = "open session"
	s, err := m.Slot(ctx, id)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	t, err := s.Token(ctx)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	return session.Open(ctx, t, opts...)
}

// Close ends the application (C_Finalize): its sessions and logins end, its
// session objects are destroyed. It waits at most about a second for cards
// that do not answer. Errors: ckr.CryptokiNotInitialized if it was closed
// before.
func (m *Module) Close() error {
	var keys error
	m.once.Do(func() {})
	if m.keys != nil && !m.keys.isClosed() {
		keys = m.keys.close()
	}
	return errors.Join(keys, m.list.Close())
}
