package slot_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// hanging is a card that answers nothing before release is closed.
func hanging(release <-chan struct{}) *virtual.Card {
	return virtual.New(virtual.Faults(func(int, []byte) virtual.Fault {
		<-release
		return virtual.Fault{}
	}))
}

func TestAReaderThatHangsHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := virtual.NewProvider(
			virtual.Reader{Name: "hangs", Card: hanging(release)},
			virtual.Reader{Name: "works", Card: virtual.New()})
		l := newList(t, p)

		start := time.Now()
		slots, err := l.Slots(t.Context(), true)
		must(t, err)
		if len(slots) != 1 || slots[0].Info().Reader != "works" {
			t.Errorf("%d slots with a token", len(slots))
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("the first look took %v", d)
		}

		start = time.Now()
		slots, err = l.Slots(t.Context(), false)
		must(t, err)
		if _, err := slots[0].Token(t.Context()); ckr.Of(err) != ckr.DeviceError || !strings.Contains(err.Error(), "not answered") {
			t.Errorf("the slot that hangs: %v", err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("the second look took %v", d)
		}

		close(release)
		synctest.Wait()
		slots, err = l.Slots(t.Context(), true)
		must(t, err)
		if len(slots) != 2 {
			t.Errorf("%d slots with a token when the reader works again", len(slots))
		}
	})
}

func TestASlotIsNotKeptWaitingForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := virtual.NewProvider(virtual.Reader{Name: "hangs"}, virtual.Reader{Name: "works", Card: virtual.New()})
		l := newList(t, p)
		slots, err := l.Slots(t.Context(), true)
		must(t, err)
		must(t, p.Insert("hangs", hanging(release)))
		start := time.Now()
		s, err := l.Slot(t.Context(), slots[0].ID())
		must(t, err)
		if _, err := s.Token(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %v", d)
		}
		close(release)
	})
}

func TestCloseWithAReaderThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := virtual.NewProvider(virtual.Reader{Name: "hangs", Card: hanging(release)})
		l := newList(t, p)
		_, err := l.Slots(t.Context(), true)
		must(t, err)
		start := time.Now()
		l.Close()
		if d := time.Since(start); d > time.Second {
			t.Errorf("Close took %v", d)
		}
		close(release)
	})
}
