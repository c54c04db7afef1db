package pcsc

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// Who uses a card without a break leaves it alone for a moment each second if
// others have a connection to it, and only then.
func TestASharedCardIsLeftToOthersNowAndThen(t *testing.T) {
	for _, test := range []struct {
		name    string
		sharing int
		idle    time.Duration // between transactions
		yields  int           // in five seconds
	}{
		{"alone", 1, 0, 0},
		{"not known", 0, 0, 0},
		{"shared", 2, 0, 4},
		{"shared, with breaks of our own", 2, 200 * time.Millisecond, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := present("R", 1)
				r.Sharing = test.sharing
				f := newFakeService(r)
				tr := connect(t, f)
				defer tr.Close()
				yields := 0
				for start := time.Now(); time.Since(start) < 5*time.Second; {
					asked := time.Now()
					begun, err := tr.(apdu.Transactor).Begin(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if time.Since(asked) >= yieldTime {
						yields++
					}
					time.Sleep(10 * time.Millisecond) // the card works
					begun.End()
					time.Sleep(test.idle)
				}
				if yields != test.yields {
					t.Errorf("the card was left alone %d times, want %d", yields, test.yields)
				}
			})
		})
	}
}
