package pcsc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// connectPatience is how long a reader that another program holds for itself
// alone is tried.
const connectPatience = time.Second

// Connect opens a shared connection to the card in a reader. It returns early
// when ctx is done. The error wraps apdu.ErrNoReader, apdu.ErrNoCard,
// apdu.ErrInUse, apdu.ErrNoService, or apdu.ErrLink for a card that does not
// answer.
func (p *Provider) Connect(ctx context.Context, reader string) (apdu.Transport, error) {
	p.monitor.acquire()
	t, err := p.connect(ctx, reader)
	if err != nil {
		p.monitor.release()
		return nil, fmt.Errorf("pcsc: reader %q: %w", reader, err)
	}
	return t, nil
}

func (p *Provider) connect(ctx context.Context, reader string) (apdu.Transport, error) {
	s, err := p.service.dial(ctx)
	if err != nil {
		return nil, mapConnect(err)
	}
	stop := context.AfterFunc(ctx, s.Abort)
	t, err := p.connectOn(ctx, s, reader)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	if t.pad.verify == 0 {
		return t, nil
	}
	return padTransport{t}, nil
}

// connectOn connects, and makes sure which of the cards that were ever in the
// reader it is connected to: the connection is made before, and asked after
// the reader's counter is read.
func (p *Provider) connectOn(ctx context.Context, s session, reader string) (*transport, error) {
	for range 3 {
		c, err := connectCard(ctx, s, reader)
		if err != nil {
			return nil, mapConnect(err)
		}
		v, err := p.monitor.refresh(ctx)
		if err != nil {
			return nil, err
		}
		e, ok := v.at(reader)
		if !ok {
			return nil, apdu.ErrNoReader
		}
		err = c.Status()
		if is(err, winscard.ResetCard) {
			err = c.Reconnect(winscard.LeaveCard)
		}
		switch {
		case err == nil && e.Present:
			return newTransport(p, s, c, e), nil
		case err != nil && !is(err, winscard.RemovedCard, winscard.NoSmartCard, winscard.ResetCard, winscard.InvalidHandle):
			return nil, mapConnect(err)
		}
		c.Disconnect(winscard.LeaveCard)
	}
	return nil, apdu.ErrNoCard
}

// connectCard tries for a while if another program has the card alone.
func connectCard(ctx context.Context, s session, reader string) (card, error) {
	until := time.Now().Add(connectPatience)
	var pause backoff
	for {
		c, err := s.Connect(reader)
		if !errors.Is(err, winscard.SharingViolation) || time.Now().After(until) {
			return c, err
		}
		if err := pause.wait(ctx); err != nil {
			return nil, err
		}
	}
}
