package virtual_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

func failing(f virtual.Fault) *virtual.Card {
	return virtual.New(virtual.Faults(virtual.Rules(virtual.At(1, f))))
}

func TestHangEndsWithTimeContextOrCard(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault virtual.Fault
		end   func(p *virtual.Provider, card *virtual.Card, cancel func())
		after time.Duration
		want  []error
	}{
		{"time", virtual.Fault{Kind: virtual.Hang, Wait: time.Hour}, nil, time.Hour, nil},
		{"context", virtual.Fault{Kind: virtual.Hang}, func(_ *virtual.Provider, _ *virtual.Card, cancel func()) { cancel() }, time.Minute, []error{context.Canceled, apdu.ErrOutcomeUnknown}},
		{"removal", virtual.Fault{Kind: virtual.Hang}, func(p *virtual.Provider, _ *virtual.Card, _ func()) { p.Remove(reader) }, time.Minute, []error{apdu.ErrRemoved, apdu.ErrOutcomeUnknown}},
		{"end of the card", virtual.Fault{Kind: virtual.Hang}, func(_ *virtual.Provider, c *virtual.Card, _ func()) { c.Close() }, time.Minute, []error{apdu.ErrRemoved, apdu.ErrOutcomeUnknown}},
		{"end of the service", virtual.Fault{Kind: virtual.Hang}, func(p *virtual.Provider, _ *virtual.Card, _ func()) { p.StopService() }, time.Minute, []error{apdu.ErrRemoved, apdu.ErrOutcomeUnknown}},
		{"stall", virtual.Fault{Kind: virtual.Stall, Wait: time.Hour}, func(_ *virtual.Provider, _ *virtual.Card, cancel func()) { cancel() }, time.Hour, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				card := failing(tt.fault)
				p := virtual.Single(card)
				c := connect(t, p)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.end != nil {
					time.AfterFunc(time.Minute, func() { tt.end(p, card, cancel) })
				}
				start := time.Now()
				_, err := c.Transmit(ctx, selectMF)
				if d := time.Since(start); d != tt.after {
					t.Errorf("after %v", d)
				}
				if (err == nil) != (tt.want == nil) {
					t.Error(err)
				}
				for _, want := range tt.want {
					if !errors.Is(err, want) {
						t.Errorf("%v, want %v", err, want)
					}
				}
			})
		})
	}
}

func TestOthersWaitForACardThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtual.Single(failing(virtual.Fault{Kind: virtual.Hang, Wait: time.Hour}))
		first, second := connect(t, p), connect(t, p)
		go first.Transmit(t.Context(), selectMF)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := second.Transmit(ctx, selectMF); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		start := time.Now()
		send(t, second, "00A40000")
		if d := time.Since(start); d != 59*time.Minute {
			t.Errorf("after %v", d)
		}
	})
}

