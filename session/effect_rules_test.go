package session_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestEffects runs the table of what events do beside their own result.
func TestEffects(t *testing.T) {
	run := map[int]bool{}
	for _, e := range effects {
		found := false
		for _, r := range rows(t, "effect") {
			if r.op != e.op || r.condition != e.condition || !strings.Contains(r.comment, e.says) {
				continue
			}
			found, run[r.line] = true, true
			t.Run(r.name()+"/"+e.says, e.run)
		}
		if !found {
			t.Errorf("no row says %q of %s (%s)", e.says, e.op, e.condition)
		}
	}
	for _, r := range rows(t, "effect") {
		if !run[r.line] && !isLeft(r) {
			t.Errorf("no test runs %v", r)
		}
	}
}

// effects are the rows by event and condition, and what they say where that is
// not enough.
var effects = []struct {
	op, condition, says string
	run                 func(t *testing.T)
}{
	{"always_authenticate", "key", "", alwaysAuthenticate},
	{"close_all_sessions", "any", "", closeAllSessions},
	{"close_session", "active operation or search in it", "", closeDropsOperations},
	{"close_session", "last one", "", closeLastLogsOut},
	{"close_session", "session had made session objects", "", closeDestroysSessionObjects},
	{"create", "CKA_PRIVATE absent", "", createWithoutPrivate},
	{"destroy_token_object", "object made through another session", "", destroyVoidsHandles},
	{"generate_pair", "private key with CKA_PRIVATE true in a public or SO session", "", pairInPublicSession},
	{"init_token", "success", "", initTokenDestroys},
	{"init_token", "uninitialised token", "", uninitialisedToken},
	{"login_logout", "several applications", "", loginsAreSeparate},
	{"login_logout", "several sessions", "", loginIsShared},
	{"login_so", "any", "", soSeesNothingPrivate},
	{"login_user", "any", "", userSeesPrivate},
	{"logout", "active operations", "", logoutCutsOperations},
	{"logout", "any user", "Public session objects", logoutKeepsPublic},
	{"logout", "any user", "becomes void for good", logoutVoidsForGood},
	{"logout", "any user", "is destroyed", logoutDestroysPrivateSessionObjects},
	{"object_handle", "any", "", handles},
	{"open_session", "any", "", openStartsWithLogin},
	{"session_object_in_ro_session", "any", "", readOnlySessionObjects},
	{"token_removed", "any", "", removalVoidsAll},
}

func alwaysAuthenticate(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	always := object.AttrAlwaysAuthenticate.Is(true)
	_, _, err := s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{},
		object.Template{object.AttrECParams.Is(p256)},
		object.Template{object.AttrToken.Is(true), object.AttrPrivate.Is(false), always})
	hasCode(t, err, "CKR_TEMPLATE_INCONSISTENT|CKR_ATTRIBUTE_VALUE_INVALID")

	_, priv := pair(t, s, engine.PrivateToken, "k", always)
	for range 2 {
		op := must(s.NewSign(ctx, mechanism.ECDSA{}, priv))(t)
		must(op.Write(make([]byte, 32)))(t)
		noError(t, op.Login(ctx, pin(userPIN)))
		must(op.Sum(ctx))(t)
	}
	_, err = s.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32))
	isCode(t, err, ckr.UserNotLoggedIn)
	inState(t, s, token.RWUser)
}

func closeAllSessions(t *testing.T) {
	r := newRig(t)
	a, b := r.openAs(token.User), r.open(false)
	for _, kind := range []engine.Kind{engine.PublicSession, engine.PrivateSession} {
		must(a.Create(t.Context(), data(kind, kind.String())...))(t)
		must(b.Create(t.Context(), data(kind, kind.String())...))(t)
	}
	noError(t, r.token.CloseSessions(t.Context()))
	for _, s := range []*session.Session{a, b} {
		isCode(t, s.Close(), ckr.SessionHandleInvalid)
	}
	s := r.open(true)
	inState(t, s, token.RWPublic)
	r.login(s, token.User)
	if left := labels(t, s); len(left) > 0 {
		t.Errorf("there are still %q", left)
	}
}

