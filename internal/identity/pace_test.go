package identity_test

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing/synctest"
	"time"
)

// pace decides who goes next. Whatever reaches a card, and each step of the
// walk, waits for its turn; turns are given when everybody waits, so that the
// order is that of the random numbers.
type pace struct {
	random *rand.Rand
	rush   bool // give several turns at once
	rare   int  // one turn in so many goes to those who disturb
	stirs  chan struct{}

	mu      sync.Mutex
	running bool // turns are waited for
	waiting []*turn
	given   int
}

// turn is somebody who waits.
type turn struct {
	who  string
	rare bool
	pass chan struct{}
}

func newPace(r *rand.Rand, rush bool) *pace {
	return &pace{random: r, rush: rush, rare: 60, stirs: make(chan struct{}, 1)}
}

// wait waits for a turn. The error is that of the context.
func (p *pace) wait(ctx context.Context, who string, rare bool) error {
	p.mu.Lock()
	if !p.running {
		p.mu.Unlock()
		return ctx.Err()
	}
	t := &turn{who, rare, make(chan struct{})}
	p.waiting = append(p.waiting, t)
	p.mu.Unlock()
	select {
	case p.stirs <- struct{}{}:
	default:
	}
	select {
	case <-t.pass:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		p.waiting = slices.DeleteFunc(p.waiting, func(o *turn) bool { return o == t })
		return ctx.Err()
	}
}

// tooLong is when a walk counts as hanging: far longer than the library waits
// for anything.
const tooLong = time.Hour

// run gives turns until done is closed. It reports false if everybody waits
// for something that does not come.
func (p *pace) run(done <-chan struct{}) bool {
	for {
		synctest.Wait()
		select {
		case <-done:
			return true
		default:
		}
		if p.next() {
			continue
		}
		select {
		case <-done:
			return true
		case <-p.stirs:
		case <-time.After(tooLong):
			return false
		}
	}
}

// next gives one turn, or several in a rush; false if nobody waits.
func (p *pace) next() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 1
	if p.rush {
		n = 1 + p.random.IntN(8)
	}
	any := false
	for range n {
		any = p.one() || any
	}
	return any
}

func (p *pace) one() bool {
	if len(p.waiting) == 0 {
		return false
	}
	slices.SortStableFunc(p.waiting, func(a, b *turn) int {
		return cmp.Or(cmp.Compare(truth(a.rare), truth(b.rare)), cmp.Compare(a.who, b.who))
	})
	common := slices.IndexFunc(p.waiting, func(t *turn) bool { return t.rare })
	if common < 0 {
		common = len(p.waiting)
	}
	i := 0
	switch disturb := p.random.IntN(p.rare) == 0; {
	case common == 0, disturb && common < len(p.waiting):
		i = common + p.random.IntN(len(p.waiting)-common)
	default:
		i = p.random.IntN(common)
	}
	t := p.waiting[i]
	p.waiting = slices.Delete(p.waiting, i, i+1)
	p.given++
	close(t.pass)
	return true
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// set has turns waited for, or not.
func (p *pace) set(running bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = running
	if !running {
		for _, t := range p.waiting {
			close(t.pass)
		}
		p.waiting = nil
	}
}
