package cryptoki

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/uri"
)

// keyring is the application that a Module's Keys work in, so that what they
// do to logins and sessions is theirs alone.
type keyring struct {
	list  *slot.List
	ask   token.PINFunc
	cache PINCache
	allow sources

	mu      sync.Mutex
	closed  bool
	members []*member
	doubles map[identity]bool // those that several cards have, as it seems
	pins    map[identity]*holders
}

// identity is how a token is recognised when its card comes back. Two cards may
// look alike, above all those without a number of their own: then only their
// keys, and the readers that they are in, tell them apart.
type identity struct{ manufacturer, model, serial, label, unique string }

func identityOf(i token.Info) identity {
	return identity{i.Manufacturer, i.Model, i.Serial, i.Label, i.Identity}
}

func (i identity) String() string {
	u := uri.URI{Token: &i.label, Serial: &i.serial, Model: &i.model, Manufacturer: &i.manufacturer}
	return u.String()
}

// member is one token of the keyring: its session, which all Keys share, and
// its PIN.
type member struct {
	ring *keyring
	id   identity

	gate chan struct{} // held by the one that logs in, also while a PIN is asked for

	opening chan struct{} // held by the one that opens; guards s
	s       *session.Session

	// Guarded by ring.mu:
	card *engine.Card // the token, as long as the card stays
	pins *holder      // of that card
	keys []evidence   // of Keys that were given out
}

// maxEvidence bounds how many keys a member knows its card by.
const maxEvidence = 8

