package session_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// TestAccess runs the table of accesses: state × kind × operation.
func TestAccess(t *testing.T) {
	for _, r := range rows(t, "access") {
		if isLeft(r) {
			continue
		}
		t.Run(r.name(), func(t *testing.T) {
			if r.state == "ANY" {
				anyAccess(t, r)
				return
			}
			run, ok := accesses[r.op]
			if !ok {
				t.Fatalf("no test runs %v", r)
			}
			run(t, r, newStage(t, states[r.state]), kinds[r.kind])
		})
	}
}

// accesses are the operations of the table. Each makes its object while the
// user is logged in, and so remembers a handle where the state has none.
var accesses = map[string]func(t *testing.T, r row, st *stage, kind engine.Kind){
	"see":     accessSee,
	"read":    accessRead,
	"use":     accessUse,
	"create":  accessCreate,
	"modify":  accessModify,
	"destroy": accessDestroy,
}

func accessSee(t *testing.T, r row, st *stage, kind engine.Kind) {
	must(st.maker(kind).Create(t.Context(), data(kind, "seen")...))(t)
	st.settle()
	for _, match := range []object.Template{
		nil,
		{object.AttrPrivate.Is(kind.Private())},
		{object.AttrToken.Is(kind.Token())},
		{object.AttrValue.Is([]byte("value of seen"))},
	} {
		_, found := labelled(t, st.s, "seen", match...)
		if want := r.result == "allowed"; found != want {
			t.Errorf("found with %v: %v, want %v", match, found, want)
		}
	}
	if r.result != "allowed" {
		if all := find(t, st.s, object.AttrPrivate.Is(true)); len(all) > 0 {
			t.Errorf("%d private objects are found", len(all))
		}
	}
}

func accessRead(t *testing.T, r row, st *stage, kind engine.Kind) {
	ctx := t.Context()
	o := must(st.maker(kind).Create(ctx, data(kind, "read")...))(t)
	st.settle()
	v, err := object.Get(ctx, o, object.AttrValue)
	hasCode(t, err, r.code)
	if err == nil && string(v) != "value of read" {
		t.Errorf("read %q", v)
	}
	_, err = st.s.Attributes(ctx, o, object.AttrLabel.Type)
	hasCode(t, err, r.code)
	_, err = st.s.Attributes(ctx, o)
	hasCode(t, err, r.code)
	n, err := st.s.Size(ctx, o)
	hasCode(t, err, r.code)
	if err == nil && n == 0 {
		t.Error("the object has no size")
	}
}

// accessUse uses a private key where the kind is private, else a public key:
// private keys of these cards are private objects.
func accessUse(t *testing.T, r row, st *stage, kind engine.Kind) {
	ctx := t.Context()
	digest := make([]byte, 32)
	// A private key of the kind, or one that is private and used up at once.
	privKind := kind
	if kind == engine.PublicToken {
		privKind = engine.PrivateToken
	}
	pub, priv := pair(t, st.maker(kind), privKind, "used")
	sig := must(st.s.Sign(ctx, mechanism.ECDSA{}, priv, digest))(t)
	st.settle()
	if kind == engine.PublicToken {
		hasCode(t, st.s.Verify(ctx, mechanism.ECDSA{}, pub, digest, sig), r.code)
		return
	}
	_, err := st.s.Sign(ctx, mechanism.ECDSA{}, priv, digest)
	hasCode(t, err, r.code)
	_, err = st.s.NewSign(ctx, mechanism.ECDSA{Hash: 5}, priv)
	hasCode(t, err, r.code)
	_, err = st.s.Mechanisms(ctx, priv)
	hasCode(t, err, r.code)
	_, err = st.s.Derive(ctx, mechanism.ECDH{Public: pointOf(t, st, pub)}, priv,
		object.AttrToken.Is(false), object.AttrPrivate.Is(false))
	hasCode(t, err, r.code)
	if !kind.Private() {
		noError(t, st.s.Verify(ctx, mechanism.ECDSA{}, pub, digest, sig))
	}
}

// pointOf is a public key's point, which anybody may read.
func pointOf(t *testing.T, st *stage, pub *object.Object) []byte {
	t.Helper()
	return must(object.Get(t.Context(), pub, object.AttrECPoint))(t)
}

// accessCreate makes objects in every way that makes some of the kind.
func accessCreate(t *testing.T, r row, st *stage, kind engine.Kind) {
	ctx := t.Context()
	base, _ := pair(t, st.s, engine.PublicSession, "base")
	peer := pointOf(t, st, base)
	_, agree := pair(t, st.s, engine.PublicSession, "agree")
	st.settle()

	_, err := st.s.Create(ctx, data(kind, "created")...)
	hasCode(t, err, r.code)

	key := object.Template{
		object.AttrToken.Is(kind.Token()), object.AttrPrivate.Is(kind.Private()), object.AttrLabel.Is("created key"),
		object.AttrID.Is([]byte("k")),
	}
	if r.result == "allowed" && kind.Token() {
		// What the card makes is made by the conformance of the card family;
		// here it is enough that the session may.
		key = key.With(object.AttrToken.Is(false))
	}
	_, _, err = st.s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{},
		object.Template{object.AttrECParams.Is(p256), object.AttrLabel.Is("half of a pair")}, key)
	hasCode(t, err, r.code)
	_, err = st.s.GenerateKey(ctx, mechanism.AESKeyGen{}, key.With(object.AttrValueLen.Is(16))...)
	hasCode(t, err, r.code)
	_, err = st.s.Derive(ctx, mechanism.ECDH{Public: peer}, agree, key...)
	hasCode(t, err, r.code)

	if r.result == "allowed" {
		if _, ok := labelled(t, st.s, "created"); !ok {
			t.Error("the object is not found")
		}
		return
	}
	if _, ok := labelled(t, st.s, "half of a pair"); ok {
		t.Error("one half of the pair was made")
	}
	st.asUser(func(s *session.Session) {
		if all := labels(t, s, object.AttrToken.Is(true)); len(all) > 0 {
			t.Errorf("the card holds %q", all)
		}
	})
}

