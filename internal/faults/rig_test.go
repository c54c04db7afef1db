package faults_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
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
	newPIN   = "111111"
)

const reader = "Virtual 00"

// p256 is the DER form of the curve's name.
var p256 = []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}

// rig is a card in a reader, and one application that uses it over a wire.
type rig struct {
	*testing.T
	ctx     context.Context
	card    *virtual.Card
	readers *virtual.Provider
	wire    *wire
	module  *cryptoki.Module
	slot    slot.ID
	token   token.Token
}

// newRig returns a card with a token on it: PINs are set, and the user has the
// P-256 key "k" and a data object of each kind.
func newRig(t *testing.T, opts ...virtual.Option) *rig {
	t.Helper()
	r := blankRig(t, opts...)
	r.initialise()
	s := r.user()
	r.pair(s, "k")
	r.create(s, "public", false)
	r.create(s, "private", true)
	r.ok(s.Close())
	return r
}

// blankRig returns a card without a token.
func blankRig(t *testing.T, opts ...virtual.Option) *rig {
	t.Helper()
	card := virtual.New(opts...)
	return rigOn(t, card, virtual.Single(card))
}

// rigOn returns a program that uses a card in a reader.
func rigOn(t *testing.T, card *virtual.Card, readers *virtual.Provider) *rig {
	t.Helper()
	r := strangerOn(t, card, readers)
	r.look()
	return r
}

// strangerOn is rigOn for a card that need not be readable.
func strangerOn(t *testing.T, card *virtual.Card, readers *virtual.Provider, opts ...cryptoki.Option) *rig {
	t.Helper()
	r := &rig{T: t, ctx: t.Context(), card: card, readers: readers, wire: newWire(readers)}
	r.module = must(cryptoki.Open(r.ctx, append(opts, cryptoki.WithProvider(r.wire))...))(t)
	t.Cleanup(func() { r.module.Close() })
	return r
}

// stranger returns another program on the same card, which shares nothing with
// this one.
func (r *rig) stranger() *rig {
	r.Helper()
	return rigOn(r.T, r.card, r.readers)
}

// application returns another application of the same program.
func (r *rig) application() *rig {
	r.Helper()
	other := *r
	other.module = must(r.module.Application(r.ctx))(r)
	r.Cleanup(func() { other.module.Close() })
	other.look()
	return &other
}

// look finds the token in the reader.
func (r *rig) look() {
	r.Helper()
	r.ok(r.tryLook())
}

func (r *rig) tryLook() error {
	slots, err := r.module.Slots(r.ctx, false)
	if err != nil {
		return err
	}
	for _, s := range slots {
		if s.Info().Reader == reader {
			r.slot = s.ID()
			r.token, err = s.Token(r.ctx)
			return err
		}
	}
	return ckr.New(ckr.TokenNotPresent, "look", nil)
}

func (r *rig) initialise() {
	r.Helper()
	r.ok(r.token.Initialize(r.ctx, pin(soPIN), "rig"))
	s := r.open(true)
	r.ok(s.Login(r.ctx, token.SO, pin(soPIN)))
	r.ok(s.InitPIN(r.ctx, pin(userPIN)))
	r.ok(s.Close())
}

// open opens a session, read/write if rw.
func (r *rig) open(rw bool) *session.Session {
	r.Helper()
	var opts []session.Option
	if rw {
		opts = append(opts, session.ReadWrite())
	}
	return must(session.Open(r.ctx, r.token, opts...))(r)
}

// user opens a read/write session and logs the user in.
func (r *rig) user() *session.Session {
	r.Helper()
	s := r.open(true)
	r.ok(s.Login(r.ctx, token.User, pin(userPIN)))
	return s
}

// writer is user on a PIV card, with the management key.
func (r *rig) writer() *session.Session {
	r.Helper()
	s := must(session.Open(r.ctx, r.token, session.ReadWrite(), session.WithPINFunc(token.StaticPIN([]byte(managementKey)))))(r)
	r.ok(s.Login(r.ctx, token.User, pin(userPIN)))
	return s
}