func closeDropsOperations(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	r.open(false)
	_, priv := pair(t, s, engine.PrivateToken, "k")
	op := must(s.NewSign(ctx, mechanism.ECDSA{}, priv))(t)
	must(op.Write(make([]byte, 32)))(t)
	before := r.card.Exchanges()
	for o, err := range s.Find(ctx) {
		noError(t, err)
		noError(t, s.Close())
		isCode(t, s.Destroy(ctx, o), ckr.SessionHandleInvalid)
		break
	}
	_, err := op.Sum(ctx)
	isCode(t, err, ckr.SessionHandleInvalid)
	if n := r.card.Exchanges() - before; n > 0 {
		t.Errorf("the card saw %d commands", n)
	}
}

func closeLastLogsOut(t *testing.T) {
	r := newRig(t)
	s := r.openAs(token.User)
	other := r.open(false)
	noError(t, s.Close())
	inState(t, other, token.ROUser)
	noError(t, other.Close())
	inState(t, r.open(false), token.ROPublic)
	// The card has been told, too.
	if r.raw().verified(rawUser) {
		t.Error("the card still holds the PIN verified")
	}
}

func closeDestroysSessionObjects(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	maker, user := r.openAs(token.User), r.open(false)
	o := must(maker.Create(ctx, data(engine.PrivateSession, "o")...))(t)
	_, key := pair(t, maker, engine.PrivateSession, "k")
	op := must(user.NewSign(ctx, mechanism.ECDSA{}, key))(t)
	must(op.Write(make([]byte, 32)))(t)
	noError(t, maker.Close())
	_, err := user.Attributes(ctx, o, object.AttrLabel.Type)
	isCode(t, err, ckr.ObjectHandleInvalid)
	_, err = user.Sign(ctx, mechanism.ECDSA{}, key, make([]byte, 32))
	isCode(t, err, ckr.KeyHandleInvalid)
	_, err = op.Sum(ctx)
	isCode(t, err, ckr.KeyHandleInvalid)
	if left := labels(t, user); len(left) > 0 {
		t.Errorf("there are still %q", left)
	}
}

func createWithoutPrivate(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.open(true)
	o := must(s.Create(ctx, data(engine.PublicSession, "data").Without(object.AttrPrivate.Type)...))(t)
	if must(object.Get(ctx, o, object.AttrPrivate))(t) {
		t.Error("data are private by default")
	}
	_, err := s.GenerateKey(ctx, mechanism.AESKeyGen{}, object.AttrValueLen.Is(16))
	isCode(t, err, ckr.UserNotLoggedIn)
	r.login(s, token.User)
	o = must(s.GenerateKey(ctx, mechanism.AESKeyGen{}, object.AttrValueLen.Is(16)))(t)
	if !must(object.Get(ctx, o, object.AttrPrivate))(t) {
		t.Error("keys are public by default")
	}
}

func destroyVoidsHandles(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	must(s.Create(ctx, data(engine.PublicToken, "o")...))(t)
	other := r.application().open(true)
	sessions := []*session.Session{s, r.open(false), other}
	var handles []*object.Object
	for _, s := range sessions {
		o, _ := labelled(t, s, "o")
		handles = append(handles, o)
	}
	noError(t, other.Destroy(ctx, handles[2]))
	for i, s := range sessions {
		_, err := s.Attributes(ctx, handles[i], object.AttrLabel.Type)
		isCode(t, err, ckr.ObjectHandleInvalid)
		_, err = object.Get(ctx, handles[i], object.AttrLabel)
		isCode(t, err, ckr.ObjectHandleInvalid)
	}
}

