package identity_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/token"
)

// cast is the cards of a world.
type cast struct {
	name  string
	kinds []kind
	alike bool // the cards have the same serial number
	// What the key management key of PIV cards is, if it matters.
	rsa, ec bool
}

var casts = []cast{
	{name: "one YubiKey", kinds: []kind{yubiKey}},
	{name: "one old YubiKey", kinds: []kind{oldYubiKey}},
	{name: "one NIST card", kinds: []kind{nistPIV}},
	{name: "one MyEID", kinds: []kind{myEID}},
	{name: "one without CHUID", kinds: []kind{noCHUID}},
	{name: "two without CHUID", kinds: []kind{noCHUID, noCHUID}, alike: true},
	{name: "two NIST cards alike", kinds: []kind{nistPIV, nistPIV}, alike: true},
	{name: "two YubiKeys alike", kinds: []kind{yubiKey, yubiKey}, alike: true},
	{name: "two old YubiKeys alike", kinds: []kind{oldYubiKey, oldYubiKey}, alike: true},
	{name: "two MyEIDs alike", kinds: []kind{myEID, myEID}, alike: true},
	{name: "two MyEIDs", kinds: []kind{myEID, myEID}},
	{name: "two YubiKeys", kinds: []kind{yubiKey, yubiKey}},
	{name: "two NIST cards", kinds: []kind{nistPIV, nistPIV}},
	{name: "a YubiKey and one without CHUID", kinds: []kind{yubiKey, noCHUID}},
	{name: "a MyEID and an old YubiKey", kinds: []kind{myEID, oldYubiKey}},
}

// world is some cards, one or two readers, and those who use them.
type world struct {
	pace      *pace
	judge     *judge
	readers   *virtual.Provider
	named     []string // readers
	cards     []*card
	processes []*process // two that use the library
	other     *process   // the foreign program
	calm      atomic.Bool
	budget    atomic.Int64 // steps that are left

	mu     sync.Mutex
	where  map[string]*card // by reader
	errors *rand.Rand       // of those who type PINs
	spare  []*stock
	ids    names

	disturbing chan struct{} // held by the one who disturbs
}

// split makes a source of random numbers that is used elsewhere.
func split(r *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) }

// stock is an RSA key that can be put on a card.
type stock struct {
	key   any
	inUse bool
	used  bool
}

// someReaders draws how many readers a cast has: cards that look alike are most
// of all confused in two.
func (c cast) someReaders(random *rand.Rand) int {
	if c.alike && random.IntN(4) > 0 {
		return 2
	}
	return 1 + random.IntN(2)
}

// newWorld makes the cards and puts them into readers.
func newWorld(ctx context.Context, j *judge, c cast, readers int, random *rand.Rand, rush bool) (*world, error) {
	w := &world{
		pace: newPace(split(random), rush), judge: j, where: make(map[string]*card), errors: split(random),
		disturbing: make(chan struct{}, 1),
	}
	for _, k := range rsaKeys() {
		w.spare = append(w.spare, &stock{key: k})
	}
	for i, k := range c.kinds {
		serial := i + 1
		if c.alike {
			serial = 1
		}
		card, err := newCard(ctx, j, k, i+1, serial, w.firstKeys(k, c.rsa || !c.ec && random.IntN(2) == 0))
		if err != nil {
			return nil, fmt.Errorf("make %v: %w", k, err)
		}
		info, err := describe(ctx, card)
		if err != nil {
			return nil, err
		}
		card.serial, card.alike = info.Serial, c.alike || k == noCHUID
		w.cards = append(w.cards, card)
	}
	w.named = []string{"Reader A", "Reader B"}[:readers]
	var hardware []virtual.Reader
	for i, name := range w.named {
		r := virtual.Reader{Name: name}
		if i < len(w.cards) {
			r.Card = w.cards[i].virtual
			w.where[name] = w.cards[i]
			w.cards[i].moves++
		}
		hardware = append(hardware, r)
	}
	w.readers = virtual.NewProvider(hardware...)
	w.other = newProcess(w, "foreign")
	return w, nil
}

// firstKeys are the keys of a new card.
func (w *world) firstKeys(k kind, isRSA bool) map[byte]any {
	if k == myEID {
		return map[byte]any{1: newEC(), 2: w.take(false).key, 3: newEC()}
	}
	keys := map[byte]any{0x9A: newEC(), 0x9C: newEC(), 0x9D: newEC(), 0x9E: newEC()}
	if isRSA {
		keys[0x9D] = w.take(false).key // NIST cards agree by it alone
	}
	if k == yubiKey {
		keys[0x82], keys[0x83] = newEC(), w.take(false).key
	}
	return keys
}

// take takes an RSA key that is on no card; one that was on a card before only
// if again.
func (w *world) take(again bool) *stock {
	for _, s := range w.spare {
		if !s.inUse && (again || !s.used) {
			s.inUse = true
			return s
		}
	}
	return nil
}

// giveBack notes that an RSA key is on no card any more.
func (w *world) giveBack(private any) {
	for _, s := range w.spare {
		if s.key == private {
			s.inUse, s.used = false, true
		}
	}
}

// open begins the two processes, which remember PINs in different ways.
func (w *world) open(ctx context.Context) error {
	for i, cache := range []cryptoki.PINCache{cryptoki.CacheUntilLogout(), cryptoki.CacheNever()} {
		p := newProcess(w, fmt.Sprintf("process %d", i))
		if err := p.open(ctx, cryptoki.WithPINCache(cache)); err != nil {
			return err
		}
		w.processes = append(w.processes, p)
	}
	return nil
}

// describe asks a card that is in no reader what it is.
func describe(ctx context.Context, c *card) (token.Info, error) {
	const bench = "workbench"
	p := virtual.NewProvider(virtual.Reader{Name: bench, Card: c.virtual})
	defer p.Remove(bench)
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(p))
	if err != nil {
		return token.Info{}, err
	}
	defer m.Close()
	slots, err := m.Slots(ctx, true)
	if err != nil {
		return token.Info{}, err
	}
	t, err := slots[0].Token(ctx)
	if err != nil {
		return token.Info{}, err
	}
	return t.Info(ctx)
}

// in returns the card in a reader, and how often cards came there.
func (w *world) in(reader string) (*card, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.where[reader]
	if c == nil {
		return nil, 0
	}
	return c, c.moves
}

// reader returns where a card is, or "".
func (w *world) reader(c *card) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.readerLocked(c)
}

func (w *world) readerLocked(c *card) string {
	for _, name := range w.named {
		if w.where[name] == c {
			return name
		}
	}
	return ""
}

// meant finds the card that a request for a PIN means: the one in the reader, if
// the request tells that, else the first with the serial number that it tells.
func (w *world) meant(reader string, about token.Info) *card {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range w.named {
		if reader != "" && name != reader {
			continue
		}
		if c := w.where[name]; c != nil && c.serial == about.Serial && (about.Label == "PIV") == c.kind.piv() {
			return c
		}
	}
	return nil
}

// errs reports whether somebody who types a PIN makes a mistake.
func (w *world) errs() bool {
	if w.calm.Load() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.errors.IntN(25) == 0
}

// step takes a step of the budget; false if there is none left.
func (w *world) step() bool { return w.budget.Add(-1) >= 0 }
