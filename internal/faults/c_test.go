package faults_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
)

// C1
func logoutEndsOperations(t *testing.T) {
	r := newRig(t)
	s := r.user()
	op := must(s.NewSign(r.ctx, mechanism.ECDSA{}, r.key(s, "k")))(t)
	must(op.Write(make([]byte, 32)))(t)
	r.ok(s.Logout(r.ctx))
	r.wire.forget()
	_, err := op.Sum(r.ctx)
	r.code(err, ckr.UserNotLoggedIn, ckr.OperationNotInitialized)
	r.ok(s.Login(r.ctx, token.User, pin(userPIN)))
	_, err = op.Sum(r.ctx)
	r.code(err, ckr.UserNotLoggedIn, ckr.OperationNotInitialized)
	if n := r.wire.count(0x2A); n > 0 {
		t.Errorf("%d uses were sent", n)
	}
}

// C2
func handlesDieAtLogout(t *testing.T) {
	r := newRig(t)
	s := r.user()
	key, private := r.key(s, "k"), r.one(s, "private")
	r.ok(s.Logout(r.ctx))
	for range 2 {
		_, err := s.Attributes(r.ctx, private)
		r.code(err, ckr.ObjectHandleInvalid)
		r.code(s.Destroy(r.ctx, private), ckr.ObjectHandleInvalid)
		r.code(r.sign(s, key), ckr.KeyHandleInvalid, ckr.UserNotLoggedIn)
		if state := must(s.Info())(t).State; state == token.RWPublic {
			r.ok(s.Login(r.ctx, token.User, pin(userPIN)))
		}
	}
	r.ok(r.sign(s, r.key(s, "k")))
}

// C3
func logoutDuringSearch(t *testing.T) {
	r := newRig(t)
	s := r.user()
	out := false
	for o, err := range s.Find(r.ctx) {
		if err != nil {
			r.code(err, ckr.UserNotLoggedIn, ckr.OperationNotInitialized)
			break
		}
		if !out {
			out = true
			r.ok(s.Logout(r.ctx))
			continue
		}
		if private, err := object.Get(r.ctx, o, object.AttrPrivate); err == nil && private {
			t.Error("a private object is found after logout")
		}
	}
}

// C4
func officerSeesNothingPrivate(t *testing.T) {
	r := newRig(t)
	s := r.user()
	private := r.one(s, "private")
	r.ok(s.Logout(r.ctx))
	r.ok(s.Login(r.ctx, token.SO, pin(soPIN)))
	if got := r.labels(s, object.AttrPrivate.Is(true)); len(got) > 0 {
		t.Errorf("the officer sees %q", got)
	}
	_, err := s.Attributes(r.ctx, private)
	r.code(err, ckr.ObjectHandleInvalid)
	if got := r.labels(s); !slices.Contains(got, "public") {
		t.Errorf("the officer sees %q", got)
	}
}

// secret makes a sensitive AES session key with a known value.
func (r *rig) secret(s *session.Session, more ...object.Attribute) *object.Object {
	r.Helper()
	return must(s.Create(r.ctx, object.Template{
		object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrValue.Is([]byte("0123456789abcdef")),
		object.AttrLabel.Is("secret"), object.AttrSensitive.Is(true), object.AttrExtractable.Is(true), object.AttrEncrypt.Is(true), object.AttrDecrypt.Is(true),
	}.With(more...)...))(r)
}

// C5
func searchIsNoOracle(t *testing.T) {
	r := newRig(t)
	s := r.user()
	r.secret(s)
	for _, guess := range []string{"0123456789abcdef", "x"} {
		found := 0
		for _, err := range s.Find(r.ctx, object.AttrClass.Is(object.ClassSecretKey), object.AttrValue.Is([]byte(guess))) {
			if err != nil {
				r.code(err, ckr.AttributeSensitive)
				break
			}
			found++
		}
		if found > 0 {
			t.Errorf("the value %q finds the key", guess)
		}
	}
}