func pairInPublicSession(t *testing.T) {
	for _, role := range []token.Role{token.User, token.SO} {
		for _, onToken := range []bool{false, true} {
			r := newRig(t)
			s := r.open(true)
			if role == token.SO {
				r.login(s, token.SO)
			}
			_, _, err := s.GenerateKeyPair(t.Context(), mechanism.ECKeyPairGen{},
				object.Template{object.AttrECParams.Is(p256), object.AttrToken.Is(onToken)},
				object.Template{object.AttrToken.Is(onToken), object.AttrPrivate.Is(true)})
			isCode(t, err, ckr.UserNotLoggedIn)
			if left := find(t, s); len(left) > 0 {
				t.Errorf("%v was left", left)
			}
		}
	}
}

func initTokenDestroys(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	for _, kind := range []engine.Kind{engine.PublicToken, engine.PrivateToken} {
		must(s.Create(ctx, data(kind, kind.String())...))(t)
	}
	pair(t, s, engine.PrivateToken, "k")
	noError(t, s.Close())
	other := r.application()
	noError(t, other.token.Initialize(ctx, pin(soPIN), "second life"))

	info := must(r.token.Info(ctx))(t)
	if info.Label != "second life" || !info.Flags.Has(token.FlagTokenInitialized) || info.Flags.Has(token.FlagUserPINInitialized) {
		t.Errorf("after it the token is %q with %v", info.Label, info.Flags)
	}
	s = r.openAs(token.SO)
	if left := find(t, s); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	noError(t, s.InitPIN(ctx, pin("111111")))
	noError(t, s.Logout(ctx))
	noError(t, s.Login(ctx, token.User, pin("111111")))
	if left := find(t, s); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	if !must(r.token.Info(ctx))(t).Flags.Has(token.FlagUserPINInitialized) {
		t.Error("the user's PIN is not told to be initialised")
	}
}

func uninitialisedToken(t *testing.T) {
	r := blankRig(t)
	_, err := session.Open(t.Context(), r.token)
	isCode(t, err, ckr.TokenNotInitialized)
	if info := must(r.token.Info(t.Context()))(t); info.Flags.Has(token.FlagTokenInitialized) {
		t.Error("a blank token is told to be initialised")
	}
}

func loginsAreSeparate(t *testing.T) {
	ctx := t.Context()
	a := newRig(t)
	b := a.application()
	sa, sb := a.open(true), b.open(true)
	a.login(sa, token.User)
	inState(t, sb, token.RWPublic)
	must(sa.Create(ctx, data(engine.PrivateToken, "secret")...))(t)
	if _, ok := labelled(t, sb, "secret"); ok {
		t.Error("one application's login shows another one private objects")
	}
	b.login(sb, token.User)
	b.logout(sb)
	inState(t, sa, token.RWUser)
	if _, ok := labelled(t, sa, "secret"); !ok {
		t.Error("one application's logout hides another one's private objects")
	}
	_, priv := pair(t, sa, engine.PrivateToken, "k")
	must(sa.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
}

func loginIsShared(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	ro, rw := r.open(false), r.open(true)
	r.login(ro, token.User)
	inState(t, rw, token.RWUser)
	isCode(t, rw.Login(ctx, token.User, pin(userPIN)), ckr.UserAlreadyLoggedIn)
	isCode(t, rw.Login(ctx, token.SO, pin(soPIN)), ckr.UserAnotherAlreadyLoggedIn)
	r.logout(rw)
	inState(t, ro, token.ROPublic)
	isCode(t, ro.Logout(ctx), ckr.UserNotLoggedIn)
	noError(t, ro.Close())
	r.login(rw, token.SO)
	isCode(t, rw.Login(ctx, token.User, pin(userPIN)), ckr.UserAnotherAlreadyLoggedIn)
	r.logout(rw)
}

func soSeesNothingPrivate(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	must(s.Create(ctx, data(engine.PrivateToken, "secret")...))(t)
	must(s.Create(ctx, data(engine.PublicToken, "known")...))(t)
	r.logout(s)
	r.login(s, token.SO)
	if diff := cmp.Diff([]string{"known"}, labels(t, s)); diff != "" {
		t.Error(diff)
	}
	noError(t, s.InitPIN(ctx, pin("111111")))
	// Only the SO trusts.
	wrapper := object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES),
		object.AttrPrivate.Is(false), object.AttrValue.Is(make([]byte, 16)), object.AttrTrusted.Is(true)}
	must(s.Create(ctx, wrapper...))(t)
	r.logout(s)
	_, err := s.Create(ctx, wrapper...)
	hasCode(t, err, "CKR_ATTRIBUTE_READ_ONLY|CKR_USER_NOT_LOGGED_IN")
}