func accessModify(t *testing.T, r row, st *stage, kind engine.Kind) {
	ctx := t.Context()
	o := must(st.maker(kind).Create(ctx, data(kind, "before")...))(t)
	st.settle()
	hasCode(t, st.s.Set(ctx, o, object.AttrLabel.Is("after")), r.code)
	want := "before"
	if r.result == "allowed" {
		want = "after"
		if got := must(object.Get(ctx, o, object.AttrLabel))(t); got != want {
			t.Errorf("the label is %q", got)
		}
	}
	if kind.Token() {
		st.asUser(func(s *session.Session) {
			if diff := cmp.Diff([]string{want}, labels(t, s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func accessDestroy(t *testing.T, r row, st *stage, kind engine.Kind) {
	ctx := t.Context()
	o := must(st.maker(kind).Create(ctx, data(kind, "doomed")...))(t)
	st.settle()
	hasCode(t, st.s.Destroy(ctx, o), r.code)
	if r.result == "allowed" {
		isCode(t, st.s.Destroy(ctx, o), ckr.ObjectHandleInvalid)
		if _, ok := labelled(t, st.s, "doomed"); ok {
			t.Error("the object is still found")
		}
	}
	if kind.Token() {
		st.asUser(func(s *session.Session) {
			if _, ok := labelled(t, s, "doomed"); ok != (r.result != "allowed") {
				t.Errorf("the card holds the object: %v", ok)
			}
		})
	}
}

// anyAccess runs the rows that hold in every state.
func anyAccess(t *testing.T, r row) {
	switch {
	case r.op == "see":
		foreignSessionObject(t)
		return
	case r.kind == "public_token":
		writeProtected(t, r)
		return
	}
	for _, state := range stateNames {
		for name, kind := range kinds {
			if engine.Access(states[state], kind, driver.Read) != ckr.OK {
				continue
			}
			t.Run(state+" "+name, func(t *testing.T) { fixedObject(t, r, states[state], kind) })
		}
	}
}

// fixedObject tries what an object of its own forbids.
func fixedObject(t *testing.T, r row, state token.State, kind engine.Kind) {
	ctx := t.Context()
	forbids := map[string]object.Attr[bool]{
		"copy": object.AttrCopyable, "destroy": object.AttrDestroyable, "modify": object.AttrModifiable,
	}[r.op]
	st := newStage(t, state)
	o := must(st.maker(kind).Create(ctx, data(kind, "fixed", forbids.Is(false))...))(t)
	st.settle()
	var err error
	switch r.op {
	case "copy":
		_, err = st.s.Copy(ctx, o, object.AttrToken.Is(false))
	case "destroy":
		err = st.s.Destroy(ctx, o)
	case "modify":
		err = st.s.Set(ctx, o, object.AttrLabel.Is("other"))
	}
	hasCode(t, err, r.code)
	if diff := cmp.Diff([]string{"fixed"}, labels(t, st.s)); diff != "" {
		t.Error(diff)
	}
}

// foreignSessionObject looks for another application's session objects.
func foreignSessionObject(t *testing.T) {
	ctx := t.Context()
	for _, kind := range []engine.Kind{engine.PublicSession, engine.PrivateSession} {
		r := newRig(t)
		mine := r.openAs(token.User)
		o := must(mine.Create(ctx, data(kind, "mine")...))(t)
		other := r.application()
		for _, rw := range []bool{false, true} {
			s := other.open(rw)
			other.login(s, token.User)
			if _, ok := labelled(t, s, "mine"); ok {
				t.Errorf("%v: another application sees it", kind)
			}
			isCode(t, s.Destroy(ctx, o), ckr.ObjectHandleInvalid)
			_, err := s.Attributes(ctx, o, object.AttrLabel.Type)
			isCode(t, err, ckr.ObjectHandleInvalid)
			noError(t, s.Close())
		}
		if _, ok := labelled(t, r.open(false), "mine"); !ok {
			t.Errorf("%v: another session of the application does not see it", kind)
		}
	}
}

// writeProtected tries to write on a token that its issuer made read-only.
func writeProtected(t *testing.T, r row) {
	ctx := t.Context()
	rig := newRig(t)
	made := rig.openAs(token.User)
	for _, kind := range []engine.Kind{engine.PublicToken, engine.PrivateToken} {
		must(made.Create(ctx, data(kind, kind.String())...))(t)
	}
	noError(t, made.Close())
	rig.writeProtect()

	s := rig.open(false)
	rig.login(s, token.User)
	for _, kind := range []engine.Kind{engine.PublicToken, engine.PrivateToken} {
		o, ok := labelled(t, s, kind.String())
		if !ok {
			t.Fatalf("there is no %v", kind)
		}
		_, err := s.Create(ctx, data(kind, "new")...)
		hasCode(t, err, r.code)
		hasCode(t, s.Set(ctx, o, object.AttrLabel.Is("new")), r.code)
		hasCode(t, s.Destroy(ctx, o), r.code)
		_, err = s.Copy(ctx, o, object.AttrLabel.Is("new"))
		hasCode(t, err, r.code)
		must(s.Copy(ctx, o, object.AttrToken.Is(false)))(t)
	}
}