// C6
func sensitiveStaysSo(t *testing.T) {
	r := newRig(t)
	s := r.user()
	key := r.secret(s)
	_, err := object.Get(r.ctx, key, object.AttrValue)
	r.code(err, ckr.AttributeSensitive)
	r.code(s.Set(r.ctx, key, object.AttrSensitive.Is(false)), ckr.AttributeReadOnly, ckr.TemplateInconsistent)
	_, err = s.Copy(r.ctx, key, object.AttrSensitive.Is(false))
	r.code(err, ckr.AttributeReadOnly, ckr.TemplateInconsistent)
	r.ok(s.Set(r.ctx, key, object.AttrExtractable.Is(false)))
	r.code(s.Set(r.ctx, key, object.AttrExtractable.Is(true)), ckr.AttributeReadOnly, ckr.TemplateInconsistent)
	priv := r.key(s, "k")
	_, err = object.Get(r.ctx, priv, object.AttrValue)
	r.code(err, ckr.AttributeSensitive, ckr.AttributeTypeInvalid)
}

// keyUses are the operations that take a key, with the flag that a mechanism
// must have for each and the code for a key of the wrong type.
var keyUses = []struct {
	name string
	flag mechanism.Flags
	kind ckr.Code
	call func(ctx context.Context, s *session.Session, m mechanism.Mechanism, key *object.Object) error
}{
	{"sign", mechanism.FlagSign, ckr.KeyTypeInconsistent, func(ctx context.Context, s *session.Session, m mechanism.Mechanism, key *object.Object) error {
		_, err := s.Sign(ctx, m, key, make([]byte, 32))
		return err
	}},
	{"verify", mechanism.FlagVerify, ckr.KeyTypeInconsistent, func(ctx context.Context, s *session.Session, m mechanism.Mechanism, key *object.Object) error {
		return s.Verify(ctx, m, key, make([]byte, 32), make([]byte, 64))
	}},
	{"encrypt", mechanism.FlagEncrypt, ckr.KeyTypeInconsistent, func(ctx context.Context, s *session.Session, m mechanism.Mechanism, key *object.Object) error {
		_, err := s.Encrypt(ctx, m, key, make([]byte, 32))
		return err
	}},
	{"decrypt", mechanism.FlagDecrypt, ckr.KeyTypeInconsistent, func(ctx context.Context, s *session.Session, m mechanism.Mechanism, key *object.Object) error {
		_, err := s.Decrypt(ctx, m, key, make([]byte, 256))
		return err
	}},
	{"derive", mechanism.FlagDerive, ckr.KeyTypeInconsistent, func(ctx context.Context, s *session.Session, m mechanism.Mechanism, key *object.Object) error {
		_, err := s.Derive(ctx, m, key, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrValueLen.Is(16))
		return err
	}},
	{"unwrap", mechanism.FlagUnwrap, ckr.UnwrappingKeyTypeInconsistent, func(ctx context.Context, s *session.Session, m mechanism.Mechanism, key *object.Object) error {
		_, err := s.Unwrap(ctx, m, key, make([]byte, 256), object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES))
		return err
	}},
}

// C7
func wrongKeyForMechanism(t *testing.T) {
	r := newRig(t)
	s := r.user()
	r.importRSA(s, theRSAKey())
	ed, _ := object.CurveByName("Ed25519")
	_, edwards, err := s.GenerateKeyPair(r.ctx, mechanism.ECEdwardsKeyPairGen{}, object.Template{object.AttrECParams.Is(ed.Params())}, nil)
	r.ok(err)
	keys := map[string]*object.Object{
		"EC of the card": r.key(s, "k"), "RSA of the card": r.key(s, "rsa"), "AES of the session": r.secret(s, object.AttrSign.Is(true)), "Ed25519 of the session": edwards,
		"public EC of the card": r.find(s, object.AttrClass.Is(object.ClassPublicKey), object.AttrLabel.Is("k"))[0],
	}
	general := s.Token().Mechanisms()
	r.wire.forget()
	tried := 0
	for name, key := range keys {
		offered := must(s.Mechanisms(r.ctx, key))(t)
		for raw := range mechanism.Type(0x4100) {
			if !raw.Known() {
				continue
			}
			for _, use := range keyUses {
				if offered[raw].Flags.Has(use.flag) {
					continue
				}
				tried++
				err := use.call(r.ctx, s, mechanism.Raw{T: raw}, key)
				want := []ckr.Code{ckr.MechanismInvalid, ckr.MechanismParamInvalid}
				if general[raw].Flags.Has(use.flag) {
					want = []ckr.Code{use.kind, ckr.MechanismParamInvalid}
				}
				if raw == mechanism.TypeRSAX509 { // the card's own: software does not offer it
					want = append(want, ckr.MechanismInvalid)
				}
				if !slices.Contains(want, ckr.Of(err)) {
					t.Errorf("%s with %v and the key %s: %v, want one of %v", use.name, raw, name, err, want)
				}
			}
		}
	}
	data := r.one(s, "public")
	for _, use := range keyUses {
		r.code(use.call(r.ctx, s, mechanism.ECDSA{}, data), ckr.KeyHandleInvalid, ckr.UnwrappingKeyHandleInvalid, ckr.MechanismInvalid)
	}
	for _, ins := range []byte{0x2A, 0x86, 0x87} {
		if n := r.wire.count(ins); n > 0 {
			t.Errorf("%d uses %02X were sent", n, ins)
		}
	}
	t.Logf("%d wrong pairs of key and mechanism", tried)
}

