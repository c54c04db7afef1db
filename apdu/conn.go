package apdu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// closeGrace is how long Close waits for what is under way.
const closeGrace = time.Second

// errBusy is returned by a Close that could wait no longer.
var errBusy = errors.New("an exchange with the card is still under way, the connection closes when it ends")

// Conn is the connection to one card. All methods are safe for concurrent use;
// units wait for each other.
type Conn struct {
	transport  Transport
	transactor Transactor // nil if nobody else can reach the card
	liveness   Liveness   // nil if the transport does not know
	immediacy  Immediacy  // nil if any call may take its time
	info       Info
	logger     *slog.Logger
	trace      Trace

	caps         atomic.Pointer[Capabilities]
	epoch        atomic.Uint64
	resets       atomic.Uint64
	disturbances atomic.Uint64
	removed      atomic.Bool
	waiting      atomic.Int32 // callers who wait for the lock

	closing, cut, closed chan struct{} // closed one after the other by Close
	closeOnce, cutOnce   sync.Once
	closeErr             error // written before closed is closed

	// lock holds a token as long as a unit, or what is left of it, has the
	// card. What follows belongs to the holder, which is the worker after a
	// caller was cancelled in the middle of an exchange.
	lock     chan struct{}
	selected []byte       // AID of the application, nil if not known
	fci      []byte       // its answer to SELECT
	end      func() error // of the open transaction, else nil
	buffer   []byte       // of the encoded command
	call     call
	work     chan struct{}
	done     chan struct{}
	working  bool
}

// Option changes how a Conn works.
type Option func(*Conn)

// WithLogger has every exchange written to l at level Debug, as a record "apdu"
// with reader, command, header, lengths, status and duration. Data are shown
// only of commands that select, describe and create files, set a security
// environment, or get data objects, and answers only of SELECT and GET DATA;
// all others are redacted, as they may hold PINs and keys or what was made with
// them. Without a logger, or with one that drops Debug, nothing is computed.
func WithLogger(l *slog.Logger) Option { return func(c *Conn) { c.logger = l } }

// Trace sees every exchange: the encoded command as it was sent and the answer
// with its status word, or the error. Nothing is left out, PINs included. It
// must not keep or change what it is given, nor use the Conn. It is safe for
// concurrent use: a caller that is cancelled reports its exchange while another
// may already have begun the next.
type Trace func(command, response []byte, err error)

// WithTrace shows every exchange to trace, for recordings and for counting.
func WithTrace(trace Trace) Option { return func(c *Conn) { c.trace = trace } }

// WithCapabilities tells what the card can do, in place of what its historical
// bytes say.
func WithCapabilities(caps Capabilities) Option {
	return func(c *Conn) { c.caps.Store(&caps) }
}

// Dial connects to the card in a reader. The errors are those of
// [Provider.Connect]; a cancelled caller returns at once, and a connection that
// comes too late is closed.
func Dial(ctx context.Context, p Provider, reader string, opts ...Option) (*Conn, error) {
	t, err := connect(ctx, p, reader)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", reader, err)
	}
	return NewConn(t, opts...), nil
}