func TestTheftWaitsForTheEndOfATransaction(t *testing.T) {
	var seen []byte
	watch := virtual.Observe(func(command, _ []byte) { seen = append(seen, command[1]) })
	theft := virtual.Fault{Kind: virtual.Steal, Commands: [][]byte{applet, {0x00, 0x84, 0x00, 0x00, 0x08}}}
	for _, tt := range []struct {
		name string
		want []byte // instruction bytes in the order of execution
		in   bool   // a transaction
	}{
		{"in a transaction", []byte{0xA4, 0x20, 0xCA, 0x84, 0x20}, true},
		{"without", []byte{0xCA, 0x84, 0xA4, 0x20, 0x20}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen = nil
			c := connect(t, virtual.Single(virtual.New(watch, virtual.Faults(virtual.Rules(virtual.At(1, theft))))))
			begin(t, c).End()
			end := func() error { return nil }
			if tt.in {
				end = begin(t, c).End
			}
			send(t, c, "00A40000")
			send(t, c, "00200001")
			if err := end(); err != nil {
				t.Error(err)
			}
			b := begin(t, c)
			if b.Undisturbed {
				t.Error("nobody is said to have disturbed")
			}
			send(t, c, "00200001")
			b.End()
			if diff := cmp.Diff(tt.want, seen); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAThiefsLoginStaysWithTheCard(t *testing.T) {
	card := virtual.New()
	c := connect(t, virtual.Single(card))
	initialise(t, c)
	card.SetFaults(virtual.Rules(virtual.At(1, virtual.Fault{Kind: virtual.Steal, Commands: [][]byte{unhex(t, strings.ReplaceAll(verifyPIN, " ", ""))}})))
	if got := send(t, c, "00200001"); got != "9000" {
		t.Error(got)
	}
}

func TestSwapPutsTheOtherCardIn(t *testing.T) {
	other := virtual.New(virtual.WithPIV(virtual.NISTPIV()))
	p := virtual.Single(failing(virtual.Fault{Kind: virtual.Swap, Card: other}))
	c := connect(t, p)
	fails(t, c, apdu.ErrRemoved)
	if alive(c) {
		t.Error("the connection lives")
	}
	if got := connect(t, p).Info().ATR; string(got) != string(other.ATR()) {
		t.Errorf("a card with %X is in the reader", got)
	}
}

func TestServiceStopsAndStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		card := virtual.New()
		p := virtual.NewProvider(virtual.Reader{Name: reader, Card: card}, virtual.Reader{Name: "empty"})
		ctx, cancel := context.WithCancel(t.Context())
		var events []apdu.Event
		go watch(t, ctx, p, &events)
		c := connect(t, p)
		synctest.Wait()
		events = nil
		p.StopService()
		p.StopService()
		synctest.Wait()
		fails(t, c, apdu.ErrRemoved)
		if _, err := p.Readers(t.Context()); !errors.Is(err, apdu.ErrNoService) {
			t.Errorf("Readers: %v", err)
		}
		if _, err := p.Connect(t.Context(), reader); !errors.Is(err, apdu.ErrNoService) {
			t.Errorf("Connect: %v", err)
		}
		for _, err := range p.Watch(t.Context()) {
			if !errors.Is(err, apdu.ErrNoService) {
				t.Errorf("Watch: %v", err)
			}
		}
		p.StartService()
		p.StartService()
		synctest.Wait()
		cancel()
		synctest.Wait()
		want := []apdu.Event{
			{Reader: reader, Gone: true, Count: 2}, {Reader: "empty", Gone: true},
			{Reader: reader, Present: true, ATR: card.ATR(), Count: 3}, {Reader: "empty"},
		}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Error(diff)
		}
		fails(t, c, apdu.ErrRemoved)
		send(t, connect(t, p), "00A40000")
		if names, err := p.Readers(t.Context()); err != nil || !slices.Equal(names, []string{reader, "empty"}) {
			t.Errorf("%v, %v", names, err)
		}
	})
}

func TestHeldCardIsInUse(t *testing.T) {
	card := virtual.New()
	p := virtual.Single(card)
	c := connect(t, p)
	release, err := p.Hold(reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Connect(t.Context(), reader); !errors.Is(err, apdu.ErrInUse) {
		t.Errorf("Connect: %v", err)
	}
	fails(t, c, apdu.ErrInUse)
	if _, err := c.(apdu.Transactor).Begin(t.Context()); !errors.Is(err, apdu.ErrInUse) {
		t.Errorf("Begin: %v", err)
	}
	release()
	release()
	begin(t, c).End()
	send(t, c, "00A40000")
	connect(t, p)
	// A card that is taken out is nobody's.
	release, err = p.Hold(reader)
	if err != nil {
		t.Fatal(err)
	}
	p.Remove(reader)
	p.Insert(reader, card)
	release()
	send(t, connect(t, p), "00A40000")
	if _, err := p.Hold("other"); !errors.Is(err, apdu.ErrNoReader) {
		t.Errorf("Hold: %v", err)
	}
}
