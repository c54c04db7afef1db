package replay

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// ErrDiverged says that a program did not say what is in the transcript. Its
// text tells where and how; it goes with [apdu.ErrLink].
var ErrDiverged = errors.New("the program diverges from the transcript")

// Player is a Provider of one reader with a card that knows nothing but its
// transcript. It answers in strict order: a command that is not the next one
// ends it. The Le of GET RESPONSE may differ, as may data that the transcript
// hides. Resets in the transcript show at the beginning of the transaction that
// sends the exchange after it.
//
// Methods are safe for concurrent use. All connections share one place in the
// transcript.
type Player struct {
	apdu.SharedState
	t        *Transcript
	info     apdu.Info
	inOrder  bool
	mu       sync.Mutex
	next     int
	played   []bool
	resets   []int // still to come
	begun    bool  // there was a transaction since the last reset
	diverged error
}

// PlayerOption changes how a Player answers.
type PlayerOption func(*Player)

// AnyOrder lets a Player look commands up: it answers as the transcript does
// next after the place where it is, or else before it. Only a command that is
// nowhere in it is a divergence.
func AnyOrder() PlayerOption { return func(p *Player) { p.inOrder = false } }

// WithProtocol plays over T=0 instead of T=1.
func WithProtocol(protocol apdu.Protocol) PlayerOption {
	return func(p *Player) { p.info.Protocol = protocol }
}

// NewPlayer plays a transcript, which is not to be changed any more.
func NewPlayer(t *Transcript, opts ...PlayerOption) *Player {
	p := &Player{
		t:       t,
		inOrder: true,
		info: apdu.Info{
			Reader:   cmp.Or(t.Head.Reader, "Replay"),
			ATR:      t.Head.ATR,
			Protocol: apdu.T1,
		},
		played: make([]bool, len(t.Exchanges)),
	}
	for _, at := range t.Head.Resets {
		if at > 0 {
			p.resets = append(p.resets, at)
		}
	}
	slices.Sort(p.resets)
	for _, opt := range opts {
		opt(p)
	}
	return p
}

// Reader is the name of the one reader.
func (p *Player) Reader() string { return p.info.Reader }

// Done is nil if every exchange was played, and nothing else was asked. With
// [AnyOrder] the former is not demanded.
func (p *Player) Done() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.diverged != nil:
		return p.diverged
	case p.inOrder && p.next < len(p.t.Exchanges):
		return fmt.Errorf("%w: it ended before exchange %d of %d, %s", ErrDiverged,
			p.next, len(p.t.Exchanges), show(p.t.Exchanges[p.next].Command))
	}
	return nil
}

// Unplayed are the exchanges that were not asked for, counted from 0.
func (p *Player) Unplayed() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var left []int
	for i, played := range p.played {
		if !played {
			left = append(left, i)
		}
	}
	return left
}

// Readers names the one reader.
func (p *Player) Readers(context.Context) ([]string, error) { return []string{p.info.Reader}, nil }

// Connect connects to the card in it.
func (p *Player) Connect(_ context.Context, reader string) (apdu.Transport, error) {
	if reader != p.info.Reader {
		return nil, fmt.Errorf("%q: %w", reader, apdu.ErrNoReader)
	}
	return &playing{p}, nil
}

// Watch yields the one reader, with its card, and then waits for ctx.
func (p *Player) Watch(ctx context.Context) iter.Seq2[apdu.Event, error] {
	return func(yield func(apdu.Event, error) bool) {
		e := apdu.Event{Reader: p.info.Reader, Present: true, ATR: p.info.ATR, Count: 1, Initial: true, Settled: true}
		if yield(e, nil) {
			<-ctx.Done()
		}
	}
}

// playing is a connection to the card of a Player.
type playing struct{ p *Player }

func (c *playing) Info() apdu.Info { return c.p.info }
func (c *playing) Close() error    { return nil }

// Begin tells of a reset that lies before the next exchange.
func (c *playing) Begin(ctx context.Context) (apdu.Transaction, error) {
	if err := ctx.Err(); err != nil {
		return apdu.Transaction{}, err
	}
	p := c.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.passReset() {
		p.begun = false
		return apdu.Transaction{}, apdu.ErrReset
	}
	undisturbed := p.begun
	p.begun = true
	return apdu.Transaction{End: func() error { return nil }, Undisturbed: undisturbed}, nil
}

// passReset tells whether there was a reset up to here that was not told of.
func (p *Player) passReset() (reset bool) {
	for len(p.resets) > 0 && p.resets[0] <= p.next {
		p.resets = p.resets[1:]
		reset = true
	}
	return reset
}

func (c *playing) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := c.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.diverged != nil {
		return nil, p.diverged
	}
	at, ok := p.find(command)
	if !ok {
		p.diverged = fmt.Errorf("%w: %w: %s", apdu.ErrLink, ErrDiverged, p.explain(command))
		return nil, p.diverged
	}
	p.next = at + 1
	p.played[at] = true
	e := p.t.Exchanges[at]
	if e.Error != "" {
		return nil, errorOf(e.Error)
	}
	return bytes.Clone(e.Response), nil
}

// find is the exchange that answers a command.
func (p *Player) find(command []byte) (int, bool) {
	if p.inOrder {
		return p.next, p.next < len(p.t.Exchanges) && answers(p.t.Exchanges[p.next], command)
	}
	for i := p.next; i < len(p.t.Exchanges); i++ {
		if answers(p.t.Exchanges[i], command) {
			return i, true
		}
	}
	for i := p.next - 1; i >= 0; i-- {
		if answers(p.t.Exchanges[i], command) {
			return i, true
		}
	}
	return 0, false
}

// answers tells whether e is about that command.
func answers(e Exchange, command []byte) bool {
	want := []byte(e.Command)
	if bytes.Equal(want, command) {
		return true
	}
	if len(want) < 4 || len(command) < 4 || !bytes.Equal(want[:4], command[:4]) {
		return false
	}
	if e.Hidden {
		return len(want) == len(command)
	}
	const getResponse = 0xC0
	if command[1] != getResponse || len(command) != 5 {
		return false
	}
	most := int(command[4])
	if most == 0 {
		most = 256
	}
	return len(e.Response)-2 <= most
}

// explain says what was expected and what came.
func (p *Player) explain(command []byte) string {
	if !p.inOrder {
		return fmt.Sprintf("%s is not in it", show(command))
	}
	if p.next == len(p.t.Exchanges) {
		return fmt.Sprintf("%s after the last exchange", show(command))
	}
	want := []byte(p.t.Exchanges[p.next].Command)
	differ := 0
	for differ < min(len(want), len(command)) && want[differ] == command[differ] {
		differ++
	}
	return fmt.Sprintf("exchange %d: from byte %d on\n\tthe program sent %s\n\tthe transcript has %s",
		p.next, differ, show(command), show(want))
}

// show is a command in full, unless it carries a PIN.
func show(command []byte) string {
	cmd, err := apdu.ParseCommand(command)
	switch {
	case carriesPIN(command) && err != nil:
		return fmt.Sprintf("%X… (%d bytes)", command[:4], len(command))
	case err != nil:
		return fmt.Sprintf("%X", command)
	case carriesPIN(command):
		return cmd.String()
	}
	return fmt.Sprintf("%s %X", cmd.Name(), command)
}