func userSeesPrivate(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	must(s.Create(ctx, data(engine.PrivateToken, "secret")...))(t)
	r.logout(s)
	public := must(s.Create(ctx, data(engine.PublicSession, "mine")...))(t)
	if diff := cmp.Diff([]string{"mine"}, labels(t, s)); diff != "" {
		t.Error(diff)
	}
	r.login(s, token.User)
	if diff := cmp.Diff([]string{"mine", "secret"}, labels(t, s)); diff != "" {
		t.Error(diff)
	}
	must(s.Attributes(ctx, public, object.AttrLabel.Type))(t)
}

func logoutCutsOperations(t *testing.T) {
	ctx := t.Context()
	for _, kind := range []engine.Kind{engine.PrivateSession, engine.PrivateToken} {
		r := newRig(t)
		s := r.openAs(token.User)
		pub, priv := pair(t, s, kind, "k")
		op := must(s.NewSign(ctx, mechanism.ECDSA{}, priv))(t)
		must(op.Write(make([]byte, 32)))(t)
		check := must(s.NewVerify(ctx, mechanism.ECDSA{}, pub))(t)
		must(check.Write(make([]byte, 32)))(t)
		sig := must(s.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
		r.logout(s)
		before := r.card.Exchanges()
		_, err := op.Sum(ctx)
		hasCode(t, err, "CKR_USER_NOT_LOGGED_IN|CKR_OPERATION_NOT_INITIALIZED")
		if n := r.card.Exchanges() - before; n > 0 {
			t.Errorf("%v: the card saw %d commands", kind, n)
		}
		// One with a public key goes on.
		if kind == engine.PrivateToken {
			noError(t, check.Verify(ctx, sig))
		}
		// Nor does it go on after the next login.
		r.login(s, token.User)
		_, err = op.Sum(ctx)
		hasCode(t, err, "CKR_USER_NOT_LOGGED_IN|CKR_OPERATION_NOT_INITIALIZED")
	}
}

func logoutKeepsPublic(t *testing.T) {
	ctx := t.Context()
	for _, role := range []token.Role{token.User, token.SO} {
		r := newRig(t)
		s := r.openAs(role)
		for _, kind := range []engine.Kind{engine.PublicSession, engine.PublicToken} {
			o := must(s.Create(ctx, data(kind, kind.String())...))(t)
			r.logout(s)
			if got := must(object.Get(ctx, o, object.AttrLabel))(t); got != kind.String() {
				t.Errorf("%v: read %q", kind, got)
			}
			if again, _ := labelled(t, s, kind.String()); again != o {
				t.Errorf("%v: the handle has changed", kind)
			}
			r.login(s, role)
		}
	}
}

func logoutVoidsForGood(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	o := must(s.Create(ctx, data(engine.PrivateToken, "o")...))(t)
	_, priv := pair(t, s, engine.PrivateToken, "k")
	void := func() {
		t.Helper()
		_, err := s.Attributes(ctx, o, object.AttrLabel.Type)
		isCode(t, err, ckr.ObjectHandleInvalid)
		_, err = object.Get(ctx, o, object.AttrLabel)
		isCode(t, err, ckr.ObjectHandleInvalid)
		isCode(t, s.Destroy(ctx, o), ckr.ObjectHandleInvalid)
		_, err = s.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32))
		isCode(t, err, ckr.KeyHandleInvalid)
	}
	r.logout(s)
	void()
	r.login(s, token.User)
	void()
	again, ok := labelled(t, s, "o")
	if !ok || again == o || again.Handle() == o.Handle() {
		t.Error("the search does not give a new handle")
	}
	void()
}