// member returns the one for a token: the one that has the card, or whose card
// is away and that knows this one by a key, else a new one.
func (r *keyring) member(ctx context.Context, t *engine.Token, id identity) (*member, error) {
	m, away, err := r.known(t, id)
	if m != nil || err != nil {
		return m, err
	}
	for _, m := range away {
		if same, err := m.recognises(ctx, t); same || err != nil {
			return m, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members { // somebody else may have made it
		if m.card == t.Card() {
			return m, nil
		}
	}
	for _, m := range r.members {
		if m.id == id && (m.card.Alive() || len(m.keys) > 0) {
			r.doubt(id)
		}
	}
	m = &member{
		ring: r, id: id, card: t.Card(), pins: r.holders(id).add(),
		gate: make(chan struct{}, 1), opening: make(chan struct{}, 1),
	}
	t.OnRefusal(r.holders(id).drop)
	r.members = append(r.members, m)
	return m, nil
}

// known returns the member that has a card, or else those that look like its and
// have none.
func (r *keyring) known(t *engine.Token, id identity) (own *member, away []*member, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, nil, ckr.New(ckr.CryptokiNotInitialized, "", nil)
	}
	for _, m := range r.members {
		switch {
		case m.card == t.Card():
			return m, nil, nil
		case m.id == id && !m.card.Alive():
			away = append(away, m)
		}
	}
	return nil, away, nil
}

// holders returns those of the cards that have an identity. The caller holds
// r.mu.
func (r *keyring) holders(id identity) *holders {
	if r.pins == nil {
		r.pins = make(map[identity]*holders)
	}
	if r.pins[id] == nil {
		r.pins[id] = &holders{cache: r.cache}
	}
	return r.pins[id]
}

// doubt notes that an identity seems to be that of several cards, so that it
// proves nothing any more. The caller holds r.mu.
func (r *keyring) doubt(id identity) {
	if r.doubles == nil {
		r.doubles = make(map[identity]bool)
	}
	r.doubles[id] = true
}

// recognises reports whether a card shows one of the keys that the member's had,
// and takes it for the member's then.
func (m *member) recognises(ctx context.Context, t *engine.Token) (bool, error) {
	keys := m.evidence()
	if len(keys) == 0 {
		return false, nil
	}
	s, err := session.Open(ctx, t)
	if err != nil {
		return false, err
	}
	defer s.Close()
	for _, k := range keys {
		shown, err := k.on(ctx, s)
		if err != nil {
			return false, err
		}
		if shown == shownSame {
			return m.rebind(ctx, t, s)
		}
	}
	return false, nil
}

// candidate is a token that may be a member's.
type candidate struct {
	*engine.Token
	taken bool // another member has it
}

// candidates lists the tokens that may be the member's: the one that it has, if
// the card is there, else those that look like it.
func (m *member) candidates(ctx context.Context) ([]candidate, error) {
	slots, err := m.ring.list.Slots(ctx, true)
	if err != nil {
		return nil, err
	}
	var alike []candidate
	for _, s := range slots {
		t, err := s.Token(ctx)
		if err != nil {
			continue
		}
		card := ownToken(t)
		own, taken := m.ring.has(m, card)
		if own {
			return []candidate{{card, false}}, nil
		}
		if info, err := t.Info(ctx); err == nil && identityOf(info) == m.id {
			alike = append(alike, candidate{card, taken})
		}
	}
	if m.alive() {
		return nil, nil // it is there, and does not answer
	}
	return alike, nil
}

// ownToken returns the engine's token behind one that a slot has.
func ownToken(t token.Token) *engine.Token { return t.(*engine.Token) }

// cardOf returns the card that a session is with.
func cardOf(s *session.Session) *engine.Card { return ownToken(s.Token()).Card() }

// has reports whether a token is that of a member, or of another one.
func (r *keyring) has(m *member, t *engine.Token) (own, taken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, other := range r.members {
		if other.card == t.Card() {
			own, taken = own || other == m, taken || other != m
		}
	}
	return own, taken
}

func (m *member) alive() bool { return m.token().Alive() }

// token returns the card that the member has, or had last.
func (m *member) token() *engine.Card {
	m.ring.mu.Lock()
	defer m.ring.mu.Unlock()
	return m.card
}

// close ends the application; the PINs are cleared.
func (r *keyring) close() error {
	r.mu.Lock()
	r.closed = true
	for _, m := range r.members {
		m.pins.close()
	}
	r.mu.Unlock()
	return r.list.Close()
}

// enter waits for the member's gate.
func (m *member) enter(ctx context.Context) error { return pass(ctx, m.gate) }

func (m *member) leave() { <-m.gate }

func pass(ctx context.Context, gate chan struct{}) error {
	select {
	case gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ckr.New(ckr.FunctionCanceled, "", ctx.Err())
	}
}

// open returns the member's session, a new one if the old one has ended. No
// PIN is asked for, so that who is asked for one may look at what is public. A
// card that was put in since is taken for the member's if it looks like it and
// is not known to lack the key. Errors: ckr.TokenNotPresent if the token is away.
func (m *member) open(ctx context.Context, wanted evidence) (*session.Session, error) {
	if err := pass(ctx, m.opening); err != nil {
		return nil, err
	}
	defer func() { <-m.opening }()
	for range maxSearches {
		s, err := m.session(ctx, wanted)
		if s != nil || err != nil {
			return s, err
		}
	}
	return nil, ckr.Newf(ckr.TokenNotPresent, "", "%v was taken out and put in again and again", m.id)
}

// session returns the session that the member has with its card, or a new one;
// nil if the member got another card meanwhile. The caller holds m.opening.
func (m *member) session(ctx context.Context, wanted evidence) (*session.Session, error) {
	if m.s != nil {
		if _, err := m.s.Info(); err == nil && cardOf(m.s) == m.token() {
			return m.s, nil
		}
		m.s.Close() // an error says that it has ended already
		m.s = nil
	}
	tokens, err := m.candidates(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		s, err := session.Open(ctx, t.Token)
		if err != nil {
			return nil, err
		}
		if t.Card() != m.token() {
			shown, err := wanted.on(ctx, s)
			if err != nil || shown == shownOther || shown == shownNothing && t.taken {
				s.Close()
				if err != nil {
					return nil, err
				}
				continue
			}
			if ok, err := m.rebind(ctx, t.Token, s); !ok || err != nil {
				s.Close()
				return nil, err
			}
		}
		m.s = s
		return s, nil
	}
	if len(tokens) > 0 {
		return nil, ckr.Newf(ckr.TokenNotPresent, "", "%v is not there; a card that looks like it has other keys", m.id)
	}
	return nil, ckr.Newf(ckr.TokenNotPresent, "", "%v is not there", m.id)
}

// rebind takes a card that was put in for the member's. A PIN that was
// remembered is kept only for a card that has a number of its own, which no other
// card was seen to have, and shows all the keys that Keys were given out for while
// the PIN's card was there: it goes to no other card than the one that it was
// given for. It reports false if the member got another card meanwhile.
func (m *member) rebind(ctx context.Context, t *engine.Token, s *session.Session) (bool, error) {
	before, keys := m.token().Insertion(), m.evidence()
	var same []evidence
	missing, still := 0, 0 // of the keys that the last card showed
	for _, k := range keys {
		shown, err := k.on(ctx, s)
		if err != nil {
			return false, err
		}
		switch {
		case shown == shownSame && k.insertion == before:
			still++
		case k.insertion == before:
			missing++
		}
		if shown == shownSame {
			same = append(same, k)
		}
	}
	m.ring.mu.Lock()
	defer m.ring.mu.Unlock()
	if m.card == t.Card() {
		return true, nil // somebody else was faster
	}
	if m.card.Alive() {
		return false, nil
	}
	if missing > 0 && still == 0 {
		m.ring.doubt(m.id)
	}
	proved := still > 0 && missing == 0 && m.id.unique != "" && !m.ring.doubles[m.id] && m.card.Insertion() == before
	if !proved {
		m.pins.close()
		m.pins = m.ring.holders(m.id).add()
	}
	m.card = t.Card()
	now := m.card.Insertion()
	t.OnRefusal(m.ring.holders(m.id).drop)
	for _, k := range same { // there may be more meanwhile
		if i := slices.IndexFunc(m.keys, k.like); i >= 0 {
			m.keys[i].insertion = now
		}
	}
	return true, nil
}

// evidence returns the keys that Keys were given out for.
func (m *member) evidence() []evidence {
	m.ring.mu.Lock()
	defer m.ring.mu.Unlock()
	return slices.Clone(m.keys)
}

// evidence is what tells the card of a Key from others that look like it: the
// public key, which its public key object or certificate shows without a login.
type evidence struct {
	id        []byte
	pub       crypto.PublicKey
	insertion uint64 // of the card that showed it last
}

// like reports whether two evidences are of the same key.
func (e evidence) like(other evidence) bool {
	return bytes.Equal(e.id, other.id) && sameKey(e.pub, other.pub)
}

// shown is what a card shows of an evidence.
type shown int

const (
	shownNothing shown = iota
	shownSame
	shownOther
)

// on looks for the evidence on a card.
func (e evidence) on(ctx context.Context, s *session.Session) (shown, error) {
	if e.pub == nil || len(e.id) == 0 {
		return shownNothing, nil
	}
	found := shownNothing
	for _, class := range []object.Class{object.ClassPublicKey, object.ClassCertificate} {
		for o, err := range s.Find(ctx, object.AttrClass.Is(class), object.AttrID.Is(e.id)) {
			if err != nil {
				return 0, err
			}
			pub, err := s.PublicKey(ctx, o)
			switch {
			case ctx.Err() != nil || errors.Is(err, apdu.ErrReset):
				return 0, err
			case err != nil:
			case sameKey(pub, e.pub):
				return shownSame, nil
			default:
				found = shownOther
			}
		}
	}
	return found, nil
}

// login logs the user in, unless he is. The PIN comes from the memory, or from
// ask, which is called once. The caller holds the gate.
func (m *member) login(ctx context.Context, s *session.Session, ask token.PINFunc) error {
	if loggedIn(s) {
		return nil
	}
	about, err := s.Token().Info(ctx)
	if err != nil {
		return err
	}
	r := cardOf(s).Request(token.ReasonLogin, token.User, about)
	return m.present(ctx, ask, r, func(pin token.PIN) error { return s.Login(ctx, token.User, pin) })
}

// present hands a PIN to the function that has the card verify it: the one that
// is remembered, and where there is none, or the card refuses it and has a try
// left, the one that ask gives.
func (m *member) present(ctx context.Context, ask token.PINFunc, r token.PINRequest, verify func(token.PIN) error) error {
	pins := m.holder(r.Insertion)
	if pin, ok := pins.take(); ok {
		err := pins.judge(pin, r.Tries, verify(pin))
		pin.Clear()
		var refused *ckr.Error
		if !errors.As(err, &refused) || refused.Code != ckr.PINIncorrect || ask == nil || ctx.Err() != nil {
			return err
		}
		r.CacheRefused, r.Tries = true, refused.Tries
	}
	if pins.wasDropped() {
		r.CacheRefused = true
	}
	pin, err := pins.prompt(ctx, ask, r)
	if err != nil {
		return err
	}
	defer pin.Clear()
	return pins.judge(pin, r.Tries, verify(pin))
}

// holder returns the one for a card: the member's, or for a card that is not the
// member's any more one that keeps nothing.
func (m *member) holder(insertion uint64) *holder {
	m.ring.mu.Lock()
	defer m.ring.mu.Unlock()
	if m.card.Insertion() == insertion {
		return m.pins
	}
	return &holder{closed: true}
}

// prompt asks for a PIN and refuses the one that the card refused before.
func (h *holder) prompt(ctx context.Context, ask token.PINFunc, r token.PINRequest) (token.PIN, error) {
	if ask == nil {
		return token.PIN{}, ckr.Newf(ckr.UserNotLoggedIn, "", "%q needs a PIN, and there is nobody to ask; see WithPIN", r.Token.Label)
	}
	pin, err := ask(ctx, r)
	if err != nil {
		return token.PIN{}, ckr.New(pinCode(err), "ask for the PIN", err)
	}
	if pin.IsZero() {
		return token.PIN{}, ckr.Newf(ckr.FunctionCanceled, "ask for the PIN", "no PIN given")
	}
	if h.wasRejected(pin) {
		pin.Clear()
		return token.PIN{}, &ckr.Error{
			Code: ckr.PINIncorrect, Op: "login", Tries: r.Tries,
			Err: errors.New("the card has refused this PIN; it is not sent again"),
		}
	}
	return pin, nil
}

// pinCode is the code for an error of a PINFunc: its own if it has one, else
// the person's refusal.
func pinCode(err error) ckr.Code {
	if code := ckr.Of(err); code != ckr.GeneralError {
		return code
	}
	return ckr.FunctionCanceled
}

// judge notes what the card said of a PIN that had so many tries before. That a
// PIN is locked says nothing of the one that was given: it may be right, and
// will be wanted when the lock is lifted; unless the lock is its doing.
func (h *holder) judge(pin token.PIN, before ckr.Tries, err error) error {
	if errors.Is(err, token.ErrLastTry) {
		h.clear() // the card was not asked
		return err
	}
	switch ckr.Of(err) {
	case ckr.OK, ckr.UserAlreadyLoggedIn:
		h.accepted(pin)
		return nil
	case ckr.PINLocked:
		if before.Known && before.Left > 0 {
			h.rejected(pin)
		} else {
			h.clear()
		}
	case ckr.PINIncorrect, ckr.PINLenRange, ckr.PINInvalid, ckr.PINExpired:
		h.rejected(pin)
	}
	return err
}

// reopen returns how a Key finds its object: on the token with the same
// identity, under the same unique id, after a login if it is private.
func (m *member) reopen(f found, pub crypto.PublicKey, ask token.PINFunc) func(ctx context.Context) (*session.Session, *object.Object, error) {
	wanted := evidence{f.ckaID, pub, cardOf(f.s).Insertion()}
	if pub != nil && len(f.ckaID) > 0 {
		m.ring.mu.Lock()
		m.keys = slices.DeleteFunc(m.keys, wanted.like)
		m.keys = append(m.keys[max(0, len(m.keys)+1-maxEvidence):], wanted)
		m.ring.mu.Unlock()
	}
	return func(ctx context.Context) (*session.Session, *object.Object, error) {
		const op = "key"
		if m.ring.isClosed() {
			return nil, nil, ckr.Newf(ckr.CryptokiNotInitialized, op, "the module is closed")
		}
		if err := m.enter(ctx); err != nil {
			return nil, nil, err
		}
		defer m.leave()
		// A reset that nobody has noticed yet comes to light with the search,
		// which then sees nothing private: once more, after another login.
		for range maxSearches {
			s, o, err := m.find(ctx, f, wanted, ask)
			switch {
			case errors.Is(err, errDisturbed):
			case o != nil || err != nil:
				return s, o, codes.Wrap(op, err)
			default:
				return nil, nil, ckr.Newf(ckr.KeyHandleInvalid, op, "the key is not on %v any more", m.id)
			}
		}
		return nil, nil, codes.Wrap(op, resetAgain(nil))
	}
}

func loggedIn(s *session.Session) bool {
	info, err := s.Info()
	return err == nil && (info.State == token.ROUser || info.State == token.RWUser)
}

// errDisturbed is a search in whose middle the card was reset.
var errDisturbed = errors.New("the search was disturbed")

// find returns an object that was found before, after a login if it is private,
// or nil; errDisturbed if the login ended meanwhile. The caller holds the gate.
func (m *member) find(ctx context.Context, f found, wanted evidence, ask token.PINFunc) (*session.Session, *object.Object, error) {
	s, err := m.open(ctx, wanted)
	if err != nil {
		return nil, nil, err
	}
	if f.private {
		if err := m.login(ctx, s, ask); err != nil {
			return nil, nil, err
		}
	}
	for o, err := range s.Find(ctx, object.AttrUniqueID.Is(f.uid)) {
		if err != nil && ctx.Err() == nil && (f.private && !loggedIn(s) || errors.Is(err, apdu.ErrReset)) {
			return nil, nil, errDisturbed
		}
		if err != nil {
			return nil, nil, err
		}
		if consent, _ := object.Get(ctx, o, object.AttrAlwaysAuthenticate); !consent {
			m.holder(cardOf(s).Insertion()).operationOver()
		}
		return s, o, nil
	}
	if f.private && !loggedIn(s) {
		return nil, nil, errDisturbed
	}
	return s, nil, nil
}

func (r *keyring) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// consent returns how a Key gets the user's consent to one use.
func (m *member) consent(ask token.PINFunc) func(ctx context.Context, r token.PINRequest, login func(token.PIN) error) error {
	return func(ctx context.Context, r token.PINRequest, login func(token.PIN) error) error {
		err := m.present(ctx, ask, r, login)
		m.holder(r.Insertion).operationOver()
		return err
	}
}

// describe names a member for lists of what was looked at.
func (m *member) describe() string { return m.id.describe() }

func (i identity) describe() string { return fmt.Sprintf("%q (serial number %s)", i.label, i.serial) }
