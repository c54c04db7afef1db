package session_test

import (
	"context"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
)

// PINs of the tests' cards.
const (
	soPIN    = "87654321"
	userPIN  = "123456"
	wrongPIN = "999999"
)

const reader = "Virtual 00"

// p256 is the DER form of the curve's name.
var p256 = []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}

// rig is a virtual card in a reader, and one application that uses it.
type rig struct {
	t       testing.TB
	ctx     context.Context
	card    *virtual.Card
	readers *virtual.Provider
	module  *cryptoki.Module
	slot    slot.ID
	token   token.Token
}

// newRig returns a card with a token whose PINs are set, and an application
// without a session.
func newRig(t testing.TB, opts ...virtual.Option) *rig {
	t.Helper()
	r := blankRig(t, opts...)
	r.initialise()
	return r
}

// blankRig returns a card without a token.
func blankRig(t testing.TB, opts ...virtual.Option) *rig {
	t.Helper()
	card := virtual.New(opts...)
	return rigOn(t, card, virtual.Single(card))
}

// rigOn returns the first application on a card that is in a reader.
func rigOn(t testing.TB, card *virtual.Card, readers *virtual.Provider) *rig {
	t.Helper()
	return rigOver(t, card, readers, readers)
}

// rigOver is rigOn over a provider that may not be that of the readers.
func rigOver(t testing.TB, card *virtual.Card, readers *virtual.Provider, p apdu.Provider) *rig {
	t.Helper()
	r := &rig{t: t, ctx: t.Context(), card: card, readers: readers}
	r.module = must(cryptoki.Open(r.ctx, cryptoki.WithProvider(p)))(t)
	t.Cleanup(func() { r.module.Close() })
	r.look()
	return r
}

// application returns a second application on the same card.
func (r *rig) application() *rig {
	r.t.Helper()
	other := *r
	other.module = must(r.module.Application(r.ctx))(r.t)
	r.t.Cleanup(func() { other.module.Close() })
	other.look()
	return &other
}

// look finds the token in the reader.
func (r *rig) look() {
	r.t.Helper()
	for _, s := range must(r.module.Slots(r.ctx, true))(r.t) {
		if s.Info().Reader == reader {
			r.slot = s.ID()
			r.token = must(s.Token(r.ctx))(r.t)
			return
		}
	}
	r.t.Fatal("there is no token")
}

// initialise makes a token and sets its PINs.
func (r *rig) initialise() {
	r.t.Helper()
	noError(r.t, r.token.Initialize(r.ctx, pin(soPIN), "rig"))
	s := r.open(true)
	r.login(s, token.SO)
	noError(r.t, s.InitPIN(r.ctx, pin(userPIN)))
	noError(r.t, s.Close())
}

// open opens a session, read/write if rw.
func (r *rig) open(rw bool) *session.Session {
	r.t.Helper()
	if !rw {
		return must(session.Open(r.ctx, r.token))(r.t)
	}
	return must(session.Open(r.ctx, r.token, session.ReadWrite()))(r.t)
}

// openAs opens a read/write session and logs the user in.
func (r *rig) openAs(role token.Role) *session.Session {
	r.t.Helper()
	s := r.open(true)
	r.login(s, role)
	return s
}

func (r *rig) login(s *session.Session, role token.Role) {
	r.t.Helper()
	noError(r.t, s.Login(r.ctx, role, pin(pinOf(role))))
}

func (r *rig) logout(s *session.Session) {
	r.t.Helper()
	noError(r.t, s.Logout(r.ctx))
}

// lock spends all tries of a PIN, as another application.
func (r *rig) lock(role token.Role) {
	r.t.Helper()
	other := r.application()
	s := other.open(true)
	for range 20 {
		if errors.Is(s.Login(r.ctx, role, pin(wrongPIN)), ckr.PINLocked) {
			noError(r.t, other.module.Close())
			return
		}
	}
	r.t.Fatal("the PIN does not lock")
}

func pinOf(role token.Role) string {
	if role == token.SO {
		return soPIN
	}
	return userPIN
}

func pin(s string) token.PIN { return token.NewPIN([]byte(s)) }

// must returns v, or ends the test that it is given if there is an error.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		noError(t, err)
		return v
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hasCode checks that err has one of the codes, named as in "CKR_OK|CKR_…",
// and is an error of the kind that the library promises.
func hasCode(t testing.TB, err error, codes string) {
	t.Helper()
	var e *ckr.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%T is no *ckr.Error: %v", err, err)
	}
	got := ckr.Of(err).Name()
	for name := range strings.SplitSeq(codes, "|") {
		if name == got {
			return
		}
	}
	t.Fatalf("got %s, want %s: %v", got, codes, err)
}

// isCode is hasCode for one code.
func isCode(t testing.TB, err error, code ckr.Code) {
	t.Helper()
	hasCode(t, err, code.Name())
}

// inState checks a session's state.
func inState(t testing.TB, s *session.Session, want token.State) {
	t.Helper()
	if got := must(s.Info())(t).State; got != want {
		t.Fatalf("the session is in state %v, want %v", got, want)
	}
}

// data is the template of a data object.
func data(kind engine.Kind, label string, more ...object.Attribute) object.Template {
	return object.Template{
		object.AttrClass.Is(object.ClassData),
		object.AttrToken.Is(kind.Token()), object.AttrPrivate.Is(kind.Private()),
		object.AttrLabel.Is(label), object.AttrValue.Is([]byte("value of " + label)),
	}.With(more...)
}

// find returns the objects that a session finds.
func find(t testing.TB, s *session.Session, match ...object.Attribute) []*object.Object {
	t.Helper()
	var found []*object.Object
	for o, err := range s.Find(t.Context(), match...) {
		noError(t, err)
		found = append(found, o)
	}
	return found
}

// labels returns the labels of the objects that a session finds, sorted.
func labels(t testing.TB, s *session.Session, match ...object.Attribute) []string {
	t.Helper()
	var all []string
	for _, o := range find(t, s, match...) {
		all = append(all, must(object.Get(t.Context(), o, object.AttrLabel))(t))
	}
	slices.Sort(all)
	return all
}

// labelled looks for the one object with a label.
func labelled(t testing.TB, s *session.Session, label string, match ...object.Attribute) (*object.Object, bool) {
	t.Helper()
	found := find(t, s, append(match, object.AttrLabel.Is(label))...)
	if len(found) > 1 {
		t.Fatalf("%d objects are called %q", len(found), label)
	}
	if len(found) == 0 {
		return nil, false
	}
	return found[0], true
}

// pair makes a P-256 key pair: the private key of the given kind, the public
// key as long-lived and public.
func pair(t testing.TB, s *session.Session, kind engine.Kind, label string, more ...object.Attribute) (pub, priv *object.Object) {
	t.Helper()
	common := object.Template{object.AttrToken.Is(kind.Token()), object.AttrLabel.Is(label), object.AttrID.Is([]byte(label))}
	pub, priv, err := s.GenerateKeyPair(t.Context(), mechanism.ECKeyPairGen{},
		common.With(object.AttrECParams.Is(p256)),
		common.With(object.AttrPrivate.Is(kind.Private())).With(more...))
	noError(t, err)
	return pub, priv
}

// tries returns how many tries of a PIN an error says are left, -1 if it does
// not tell.
func tries(t testing.TB, err error) int {
	t.Helper()
	var e *ckr.Error
	if !errors.As(err, &e) {
		t.Fatalf("no *ckr.Error: %v", err)
	}
	if !e.Tries.Known {
		return -1
	}
	return e.Tries.Left
}

func bigInt(n int) *big.Int { return big.NewInt(int64(n)) }
