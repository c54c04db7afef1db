package virtual

import (
	"context"
	"fmt"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// before does what a fault does before the card sees the command; an error says
// that it will not.
func (l *link) before(ctx context.Context, f Fault) error {
	switch f.Kind {
	case CutBefore:
		l.pull()
		return apdu.ErrRemoved
	case Unplug, StopService, Swap:
		l.lose(f)
		return apdu.ErrRemoved
	case ResetBefore:
		l.card.reset(l)
		return apdu.ErrReset
	case ResetUnseen:
		l.card.chill()
	case FailLink:
		return apdu.ErrLink
	case Fail:
		return f.Err
	case Occupy:
		return apdu.ErrInUse
	case Hang:
		return l.hang(ctx, f.Wait)
	case Stall:
		time.Sleep(f.Wait)
	case Steal:
		l.steal(f.Commands)
	case Tear:
		if f.Writes < 1 {
			l.pull()
			return apdu.ErrRemoved
		}
	}
	return nil
}

// answer is what a fault makes of the card's answer.
func (f *Fault) answer(answer []byte) []byte {
	switch {
	case f.Kind == Override:
		return f.Answer
	case f.Kind == Rewrite && f.Edit != nil:
		return f.Edit(answer)
	}
	return answer
}

// after does what a fault does once the command was executed, or refused.
func (l *link) after(f Fault, response []byte) ([]byte, error) {
	switch f.Kind {
	case CutAfter:
		l.pull()
		return nil, fmt.Errorf("%w: %w", apdu.ErrRemoved, apdu.ErrOutcomeUnknown)
	case ResetAfter:
		l.card.reset(nil)
	case LoseAnswer:
		return nil, apdu.ErrOutcomeUnknown
	}
	return response, nil
}

// pull takes the card out of its reader, or tears the plug out.
func (l *link) pull() { l.lose(Fault{Kind: CutBefore}) }

// lose takes from the link what the fault says: card, reader or service.
func (l *link) lose(f Fault) {
	if l.slot == nil {
		l.card.mu.Lock()
		defer l.card.mu.Unlock()
		l.dead = true
		return
	}
	switch p := l.slot.provider; f.Kind {
	case Unplug:
		p.unplug(l.slot)
	case StopService:
		p.StopService()
	case Swap:
		p.swap(l.slot, f.Card)
	default:
		p.swap(l.slot, nil)
	}
}

// hang waits, for ever if the time is 0, unless the caller gives up or the card
// goes.
func (l *link) hang(ctx context.Context, wait time.Duration) error {
	var over <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ctx.Err(), apdu.ErrOutcomeUnknown)
	case <-l.left:
		return fmt.Errorf("%w: %w", apdu.ErrRemoved, apdu.ErrOutcomeUnknown)
	}
}
