package apdu_test

import (
	"context"
	"errors"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

var myEID = []byte("\xA0\x00\x00\x00\x63PKCS-15")

const reader = "Virtual 00"

func connect(t *testing.T, p apdu.Provider) *apdu.Conn {
	c, err := apdu.Dial(t.Context(), p, reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// visit makes a unit and tells whether it had to select.
func visit(t *testing.T, c *apdu.Conn) (selected, disturbed bool) {
	t.Helper()
	err := c.Exclusive(t.Context(), myEID, func(ctx context.Context, tx *apdu.Tx) error {
		_, selected = tx.Selected()
		disturbed = tx.Disturbed()
		_, err := tx.Do(ctx, apdu.Command{INS: 0xCA, P1: 0x01, P2: 0xA0, Le: 256})
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return selected, disturbed
}

func TestTwoProgramsShareACard(t *testing.T) {
	p := virtual.Single(virtual.New())
	a, b := connect(t, p), connect(t, p)
	visit(t, a)
	if selected, disturbed := visit(t, a); selected || disturbed {
		t.Errorf("alone: selected %v, disturbed %v", selected, disturbed)
	}
	visit(t, b)
	if selected, disturbed := visit(t, a); !selected || !disturbed {
		t.Errorf("after the other: selected %v, disturbed %v", selected, disturbed)
	}
	if a.Epoch() != 1 || b.Epoch() != 1 {
		t.Errorf("epochs %d and %d", a.Epoch(), b.Epoch())
	}
}

// D5.
func TestResetByAnotherProgramIsSeenByAll(t *testing.T) {
	p := virtual.Single(virtual.New())
	a, b := connect(t, p), connect(t, p)
	visit(t, a)
	visit(t, b)
	if err := p.Reset(reader); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*apdu.Conn{a, b} {
		if selected, _ := visit(t, c); !selected || c.Epoch() != 2 {
			t.Errorf("selected %v, epoch %d", selected, c.Epoch())
		}
	}
}

func TestCardPutBackIsAnotherCard(t *testing.T) {
	card := virtual.New()
	p := virtual.Single(card)
	c := connect(t, p)
	visit(t, c)
	if err := p.Remove(reader); err != nil {
		t.Fatal(err)
	}
	if c.Alive() {
		t.Error("alive without an exchange")
	}
	if err := p.Insert(reader, card); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Exclusive(t.Context(), myEID, nothing); !errors.Is(err, apdu.ErrRemoved) {
			t.Errorf("error %v", err)
		}
	}
	visit(t, connect(t, p))
}

func TestWaitingForAnotherProgramEndsWithTheContext(t *testing.T) {
	p := virtual.Single(virtual.New())
	a, b := connect(t, p), connect(t, p)
	err := a.Exclusive(t.Context(), nil, func(context.Context, *apdu.Tx) error {
		ctx, cancel := context.WithCancel(t.Context())
		waiting := make(chan error)
		go func() { waiting <- b.Exclusive(ctx, nil, nothing) }()
		cancel()
		return <-waiting
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, apdu.ErrOutcomeUnknown) {
		t.Errorf("error %v", err)
	}
	visit(t, b)
}

func nothing(context.Context, *apdu.Tx) error { return nil }