// pair makes a key pair on the card.
func (r *rig) pair(s *session.Session, label string, more ...object.Attribute) *object.Object {
	r.Helper()
	common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is(label), object.AttrID.Is([]byte(label))}
	_, priv, err := s.GenerateKeyPair(r.ctx, mechanism.ECKeyPairGen{}, common.With(object.AttrECParams.Is(p256)), common.With(more...))
	r.ok(err)
	return priv
}

func (r *rig) create(s *session.Session, label string, private bool) *object.Object {
	r.Helper()
	return must(s.Create(r.ctx, data(label, private)...))(r)
}

// data is the template of a data object on the card.
func data(label string, private bool, more ...object.Attribute) object.Template {
	return object.Template{
		object.AttrClass.Is(object.ClassData), object.AttrToken.Is(true), object.AttrPrivate.Is(private),
		object.AttrLabel.Is(label), object.AttrValue.Is([]byte("value of " + label)),
	}.With(more...)
}

// key finds the private key with a label.
func (r *rig) key(s *session.Session, label string) *object.Object {
	r.Helper()
	return must(r.tryKey(s, label))(r)
}

func (r *rig) tryKey(s *session.Session, label string) (*object.Object, error) {
	for o, err := range s.Find(r.ctx, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is(label)) {
		return o, err
	}
	return nil, ckr.New(ckr.KeyHandleInvalid, "find the key", nil)
}

// sign signs with a key.
func (r *rig) sign(s *session.Session, key *object.Object) error {
	_, err := s.Sign(r.ctx, mechanism.ECDSA{}, key, make([]byte, 32))
	return err
}

// labels lists what a session finds.
func (r *rig) labels(s *session.Session, match ...object.Attribute) []string {
	r.Helper()
	return must(r.tryLabels(s, match...))(r)
}

func (r *rig) tryLabels(s *session.Session, match ...object.Attribute) (all []string, err error) {
	for o, err := range s.Find(r.ctx, match...) {
		if err != nil {
			return all, err
		}
		label, err := object.Get(r.ctx, o, object.AttrLabel)
		if err != nil {
			return all, err
		}
		all = append(all, label)
	}
	slices.Sort(all)
	return all, nil
}

// find returns what a session finds.
func (r *rig) find(s *session.Session, match ...object.Attribute) (found []*object.Object) {
	r.Helper()
	for o, err := range s.Find(r.ctx, match...) {
		r.ok(err)
		found = append(found, o)
	}
	return found
}

// one returns the only object with a label that is no key.
func (r *rig) one(s *session.Session, label string) *object.Object {
	r.Helper()
	found := r.find(s, object.AttrLabel.Is(label))
	if len(found) != 1 {
		r.Fatalf("%d objects are called %q", len(found), label)
	}
	return found[0]
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// code checks that an error has one of the codes, and is of the kind that the
// library promises.
func (r *rig) code(err error, codes ...ckr.Code) {
	r.Helper()
	var e *ckr.Error
	if err != nil && !errors.As(err, &e) {
		r.Errorf("%T is no *ckr.Error: %v", err, err)
	}
	if !slices.Contains(codes, ckr.Of(err)) {
		r.Errorf("got %v, want one of %v", err, codes)
	}
}

// state checks a session's state.
func (r *rig) state(s *session.Session, want token.State) {
	r.Helper()
	if got := must(s.Info())(r).State; got != want {
		r.Errorf("the session is in state %v, want %v", got, want)
	}
}

// triesLeft spends a try of the user's PIN to learn how many there were.
func (r *rig) triesLeft() int {
	r.Helper()
	other := r.stranger()
	s := other.open(false)
	defer other.module.Close()
	err := s.Login(r.ctx, token.User, pin(wrongPIN))
	var e *ckr.Error
	if !errors.As(err, &e) || !e.Tries.Known {
		r.Fatalf("the tries are not told: %v", err)
	}
	return e.Tries.Left + 1
}

func pin(s string) token.PIN { return token.NewPIN([]byte(s)) }

// must returns v, or ends the test that it is given if there is an error.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
