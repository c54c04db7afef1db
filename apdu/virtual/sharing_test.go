package virtual_test

import (
	"context"
	"encoding/hex"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

func TestTransactionsExcludeEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtual.Single(virtual.New())
		a, b, c := connect(t, p), connect(t, p), connect(t, p)
		held := begin(t, a)
		var mu sync.Mutex
		var order []string
		note := func(s string) { mu.Lock(); order = append(order, s); mu.Unlock() }
		go func() {
			begun := begin(t, b)
			note("b begins")
			time.Sleep(time.Second)
			note("b ends")
			begun.End()
		}()
		synctest.Wait()
		go func() {
			send(t, c, "00A40000")
			note("c sends")
		}()
		synctest.Wait()
		send(t, a, "00A40000")
		note("a sends")
		held.End()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		want := []string{"a sends", "b begins", "b ends", "c sends"}
		if len(order) != len(want) {
			t.Fatalf("%v, want %v", order, want)
		}
		for i := range want {
			if order[i] != want[i] {
				t.Fatalf("%v, want %v", order, want)
			}
		}
	})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtual.Single(virtual.New())
		a, b := connect(t, p), connect(t, p)
		held := begin(t, a)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := b.(apdu.Transactor).Begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Begin: %v", err)
		}
		if _, err := b.Transmit(ctx, selectMF); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Transmit: %v", err)
		}
		if _, err := a.Transmit(ctx, selectMF); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Transmit in a transaction: %v", err)
		}
		held.End()
		begin(t, b).End() // nothing is left waiting in its place
	})
}

func TestUndisturbedOnlyIfNobodyElseWasThere(t *testing.T) {
	p := virtual.Single(virtual.New())
	a, b := connect(t, p), connect(t, p)
	expect := func(want bool, why string) {
		t.Helper()
		begun := begin(t, a)
		if begun.Undisturbed != want {
			t.Errorf("%s: undisturbed is %v", why, begun.Undisturbed)
		}
		send(t, a, "00A40000")
		if err := begun.End(); err != nil {
			t.Error(err)
		}
	}
	expect(false, "there was no transaction before")
	expect(true, "nobody came")
	send(t, a, "00A40000")
	expect(true, "our own command outside")
	begin(t, b).End()
	expect(true, "a transaction in which nothing was sent")
	send(t, b, "00A40000")
	expect(false, "another connection sent something")
	expect(true, "nobody came")
	if err := p.Reset(reader); err != nil {
		t.Fatal(err)
	}
	if _, err := a.(apdu.Transactor).Begin(t.Context()); !errors.Is(err, apdu.ErrReset) {
		t.Errorf("Begin after a reset: %v", err)
	}
	expect(false, "the card was reset")
	expect(true, "nobody came")
}

func TestTransactionsDoNotNest(t *testing.T) {
	a := connect(t, virtual.Single(virtual.New()))
	begun := begin(t, a)
	if _, err := a.(apdu.Transactor).Begin(t.Context()); err == nil {
		t.Error("a transaction in a transaction")
	}
	begun.End()
	begun.End() // the second time it does nothing
	begin(t, a).End()
}

func TestEveryConnectionIsToldOnceOfAReset(t *testing.T) {
	p := virtual.Single(virtual.New())
	a, b := connect(t, p), connect(t, p)
	initialise(t, a)
	ok(t, a, verifyPIN)
	ok(t, b, "00200001") // the card's state is everybody's
	begun := begin(t, b)
	p.Reset(reader)
	fails(t, b, apdu.ErrReset)
	if got := send(t, b, "00200001"); got != "63C3" {
		t.Errorf("PIN state after the reset: %s", got)
	}
	begun.End()
	fails(t, a, apdu.ErrReset)
	send(t, a, "00200001")
	send(t, connect(t, p), "00200001") // who comes later knows nothing of it
	if !alive(a) || !alive(b) {
		t.Error("a reset is no removal")
	}
}

func TestAResetReachesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtual.Single(virtual.New())
		a, b := connect(t, p), connect(t, p)
		held := begin(t, a)
		var err error
		go func() { _, err = b.(apdu.Transactor).Begin(t.Context()) }()
		synctest.Wait()
		p.Reset(reader)
		fails(t, a, apdu.ErrReset)
		held.End()
		synctest.Wait()
		if !errors.Is(err, apdu.ErrReset) {
			t.Errorf("Begin: %v", err)
		}
		begin(t, b).End()
		send(t, a, "00A40000")
	})
}

func TestAConnectionToARemovedCardIsDeadForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		card := virtual.New()
		p := virtual.Single(card)
		a, b, idle := connect(t, p), connect(t, p), connect(t, p)
		initialise(t, a)
		ok(t, a, verifyPIN)
		held := begin(t, a)
		var err error
		go func() { _, err = b.(apdu.Transactor).Begin(t.Context()) }()
		synctest.Wait()
		if err := p.Remove(reader); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !errors.Is(err, apdu.ErrRemoved) {
			t.Errorf("a waiting Begin: %v", err)
		}
		if err := p.Insert(reader, card); err != nil {
			t.Fatal(err)
		}
		for _, c := range []apdu.Transport{a, b, idle, a} {
			fails(t, c, apdu.ErrRemoved)
			if _, err := c.(apdu.Transactor).Begin(t.Context()); !errors.Is(err, apdu.ErrRemoved) && c != a {
				t.Errorf("Begin: %v", err)
			}
			if alive(c) {
				t.Error("alive")
			}
		}
		if err := held.End(); !errors.Is(err, apdu.ErrRemoved) {
			t.Errorf("End: %v", err)
		}
		for _, c := range []apdu.Transport{a, b, idle} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if got := send(t, connect(t, p), "00200001"); got != "63C3" {
			t.Errorf("PIN state after reinsertion: %s", got)
		}
	})
}

func TestACardMovesBetweenReaders(t *testing.T) {
	card, other := virtual.New(), virtual.New()
	p := virtual.NewProvider(virtual.Reader{Name: reader, Card: card}, virtual.Reader{Name: "Virtual 01"})
	a := connect(t, p)
	if err := p.Insert("Virtual 01", card); err == nil {
		t.Error("one card in two readers")
	}
	if err := p.Insert(reader, other); err == nil {
		t.Error("two cards in one reader")
	}
	p.Remove(reader)
	if err := p.Insert("Virtual 01", card); err != nil {
		t.Fatal(err)
	}
	if err := p.Insert(reader, other); err != nil {
		t.Fatal(err)
	}
	fails(t, a, apdu.ErrRemoved)
	b, err := p.Connect(t.Context(), "Virtual 01")
	if err != nil {
		t.Fatal(err)
	}
	if b.Info().Reader != "Virtual 01" || string(b.Info().ATR) != string(card.ATR()) || b.Info().Protocol != apdu.T1 {
		t.Errorf("Info: %+v", b.Info())
	}
	send(t, b, "00A40000")
}

func TestCloseEndsATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtual.Single(virtual.New())
		a, b := connect(t, p), connect(t, p)
		begin(t, a)
		done := false
		go func() { begin(t, b).End(); done = true }()
		synctest.Wait()
		a.Close()
		a.Close()
		synctest.Wait()
		if !done {
			t.Error("the next transaction does not begin")
		}
		fails(t, a, apdu.ErrRemoved)
	})
}

func TestAClosedCardIsOut(t *testing.T) {
	card := virtual.New()
	p := virtual.Single(card)
	a := connect(t, p)
	if err := errors.Join(card.Close(), card.Close()); err != nil {
		t.Error(err)
	}
	fails(t, a, apdu.ErrRemoved)
	fails(t, connect(t, p), apdu.ErrRemoved)
}

// TestManyPrograms has connections come, go and work while the card is reset
// and pulled. Run with -race it holds the locks to their job; by itself it
// checks that every exchange is whole.
func TestManyPrograms(t *testing.T) {
	card := virtual.New()
	p := virtual.Single(card)
	ctx, stop := context.WithCancel(t.Context())
	var programs sync.WaitGroup
	for n := range 8 {
		programs.Go(func() {
			for ctx.Err() == nil {
				use(t, ctx, p, n)
			}
		})
	}
	for i := range 200 {
		switch i % 4 {
		case 0:
			p.Reset(reader)
		case 2:
			p.Remove(reader)
			p.Insert(reader, card)
		default:
			c := connect(t, p)
			c.Transmit(ctx, applet)
			c.Close()
		}
	}
	stop()
	programs.Wait()
	if got := ok(t, connect(t, p), "00CA01A000"); len(got) != 40 {
		t.Errorf("applet information %s", got)
	}
}