// C8
func errorEndsOperation(t *testing.T) {
	r := newRig(t)
	s := r.user()
	op := must(s.NewSign(r.ctx, mechanism.ECDSA{}, r.key(s, "k")))(t)
	must(op.Write(make([]byte, 32)))(t)
	if n := op.Size(); n != 64 {
		t.Errorf("%d bytes are told", n)
	}
	must(op.Sum(r.ctx))(t) // asking for the size did not end it
	_, err := op.Sum(r.ctx)
	r.code(err, ckr.OperationNotInitialized)

	r.answers(func(command, answer []byte) []byte {
		if command[1] == 0x2A {
			return []byte{0x6F, 0x00}
		}
		return answer
	})
	op = must(s.NewSign(r.ctx, mechanism.ECDSA{}, r.key(s, "k")))(t)
	must(op.Write(make([]byte, 32)))(t)
	_, err = op.Sum(r.ctx)
	r.code(err, ckr.DeviceError, ckr.FunctionFailed)
	r.heal()
	_, err = op.Sum(r.ctx)
	r.code(err, ckr.OperationNotInitialized)
}

// C9
func lastSessionLogsOut(t *testing.T) {
	r := newRig(t)
	for _, end := range []func(s *session.Session) error{
		func(s *session.Session) error { return s.Close() },
		func(*session.Session) error { return r.token.CloseSessions(r.ctx) },
	} {
		s := r.user()
		key := r.key(s, "k")
		r.ok(end(s))
		s = r.open(true)
		r.state(s, token.RWPublic)
		r.code(r.sign(s, key), ckr.KeyHandleInvalid, ckr.UserNotLoggedIn)
		r.ok(s.Close())
	}
	// The card was told.
	c := must(r.readers.Connect(r.ctx, reader))(t)
	defer c.Close()
	answer, err := c.Transmit(r.ctx, []byte{0x00, 0x20, 0x00, 0x01})
	if err != nil || answer[0] != 0x63 {
		t.Errorf("the card answers %X, %v", answer, err)
	}
}

// C10
func wrongHandles(t *testing.T) {
	r, other := newRig(t), newRig(t)
	s, theirs := r.user(), other.user()
	gone := r.create(s, "gone", false)
	r.ok(s.Destroy(r.ctx, gone))
	for name, o := range map[string]*object.Object{"of another token": other.one(theirs, "public"), "of another token, private": other.key(theirs, "k"), "destroyed": gone, "none": nil} {
		n := everyMethod(r, s, o, func(method string, err error) {
			switch ckr.Of(err) {
			case ckr.ObjectHandleInvalid, ckr.KeyHandleInvalid, ckr.WrappingKeyHandleInvalid, ckr.UnwrappingKeyHandleInvalid:
			default:
				t.Errorf("%s with an object that is %s: %v", method, name, err)
			}
		})
		if n < 20 {
			t.Errorf("%d methods take an object", n)
		}
	}
	for _, id := range []slot.ID{0, 1 << 40, ^slot.ID(0)} {
		_, err := r.module.Slot(r.ctx, id)
		r.code(err, ckr.SlotIDInvalid)
	}
	handlesAreNeverUsedAgain(r, s)
	key := r.key(s, "k")
	r.ok(s.Close())
	r.wire.forget()
	n := everyMethod(r, s, key, func(method string, err error) {
		if ckr.Of(err) != ckr.SessionHandleInvalid {
			t.Errorf("%s of a closed session: %v", method, err)
		}
	})
	if sent := len(r.wire.sent()); n < 20 || sent > 0 {
		t.Errorf("%d methods, %d commands were sent", n, sent)
	}
	r.code(s.Close(), ckr.SessionHandleInvalid)
	r.code(s.SeedRandom(r.ctx, nil), ckr.SessionHandleInvalid)
	_, err := s.Random(r.ctx, 8)
	r.code(err, ckr.SessionHandleInvalid)
}