func connect(ctx context.Context, p Provider, reader string) (Transport, error) {
	if ctx.Done() == nil {
		return p.Connect(ctx, reader)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type result struct {
		t   Transport
		err error
	}
	results := make(chan result, 1)
	go func() {
		t, err := p.Connect(ctx, reader)
		results <- result{t, err}
	}()
	select {
	case r := <-results:
		return r.t, r.err
	case <-ctx.Done():
		go func() {
			if r := <-results; r.err == nil {
				r.t.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// NewConn makes a Conn of a Transport, which from then on belongs to it.
// Nothing is sent.
func NewConn(t Transport, opts ...Option) *Conn {
	c := &Conn{
		transport: t,
		info:      t.Info(),
		closing:   make(chan struct{}),
		cut:       make(chan struct{}),
		closed:    make(chan struct{}),
		lock:      make(chan struct{}, 1),
		work:      make(chan struct{}, 1),
		done:      make(chan struct{}, 1),
	}
	c.transactor, _ = t.(Transactor)
	c.liveness, _ = t.(Liveness)
	c.immediacy, _ = t.(Immediacy)
	c.epoch.Store(1)
	caps := Capabilities{}
	if atr, err := ParseATR(c.info.ATR); err == nil {
		caps = CapabilitiesOf(atr.Historical)
	}
	c.caps.Store(&caps)
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// Info tells what was known of the link when the Conn was made. Its ATR is
// shared and not to be changed.
func (c *Conn) Info() Info { return c.info }

// Capabilities is what the card is held to be capable of.
func (c *Conn) Capabilities() Capabilities { return *c.caps.Load() }

// SetCapabilities is for drivers that know better than the historical bytes.
func (c *Conn) SetCapabilities(caps Capabilities) { c.caps.Store(&caps) }

// Epoch begins with 1 and grows whenever the card may have forgotten what was
// selected and verified: with every reset, and with every unit that was cut off
// in the middle of an exchange.
func (c *Conn) Epoch() uint64 { return c.epoch.Load() }

// Resets counts the resets that others brought about: after one, the card has
// forgotten what was selected and verified, and not by our doing.
func (c *Conn) Resets() uint64 { return c.resets.Load() }

// Alive is false once the card is known to be removed or the Conn closed. The
// card is not asked.
func (c *Conn) Alive() bool {
	if c.removed.Load() || c.isClosing() {
		return false
	}
	if c.liveness != nil && !c.liveness.Alive() {
		return false
	}
	return true
}

// Close closes the connection and leaves the card as it is. Units that wait for
// their turn fail with [ErrClosed]; the one that is running has a second to
// end. After that Close returns an error, the caller of a hanging exchange gets
// ErrClosed, and the transport is closed as soon as the exchange ends. Close
// may be called many times.
func (c *Conn) Close() error {
	c.closeOnce.Do(func() {
		close(c.closing)
		go c.shutdown()
	})
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-c.closed:
		return c.closeErr
	case <-grace.C:
		c.cutOnce.Do(func() { close(c.cut) })
		return fmt.Errorf("close %s: %w", c.info.Reader, errBusy)
	}
}

// shutdown takes the lock for good.
func (c *Conn) shutdown() {
	c.lock <- struct{}{}
	close(c.work)
	c.closeErr = c.transport.Close()
	close(c.closed)
}

func (c *Conn) isClosing() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

// acquire waits for the lock.
func (c *Conn) acquire(ctx context.Context) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	select {
	case c.lock <- struct{}{}:
	default:
		c.waiting.Add(1)
		defer c.waiting.Add(-1)
		select {
		case c.lock <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("wait for the card: %w", ctx.Err())
		case <-c.closing:
			return ErrClosed
		}
	}
	if err := c.usable(ctx); err != nil {
		c.release()
		return err
	}
	return nil
}

func (c *Conn) usable(ctx context.Context) error {
	if c.isClosing() {
		return ErrClosed
	}
	if c.removed.Load() {
		return ErrRemoved
	}
	return ctx.Err()
}

// release gives the lock to who has waited longest, and the processor with it:
// the card would be idle while the caller makes use of its answer.
func (c *Conn) release() {
	<-c.lock
	if c.waiting.Load() > 0 {
		runtime.Gosched()
	}
}

// forget is called when it is not known any more what is selected.
func (c *Conn) forget() { c.selected, c.fci = nil, nil }

// lost is called when the card may have forgotten what was verified, too.
func (c *Conn) lost() {
	c.forget()
	c.epoch.Add(1)
}

// note draws the conclusions from an error of the transport.
func (c *Conn) note(err error) {
	switch {
	case errors.Is(err, ErrRemoved):
		c.removed.Store(true)
		c.lost()
	case errors.Is(err, ErrReset):
		c.resets.Add(1)
		c.lost()
	}
}