// use is one program's visit to the card.
func use(t *testing.T, ctx context.Context, p *virtual.Provider, n int) {
	c, err := p.Connect(ctx, reader)
	if err != nil {
		return
	}
	defer c.Close()
	for range 20 {
		begun, err := c.(apdu.Transactor).Begin(ctx)
		if err != nil {
			continue
		}
		// Selection and its use are not torn apart by others.
		if answer, err := c.Transmit(ctx, []byte{0x00, 0xA4, 0x00, 0x0C, 0x02, 0x50, 0x15}); err == nil && answer[0] == 0x90 && n%2 == 0 {
			answer, err := c.Transmit(ctx, []byte{0x00, 0xA4, 0x00, 0x00, 0x02, 0x50, 0x15, 0x00})
			if err == nil && len(answer) != 41 {
				t.Errorf("answer %X", answer)
			}
		}
		begun.End()
		c.Transmit(ctx, applet)
	}
}

func TestConnectingNeedsReaderAndCard(t *testing.T) {
	p := virtual.NewProvider(virtual.Reader{Name: reader})
	for name, want := range map[string]error{reader: apdu.ErrNoCard, "other": apdu.ErrNoReader} {
		if _, err := p.Connect(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("Connect %s: %v, want %v", name, err, want)
		}
		if err := p.Remove(name); !errors.Is(err, want) {
			t.Errorf("Remove %s: %v, want %v", name, err, want)
		}
		if err := p.Reset(name); !errors.Is(err, want) {
			t.Errorf("Reset %s: %v, want %v", name, err, want)
		}
	}
	if err := p.Insert("other", virtual.New()); !errors.Is(err, apdu.ErrNoReader) {
		t.Errorf("Insert: %v", err)
	}
	if err := p.RemoveReader("other"); !errors.Is(err, apdu.ErrNoReader) {
		t.Errorf("RemoveReader: %v", err)
	}
	if err := p.AddReader(reader); err == nil {
		t.Error("two readers of one name")
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Connect(canceled, reader); !errors.Is(err, context.Canceled) {
		t.Errorf("Connect: %v", err)
	}
	if _, err := p.Readers(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("Readers: %v", err)
	}
	if names, err := p.Readers(t.Context()); err != nil || len(names) != 1 || names[0] != reader {
		t.Errorf("Readers: %v %v", names, err)
	}
}

// TryBegin is Begin for those who do not wait: no, while the card is another's;
// the reset and the removal, at once.
func TestTryBegin(t *testing.T) {
	card := virtual.New()
	p := virtual.Single(card)
	a, b := connect(t, p), connect(t, p)
	try := func(c apdu.Transport) (apdu.Transaction, bool, error) { return c.(apdu.Immediacy).TryBegin() }

	held := begin(t, a)
	if _, ok, err := try(b); ok || err != nil {
		t.Errorf("while another has the card: %v, %v", ok, err)
	}
	if _, ok, err := try(a); !ok || err == nil {
		t.Errorf("a second transaction of one's own: %v, %v", ok, err)
	}
	held.End()
	for _, undisturbed := range []bool{false, true} {
		begun, ok, err := try(b)
		if !ok || err != nil || begun.Undisturbed != undisturbed {
			t.Fatalf("a free card: %+v, %v, %v", begun, ok, err)
		}
		send(t, b, "00A40000")
		begun.End()
	}

	p.Reset("Virtual 00")
	if _, ok, err := try(b); !ok || !errors.Is(err, apdu.ErrReset) {
		t.Errorf("after a reset: %v, %v", ok, err)
	}
	held = begin(t, b) // nothing is left behind
	p.Remove("Virtual 00")
	for _, c := range []apdu.Transport{a, b} {
		if _, ok, err := try(c); !ok || err == nil {
			t.Errorf("after removal: %v, %v", ok, err)
		}
	}
	held.End()
}

// What makes keys, writes or asks for a PIN may take its time; and so may any
// command of which a test is told.
func TestImmediate(t *testing.T) {
	for _, x := range []struct {
		command string
		opts    []virtual.Option
		want    bool
	}{
		{"00A40000", nil, true},
		{"00B0000000", nil, true},
		{"002A9E9A00", nil, true},
		{"0087119A00", nil, true},
		{"0020000004", nil, false},
		{"00D60000", nil, false},
		{"0047009A", nil, false},
		{"00A4", nil, false},
		{"00A40000", []virtual.Option{virtual.Faults(func(int, []byte) virtual.Fault { return virtual.Fault{} })}, false},
		{"00A40000", []virtual.Option{virtual.Observe(func(_, _ []byte) {})}, false},
		{"0087119A00", []virtual.Option{virtual.Touch(func() bool { return true })}, false},
	} {
		c := connect(t, virtual.Single(virtual.New(x.opts...)))
		command, err := hex.DecodeString(x.command)
		if got := c.(apdu.Immediacy).Immediate(command); got != x.want || err != nil {
			t.Errorf("%s: %v, want %v", x.command, got, x.want)
		}
	}
}