// everyMethod calls each method of a session that takes an object with the
// given one, and what is otherwise sound, and has the errors judged. It returns
// how many there are.
func everyMethod(r *rig, s *session.Session, o *object.Object, judge func(method string, err error)) (n int) {
	value := reflect.ValueOf(s)
	for i := range value.NumMethod() {
		name, method := value.Type().Method(i).Name, value.Method(i)
		takes := false
		var in []reflect.Value
		for j := range method.Type().NumIn() {
			kind := method.Type().In(j)
			if method.Type().IsVariadic() && j == method.Type().NumIn()-1 {
				break
			}
			takes = takes || kind == reflect.TypeFor[*object.Object]()
			in = append(in, r.argument(name, kind, o))
		}
		if !takes {
			continue
		}
		n++
		out := method.Call(in)
		err, _ := out[len(out)-1].Interface().(error)
		judge(name, err)
	}
	return n
}

// argument is a sound argument of a type for a method.
func (r *rig) argument(method string, kind reflect.Type, o *object.Object) reflect.Value {
	var m mechanism.Mechanism = mechanism.ECDSA{}
	if strings.HasSuffix(method, "cryptMessages") || strings.HasSuffix(method, "Authenticated") {
		m = mechanism.AESGCM{IV: make([]byte, 12)}
	}
	for _, v := range []any{r.ctx, o, m, make([]byte, 32), mechanism.FlagDerive} {
		if reflect.TypeOf(v).AssignableTo(kind) {
			return reflect.ValueOf(v)
		}
	}
	return reflect.Zero(kind)
}

// handlesAreNeverUsedAgain makes and destroys objects.
func handlesAreNeverUsedAgain(r *rig, s *session.Session) {
	r.Helper()
	last := uint64(0)
	for range times(2000, 100_000) {
		o := must(s.Create(r.ctx, data("short", true, object.AttrToken.Is(false))...))(r)
		if o.Handle() <= last {
			r.Fatalf("handle %d after %d", o.Handle(), last)
		}
		last = o.Handle()
		r.ok(s.Destroy(r.ctx, o))
	}
}

// C11
func lastCloseAgainstOpen(t *testing.T) {
	r := newRig(t)
	for range 200 {
		first := r.open(true)
		r.ok(first.Login(r.ctx, token.User, pin(userPIN)))
		var wg sync.WaitGroup
		var second *session.Session
		var err error
		wg.Go(func() { first.Close() })
		wg.Go(func() { second, err = session.Open(r.ctx, r.token) })
		wg.Wait()
		r.ok(err)
		if _, err := second.Info(); err != nil {
			t.Fatalf("the new session died: %v", err)
		}
		r.ok(second.Close())
	}
}

// C12
func closeDuringCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := r.user()
		key := r.key(s, "k")
		r.slow(10 * time.Minute)
		errs := make(chan error, 1)
		go func() { errs <- r.sign(s, key) }()
		synctest.Wait()
		start := time.Now()
		r.module.Close()
		if d := time.Since(start); d > 1100*time.Millisecond {
			t.Errorf("Close took %v", d)
		}
		if err := <-errs; err == nil {
			t.Error("the call went well")
		}
		r.code(r.module.Close(), ckr.CryptokiNotInitialized, ckr.OK)
		_, err := s.Info()
		r.code(err, ckr.CryptokiNotInitialized, ckr.SessionHandleInvalid)
		time.Sleep(20 * time.Minute) // the late answer comes
	})
}

