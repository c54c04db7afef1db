package pcsc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// transport is a connection to the card in a reader.
type transport struct {
	provider *Provider
	session  session
	card     card
	info     apdu.Info
	pad      features
	count    uint64 // of the reader, for as long as the card is in it
	dead     atomic.Bool
	begun    bool
	turn     turn
	end      func() error // the same for every transaction
	closing  sync.Once
}

var (
	_ apdu.Transport  = (*transport)(nil)
	_ apdu.Transactor = (*transport)(nil)
	_ apdu.Liveness   = (*transport)(nil)
)

func newTransport(p *Provider, s session, c card, e apdu.Event) *transport {
	t := &transport{provider: p, session: s, card: c, count: e.Count}
	t.end = t.endTransaction
	t.pad = readFeatures(p.service, c)
	t.info = apdu.Info{Reader: e.Reader, ATR: slices.Clone(e.ATR), Protocol: protocolOf(c)}
	t.info.MaxCommand, t.info.MaxResponse = t.pad.limits()
	return t
}

func protocolOf(c card) apdu.Protocol {
	if c.Protocol()&winscard.ProtocolT0 != 0 {
		return apdu.T0
	}
	return apdu.T1
}

// Info tells reader, ATR and protocol, and what the reader says that it
// carries.
func (t *transport) Info() apdu.Info {
	info := t.info
	info.ATR = slices.Clone(info.ATR)
	return info
}

// Alive is false once the card was removed, the service went away, or the
// connection was closed.
func (t *transport) Alive() bool {
	if t.dead.Load() {
		return false
	}
	e, ok := t.provider.monitor.current().at(t.info.Reader)
	return ok && e.Present && e.Count == t.count
}

// Transmit sends a command, after waiting for the end of a transaction that
// another program has open. It does not return before the card has answered.
func (t *transport) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	var pause backoff
	for {
		if err := t.ready(ctx); err != nil {
			return nil, err
		}
		response, err := t.card.Transmit(command)
		if err == nil && len(response) < 2 {
			// Some drivers say no more of a card that was pulled.
			return nil, t.judge(ctx, fmt.Errorf("%w: an answer of %d bytes", apdu.ErrLink, len(response)))
		}
		if err == nil {
			return response, nil
		}
		if !errors.Is(err, winscard.SharingViolation) || t.begun {
			return nil, t.failed(ctx, err)
		}
		if err := pause.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// Begin begins a transaction, after waiting for the end of one that another
// program has open. PC/SC does not tell whether others used the card since the
// last one, so that it is never undisturbed.
func (t *transport) Begin(ctx context.Context) (apdu.Transaction, error) {
	if err := t.yield(ctx); err != nil {
		return apdu.Transaction{}, err
	}
	var pause backoff
	for {
		if err := t.ready(ctx); err != nil {
			return apdu.Transaction{}, err
		}
		err := t.card.Begin()
		switch {
		case err == nil:
			t.begun = true
			return apdu.Transaction{End: t.end}, nil
		case !errors.Is(err, winscard.SharingViolation):
			return apdu.Transaction{}, t.failed(ctx, err)
		}
		if err := pause.wait(ctx); err != nil {
			return apdu.Transaction{}, err
		}
	}
}

func (t *transport) ready(ctx context.Context) error {
	if t.dead.Load() {
		return t.wrap(apdu.ErrRemoved)
	}
	return ctx.Err()
}

// endTime bounds what is done to a card at the end of a transaction or of the
// connection.
const endTime = time.Second

func (t *transport) endTransaction() error {
	t.begun = false
	t.turn.ended = time.Now()
	if t.dead.Load() {
		return t.wrap(apdu.ErrRemoved)
	}
	err := t.card.End(winscard.LeaveCard)
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	return t.failed(ctx, err)
}

// Close gives the connection up and leaves the card as it is.
func (t *transport) Close() error {
	t.closing.Do(func() {
		dead := t.dead.Swap(true)
		hung := time.AfterFunc(endTime, t.session.Abort)
		if !dead {
			if t.begun {
				t.card.End(winscard.LeaveCard)
			}
			t.card.Disconnect(winscard.LeaveCard)
		}
		t.session.Close()
		hung.Stop()
		t.provider.monitor.release()
	})
	return nil
}

// failed draws the conclusions from an error of the service.
func (t *transport) failed(ctx context.Context, err error) error {
	meaning := mapCard(err)
	switch {
	case errors.Is(meaning, apdu.ErrReset):
		return t.repair(ctx)
	case errors.Is(meaning, apdu.ErrRemoved):
		return t.removed(err)
	case errors.Is(meaning, apdu.ErrLink):
		return t.judge(ctx, meaning)
	}
	return t.wrap(meaning)
}

func (t *transport) removed(err error) error {
	t.dead.Store(true)
	return t.wrap(fmt.Errorf("%w: %w", apdu.ErrRemoved, err))
}

// repair makes the connection usable after a reset, which is then reported. A
// card that was taken out and put back in may look like one that was reset.
func (t *transport) repair(ctx context.Context) error {
	var pause backoff
	for {
		err := t.card.Reconnect(winscard.LeaveCard)
		if is(err, winscard.UnpoweredCard, winscard.UnresponsiveCard) {
			err = t.card.Reconnect(winscard.UnpowerCard)
		}
		switch {
		case err == nil:
			return t.afterReset(ctx)
		case errors.Is(mapCard(err), apdu.ErrRemoved):
			return t.removed(err)
		case !is(err, winscard.SharingViolation, winscard.ResetCard):
			return t.wrap(mapCard(err))
		}
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
}

func (t *transport) afterReset(ctx context.Context) error {
	if _, err := t.provider.monitor.refresh(ctx); err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if !t.Alive() || protocolOf(t.card) != t.info.Protocol {
		return t.removed(winscard.RemovedCard)
	}
	return t.wrap(apdu.ErrReset)
}

// judgeTime is how long it may take the service to see that a card is gone: it
// looks every 400 ms.
const judgeTime = 600 * time.Millisecond

// judge finds out whether an exchange failed because the card was taken out or
// lost its power. Otherwise it was the link, and can be used again.
func (t *transport) judge(ctx context.Context, failure error) error {
	until := time.Now().Add(judgeTime)
	var pause backoff
	for time.Now().Before(until) {
		err := t.card.Status()
		meaning := mapCard(err)
		switch {
		case errors.Is(meaning, apdu.ErrReset), is(err, winscard.UnpoweredCard, winscard.UnresponsiveCard):
			return t.repair(ctx)
		case errors.Is(meaning, apdu.ErrRemoved):
			return t.removed(err)
		case !t.Alive():
			return t.removed(winscard.RemovedCard)
		}
		if pause.wait(ctx) != nil {
			break
		}
	}
	return t.wrap(failure)
}

func (t *transport) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("pcsc: reader %q: %w", t.info.Reader, err)
}
