package virtual_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// watch collects events until ctx is done.
func watch(t *testing.T, ctx context.Context, p *virtual.Provider, events *[]apdu.Event) {
	for e, err := range p.Watch(ctx) {
		if err != nil {
			t.Error(err)
		}
		*events = append(*events, e)
	}
}

func TestWatchBeginsWithThePresentState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		card := virtual.New()
		for _, tt := range []struct {
			p    *virtual.Provider
			want []apdu.Event
		}{
			{virtual.NewProvider(), []apdu.Event{{Initial: true, Settled: true}}},
			{
				virtual.NewProvider(virtual.Reader{Name: "A"}, virtual.Reader{Name: "B", Card: card}),
				[]apdu.Event{
					{Reader: "A", Initial: true},
					{Reader: "B", Present: true, ATR: card.ATR(), Count: 1, Initial: true, Settled: true},
				},
			},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			var got []apdu.Event
			go watch(t, ctx, tt.p, &got)
			synctest.Wait()
			cancel()
			synctest.Wait()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestWatchSeesEveryChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		card := virtual.New()
		p := virtual.Single(card)
		var got []apdu.Event
		go watch(t, ctx, p, &got)
		synctest.Wait()
		atr := card.ATR()
		steps := []struct {
			do   func()
			want []apdu.Event
		}{
			{func() { p.Remove(reader) }, []apdu.Event{{Reader: reader, Count: 2}}},
			{func() { p.Insert(reader, card) }, []apdu.Event{{Reader: reader, Present: true, ATR: atr, Count: 3}}},
			{func() { p.Reset(reader) }, nil},
			{func() { p.Remove(reader); p.Insert(reader, card) }, []apdu.Event{{Reader: reader, Present: true, ATR: atr, Count: 5}}},
			{func() { p.AddReader("other") }, []apdu.Event{{Reader: "other"}}},
			{func() { p.RemoveReader(reader) }, []apdu.Event{{Reader: reader, Gone: true, Count: 6}}},
			{func() { p.AddReader(reader) }, []apdu.Event{{Reader: reader, Count: 6}}},
			{func() { p.RemoveReader(reader); p.AddReader(reader) }, []apdu.Event{{Reader: reader, Gone: true, Count: 6}, {Reader: reader, Count: 6}}},
			{func() { p.Insert("other", card) }, []apdu.Event{{Reader: "other", Present: true, ATR: atr, Count: 1}}},
		}
		for i, s := range steps {
			got = nil
			s.do()
			synctest.Wait()
			if diff := cmp.Diff(s.want, got); diff != "" {
				t.Errorf("step %d: %s", i, diff)
			}
		}
		cancel()
		synctest.Wait()
	})
}

func TestWatchEndsWhenTheCallerStops(t *testing.T) {
	p := virtual.NewProvider(virtual.Reader{Name: "A"}, virtual.Reader{Name: "B"})
	for e := range p.Watch(t.Context()) {
		if e.Reader == "A" {
			break
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	n := 0
	for range p.Watch(canceled) {
		n++
	}
	if n > 2 {
		t.Errorf("%d events after the end", n)
	}
}