// C13
func writesThatAreForbidden(t *testing.T) {
	r := newRig(t)
	s := r.user()
	fixed := must(s.Create(r.ctx, data("fixed", true, object.AttrModifiable.Is(false), object.AttrCopyable.Is(false), object.AttrDestroyable.Is(false))...))(t)
	ro := r.open(false)
	public := r.one(ro, "public")
	r.find(ro)
	must(ro.Attributes(r.ctx, public))(t)
	must(ro.Size(r.ctx, public))(t)
	r.wire.forget()
	_, err := ro.Create(r.ctx, data("new", true)...)
	r.code(err, ckr.SessionReadOnly)
	r.code(ro.Set(r.ctx, public, object.AttrLabel.Is("x")), ckr.SessionReadOnly)
	r.code(ro.Destroy(r.ctx, public), ckr.SessionReadOnly)
	_, err = ro.Copy(r.ctx, public)
	r.code(err, ckr.SessionReadOnly)
	r.code(ro.SetPIN(r.ctx, pin(userPIN), pin(newPIN)), ckr.SessionReadOnly)
	if n := len(r.wire.sent()); n > 0 {
		t.Errorf("%d commands were sent", n)
	}
	r.code(s.Set(r.ctx, fixed, object.AttrLabel.Is("x")), ckr.ActionProhibited, ckr.AttributeReadOnly)
	_, err = s.Copy(r.ctx, fixed)
	r.code(err, ckr.ActionProhibited)
	r.code(s.Destroy(r.ctx, fixed), ckr.ActionProhibited)
	for _, ins := range []byte{0xD6, 0xE4, 0xE0} {
		if n := r.wire.count(ins); n > 0 {
			t.Errorf("%d commands %02X were sent", n, ins)
		}
	}
}

// C14
func destroyThatFails(t *testing.T) {
	for _, sw := range []apdu.Status{0x6982, 0x6581} {
		for _, ins := range []byte{0xD6, 0xE4} {
			r := newRig(t)
			s := r.user()
			o := r.one(s, "private")
			r.refuses(ins, sw)
			err := s.Destroy(r.ctx, o)
			r.heal()
			if err == nil {
				if ins == 0xD6 || slices.Contains(r.labels(s), "private") {
					t.Errorf("%02X refused with %v: no error", ins, sw)
				}
				continue
			}
			if v := must(object.Get(r.ctx, o, object.AttrValue))(t); string(v) != "value of private" {
				t.Errorf("%02X: the value is %q", ins, v)
			}
			r.ok(s.Destroy(r.ctx, o))
		}
	}
}

// C15
func changedByAnother(t *testing.T) {
	r := newRig(t)
	s := r.user()
	old := r.one(s, "private")
	other := r.stranger()
	os := other.user()
	other.create(os, "new", true)
	r.ok(os.Destroy(r.ctx, other.one(os, "private")))
	r.ok(os.Logout(r.ctx))
	r.ok(other.module.Close())
	got, err := r.tryLabels(s)
	if ckr.Of(err) == ckr.UserNotLoggedIn || must(s.Info())(t).State == token.RWPublic {
		r.ok(s.Login(r.ctx, token.User, pin(userPIN)))
		got, err = r.tryLabels(s)
	}
	r.ok(err)
	if slices.Contains(got, "private") || !slices.Contains(got, "new") {
		t.Errorf("%q", got)
	}
	_, err = s.Attributes(r.ctx, old)
	r.code(err, ckr.ObjectHandleInvalid)
}

// C16
func wildTemplates(t *testing.T) {
	r := newRig(t)
	s := r.user()
	before := r.labels(s)
	many := make(object.Template, 10000)
	for i := range many {
		many[i] = object.AttrLabel.Is("x")
	}
	nested := object.Template{object.AttrLabel.Is("x")}
	for range 50 {
		nested = object.Template{object.AttrUnwrapTemplate.Is(nested)}
	}
	r.wire.forget()
	for name, bad := range map[string]object.Template{
		"twice": {object.AttrLabel.Is("a"), object.AttrLabel.Is("b")}, "empty flag": {object.Raw(object.AttrToken.Type, nil)},
		"short number": {object.Raw(object.AttrClass.Type, []byte{1})}, "unknown": {object.Raw(0x7654321, []byte("x"))}, "many": many, "nested": nested,
	} {
		_, err := s.Create(r.ctx, slices.Concat(data("new", true).Without(object.AttrLabel.Type), bad)...)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		r.code(err, ckr.TemplateInconsistent, ckr.AttributeTypeInvalid, ckr.AttributeValueInvalid, ckr.ArgumentsBad, ckr.TemplateIncomplete)
		err = nil
		for _, err = range s.Find(r.ctx, bad...) {
		}
		var e *ckr.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, ins := range []byte{0xD6, 0xE0, 0x46} {
		if n := r.wire.count(ins); n > 0 {
			t.Errorf("%d commands %02X were sent", n, ins)
		}
	}
	if got := r.labels(s); !slices.Equal(got, before) {
		t.Errorf("%q, before %q", got, before)
	}
}