func logoutDestroysPrivateSessionObjects(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s, other := r.openAs(token.User), r.open(false)
	o := must(s.Create(ctx, data(engine.PrivateSession, "a")...))(t)
	must(other.Create(ctx, data(engine.PrivateSession, "b")...))(t)
	r.logout(other)
	r.login(s, token.User)
	if left := labels(t, s); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	_, err := s.Attributes(ctx, o, object.AttrLabel.Type)
	isCode(t, err, ckr.ObjectHandleInvalid)
}

func handles(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s, other := r.openAs(token.User), r.open(true)
	foreign := r.application().openAs(token.User)
	seen := map[uint64]bool{}
	for range 3 {
		for _, kind := range kinds {
			o := must(s.Create(ctx, data(kind, "o")...))(t)
			if o.Handle() == 0 || seen[o.Handle()] {
				t.Errorf("handle %d", o.Handle())
			}
			seen[o.Handle()] = true
			must(other.Attributes(ctx, o, object.AttrLabel.Type))(t)
			_, err := foreign.Attributes(ctx, o, object.AttrLabel.Type)
			isCode(t, err, ckr.ObjectHandleInvalid)
			isCode(t, foreign.Destroy(ctx, o), ckr.ObjectHandleInvalid)
			noError(t, other.Destroy(ctx, o))
		}
	}
}

func openStartsWithLogin(t *testing.T) {
	r := newRig(t)
	s := r.open(true)
	inState(t, s, token.RWPublic)
	r.login(s, token.User)
	inState(t, r.open(true), token.RWUser)
	ro := r.open(false)
	inState(t, ro, token.ROUser)
	noError(t, ro.Close())
	r.logout(s)
	r.login(s, token.SO)
	inState(t, r.open(true), token.RWSO)
}

func readOnlySessionObjects(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.open(false)
	for range 2 {
		for _, kind := range []engine.Kind{engine.PublicSession, engine.PrivateSession} {
			if state := must(s.Info())(t).State; kind.Private() && state == token.ROPublic {
				continue
			}
			o := must(s.Create(ctx, data(kind, "o")...))(t)
			noError(t, s.Set(ctx, o, object.AttrLabel.Is("p")))
			noError(t, s.Destroy(ctx, must(s.Copy(ctx, o))(t)))
			noError(t, s.Destroy(ctx, o))
			_, err := s.Copy(ctx, must(s.Create(ctx, data(kind, "q")...))(t), object.AttrToken.Is(true))
			isCode(t, err, ckr.SessionReadOnly)
		}
		if must(s.Info())(t).State == token.ROPublic {
			r.login(s, token.User)
		}
	}
}

func removalVoidsAll(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	other := r.application()
	s, foreign := r.openAs(token.User), other.openAs(token.User)
	must(s.Create(ctx, data(engine.PublicToken, "o")...))(t)
	must(s.Create(ctx, data(engine.PublicSession, "session object")...))(t)
	o, _ := labelled(t, foreign, "o")

	// Nobody looks while the card is out.
	noError(t, r.readers.Remove(reader))
	noError(t, r.readers.Insert(reader, r.card))
	_, err := s.Attributes(ctx, o, object.AttrLabel.Type)
	isCode(t, err, ckr.DeviceRemoved)
	isCode(t, s.Close(), ckr.SessionHandleInvalid)
	_, err = foreign.Attributes(ctx, o, object.AttrLabel.Type)
	isCode(t, err, ckr.SessionHandleInvalid)
	_, err = session.Open(ctx, r.token)
	hasCode(t, err, "CKR_DEVICE_REMOVED|CKR_TOKEN_NOT_PRESENT")

	r.look()
	s = r.open(true)
	inState(t, s, token.RWPublic)
	if diff := cmp.Diff([]string{"o"}, labels(t, s)); diff != "" {
		t.Error(diff)
	}
}
