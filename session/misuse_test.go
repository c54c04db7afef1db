package session_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// TestMalformedPINsCostNoTry enters PINs that cannot be right: none of them
// reaches the card.
func TestMalformedPINsCostNoTry(t *testing.T) {
	ctx := t.Context()
	w := &watcher{}
	r := newRig(t, w.option())
	user := r.openAs(token.User)
	pair(t, user, engine.PrivateToken, "k", object.AttrAlwaysAuthenticate.Is(true))
	r.logout(user)
	malformed := map[string]token.PIN{
		"none":              {},
		"empty":             token.NewPIN(nil),
		"short":             pin("123"),
		"long":              pin("123456789"),
		"much too long":     pin(strings.Repeat("1", 1<<16)),
		"NUL":               pin("1234\x00"),
		"NUL inside":        pin("12\x0034"),
		"control character": pin("1234\n"),
		"padding byte":      pin("1234\xFF\xFF"),
		"padding only":      pin("\xFF\xFF\xFF\xFF"),
		"not UTF-8":         pin("12\xC3\x28"),
		"cleared":           cleared(),
		"pad without keys":  token.Pad(),
	}
	const codes = "CKR_PIN_LEN_RANGE|CKR_PIN_INCORRECT|CKR_ARGUMENTS_BAD"
	const newCodes = "CKR_PIN_LEN_RANGE|CKR_PIN_INVALID|CKR_ARGUMENTS_BAD"
	for name, p := range malformed {
		t.Run(name, func(t *testing.T) {
			w.forget()
			hasCode(t, user.Login(ctx, token.User, p), codes)
			hasCode(t, user.Login(ctx, token.SO, p), codes)
			inState(t, user, token.RWPublic)
			hasCode(t, user.SetPIN(ctx, p, pin("111111")), codes)
			hasCode(t, user.SetPIN(ctx, pin(userPIN), p), newCodes)
			hasCode(t, user.UnblockPIN(ctx, pin("12345678"), p), newCodes)
			noPINSent(t, w)

			r.login(user, token.SO)
			w.forget()
			hasCode(t, user.InitPIN(ctx, p), newCodes)
			hasCode(t, user.SetPIN(ctx, pin(soPIN), p), newCodes)
			noPINSent(t, w)
			r.logout(user)

			r.login(user, token.User)
			w.forget()
			op := (&stage{rig: r, s: user}).signer()
			hasCode(t, op.Login(ctx, p), codes)
			noPINSent(t, w)
			r.logout(user)
		})
	}
	noError(t, user.Close())
	for name, p := range malformed {
		w.forget()
		hasCode(t, r.token.Initialize(ctx, p, "x"), codes)
		if noPINSent(t, w); t.Failed() {
			t.Fatal(name)
		}
	}
	// The tries are all still there.
	s := r.open(true)
	if err := s.Login(ctx, token.User, pin(wrongPIN)); tries(t, err) != 2 {
		t.Error(err)
	}
}

func cleared() token.PIN {
	p := pin(userPIN)
	p.Clear()
	return p
}

// noPINSent checks that no PIN was sent to the card; a VERIFY without data is
// a question.
func noPINSent(t *testing.T, w *watcher) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.commands {
		if ins := c[1]; (ins == 0x20 || ins == 0x24 || ins == 0x2C) && len(c) > 5 {
			t.Errorf("the card saw %X", c)
		}
	}
}

// TestWrongPINCountsDown enters a wrong PIN until it is locked: each costs one
// try and one VERIFY, and the error tells the rest.
func TestWrongPINCountsDown(t *testing.T) {
	ctx := t.Context()
	for _, role := range []token.Role{token.User, token.SO} {
		w := &watcher{}
		r := newRig(t, w.option())
		s := r.open(true)
		w.forget()
		for left := 2; left >= 0; left-- {
			err := s.Login(ctx, role, pin(wrongPIN))
			if left > 0 {
				isCode(t, err, ckr.PINIncorrect)
			} else {
				hasCode(t, err, "CKR_PIN_INCORRECT|CKR_PIN_LOCKED")
			}
			if got := tries(t, err); got != left {
				t.Errorf("%v: %d tries are left, want %d", role, got, left)
			}
			if n := w.count(0x20); n != 3-left {
				t.Errorf("%v: %d VERIFY commands after %d logins", role, n, 3-left)
			}
			flags := must(r.token.Info(ctx))(t).Flags
			if want := driver.TriesFlags(role, ckr.Tries{Left: left, Known: true}); !flags.Has(want) {
				t.Errorf("%v: flags %v, want %v", role, flags, want)
			}
		}
		for _, p := range []string{wrongPIN, pinOf(role)} {
			isCode(t, s.Login(ctx, role, pin(p)), ckr.PINLocked)
		}
		inState(t, s, token.RWPublic)
		if role == token.SO {
			continue
		}
		// The SO helps.
		r.login(s, token.SO)
		noError(t, s.InitPIN(ctx, pin(userPIN)))
		r.logout(s)
		r.login(s, token.User)
		if flags := must(r.token.Info(ctx))(t).Flags; flags.Has(token.FlagUserPINCountLow) || flags.Has(token.FlagUserPINLocked) {
			t.Errorf("after it the flags are %v", flags)
		}
	}
}

// TestNoToken opens sessions where there is nothing to open one with.
func TestNoToken(t *testing.T) {
	ctx := t.Context()
	readers := virtual.NewProvider(virtual.Reader{Name: "empty"}, virtual.Reader{Name: "odd", Card: oddCard()})
	m := must(cryptoki.Open(ctx, cryptoki.WithProvider(readers)))(t)
	defer m.Close()
	if with := must(m.Slots(ctx, true))(t); len(with) > 0 {
		t.Errorf("%d slots have a token", len(with))
	}
	want := map[string]ckr.Code{"empty": ckr.TokenNotPresent, "odd": ckr.TokenNotRecognized}
	for _, s := range must(m.Slots(ctx, false))(t) {
		code := want[s.Info().Reader]
		_, err := s.Token(ctx)
		isCode(t, err, code)
		_, err = m.OpenSession(ctx, s.ID())
		isCode(t, err, code)
	}
	_, err := m.OpenSession(ctx, 0)
	isCode(t, err, ckr.SlotIDInvalid)
}

// TestATRs puts cards with all sorts of answers to reset into a reader: they
// are present, and not recognised.
func TestATRs(t *testing.T) {
	ctx := t.Context()
	for _, atr := range []string{
		"", "\x3B", "\x3B\x00", "\x3B\xFF", "\x00\x00", "\x3B\x8F\x80\x01", "\x3F\x7F", "MyEID", "\x3B\x05MyEI", strings.Repeat("\x3B", 33),
		strings.Repeat("\xFF", 64), "\x3B\xDF\x96\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
	} {
		p := virtual.MyEID500()
		p.ATR = []byte(atr)
		m := must(cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(virtual.New(virtual.As(p))))))(t)
		all := must(m.Slots(ctx, false))(t)
		if len(all) != 1 {
			t.Fatalf("%X: %d slots", atr, len(all))
		}
		_, err := all[0].Token(ctx)
		isCode(t, err, ckr.TokenNotRecognized)
		noError(t, m.Close())
	}
}

// TestBadTemplates gives templates that are wrong in themselves to everything
// that takes one. Nothing is made, and nothing written.
func TestBadTemplates(t *testing.T) {
	ctx := t.Context()
	w := &watcher{}
	r := newRig(t, w.option())
	s := r.openAs(token.User)
	o := must(s.Create(ctx, data(engine.PrivateToken, "o")...))(t)
	pair(t, s, engine.PrivateToken, "k")
	nested := object.Template{object.AttrLabel.Is("x")}
	for range 8 {
		nested = object.Template{object.AttrUnwrapTemplate.Is(nested)}
	}
	many := make(object.Template, 10000)
	for i := range many {
		many[i] = object.AttrLabel.Is("x")
	}
	bad := map[string]object.Template{
		"duplicates that differ": {object.AttrLabel.Is("a"), object.AttrLabel.Is("b")},
		"empty boolean":          {object.Raw(object.AttrToken.Type, nil)},
		"long boolean":           {object.Raw(object.AttrToken.Type, []byte{1, 0})},
		"short number":           {object.Raw(object.AttrKeyType.Type, []byte{1})},
		"bad date":               {object.Raw(object.AttrStartDate.Type, []byte("2026-1-1"))},
		"unknown":                {object.Raw(0x7654321, []byte("x"))},
		"number for an array":    {object.Raw(object.AttrAllowedMechanisms.Type, []byte{1, 2, 3})},
		"nested too deeply":      nested,
		"too many":               many,
	}
	w.forget()
	for name, template := range bad {
		for call, f := range map[string]func() error{
			"create": func() error {
				_, err := s.Create(ctx, append(data(engine.PrivateToken, "n").Without(object.AttrLabel.Type), template...)...)
				return err
			},
			"raw create": func() error { _, err := s.Create(ctx, template...); return err },
			"set":        func() error { return s.Set(ctx, o, template...) },
			"copy":       func() error { _, err := s.Copy(ctx, o, template...); return err },
			"find": func() error {
				for _, err := range s.Find(ctx, template...) {
					return err
				}
				return nil
			},
		} {
			err := f()
			if call == "find" && (name == "unknown" || err == nil) {
				continue // nothing has it
			}
			switch code := ckr.Of(err); code {
			case ckr.TemplateInconsistent, ckr.TemplateIncomplete, ckr.AttributeTypeInvalid, ckr.AttributeValueInvalid, ckr.AttributeReadOnly, ckr.ArgumentsBad:
			default:
				t.Errorf("%s with %s: %v", call, name, err)
			}
		}
	}
	for _, ins := range []byte{0xD6, 0xDA, 0xE0, 0xE4, 0x46} {
		if n := w.count(ins); n > 0 {
			t.Errorf("the card saw %d commands %02X", n, ins)
		}
	}
	if diff := cmp.Diff([]string{"k", "k", "o"}, labels(t, s, object.AttrToken.Is(true))); diff != "" {
		t.Error(diff)
	}
}

// TestObjectTooBig stores more than the card takes in one file, or at all.
func TestObjectTooBig(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	for _, size := range []int{32768, 40000, 1 << 20} {
		_, err := s.Create(ctx, data(engine.PrivateToken, "big", object.AttrValue.Is(make([]byte, size)))...)
		isCode(t, err, ckr.DeviceMemory)
	}
	o := must(s.Create(ctx, data(engine.PrivateToken, "fits", object.AttrValue.Is(make([]byte, 32767)))...))(t)
	if v := must(object.Get(ctx, o, object.AttrValue))(t); len(v) != 32767 {
		t.Errorf("%d bytes are read", len(v))
	}
	isCode(t, s.Set(ctx, o, object.AttrValue.Is(make([]byte, 40000))), ckr.DeviceMemory)
	if diff := cmp.Diff([]string{"fits"}, labels(t, s)); diff != "" {
		t.Error(diff)
	}
	// What is not for the card has no such bound.
	must(s.Create(ctx, data(engine.PrivateSession, "session", object.AttrValue.Is(make([]byte, 1<<20)))...))(t)
}

// TestCardFull creates objects until the card is full: it says so, what was
// there before is whole, and what is destroyed makes room.
func TestCardFull(t *testing.T) {
	for _, kind := range []engine.Kind{engine.PublicToken, engine.PrivateToken} {
		t.Run(kind.String(), func(t *testing.T) { fill(t, kind, 24<<10, 700) })
	}
}

// TestDirectoryFull creates small objects until the directory is full.
func TestDirectoryFull(t *testing.T) {
	for _, kind := range []engine.Kind{engine.PublicToken, engine.PrivateToken} {
		t.Run(kind.String(), func(t *testing.T) { fill(t, kind, virtual.DefaultCapacity, 10) })
	}
}

func fill(t *testing.T, kind engine.Kind, capacity, size int) {
	ctx := t.Context()
	r := newRig(t, virtual.Capacity(capacity))
	s := r.openAs(token.User)
	value := func(i int) []byte { return []byte(strings.Repeat(fmt.Sprintf("%03d.", i), size/4)) }
	create := func(i int) (*object.Object, error) {
		return s.Create(ctx, data(kind, fmt.Sprintf("object %03d", i), object.AttrValue.Is(value(i)),
			object.AttrDestroyable.Is(true), object.AttrCopyable.Is(i%2 == 0))...)
	}
	var made []*object.Object
	for i := range 1000 {
		o, err := create(i)
		if err != nil {
			isCode(t, err, ckr.DeviceMemory)
			break
		}
		made = append(made, o)
	}
	if len(made) < 5 || len(made) == 1000 {
		t.Fatalf("%d objects fit", len(made))
	}
	t.Logf("%d objects of %d bytes fit", len(made), size)
	for i, o := range made {
		if got := must(object.Get(ctx, o, object.AttrValue))(t); string(got) != string(value(i)) {
			t.Errorf("object %d has another value", i)
		}
	}
	whole(t, r, len(made))
	_, err := create(len(made))
	isCode(t, err, ckr.DeviceMemory)

	noError(t, s.Destroy(ctx, made[1]))
	again := must(create(1))(t)
	if got := must(object.Get(ctx, again, object.AttrValue))(t); string(got) != string(value(1)) {
		t.Error("the new object has another value")
	}
	whole(t, r, len(made))
}

// whole lists the card as another program does, and reads everything.
func whole(t *testing.T, r *rig, n int) {
	t.Helper()
	f := foreignRig(t, r)
	s := f.openAs(token.User)
	found := find(t, s)
	if len(found) != n {
		t.Errorf("another program finds %d objects, want %d", len(found), n)
	}
	for _, o := range found {
		label := must(object.Get(t.Context(), o, object.AttrLabel))(t)
		value := must(object.Get(t.Context(), o, object.AttrValue))(t)
		if number := strings.TrimPrefix(label, "object "); strings.ReplaceAll(string(value), number+".", "") != "" {
			t.Errorf("%s has another value", label)
		}
	}
	noError(t, f.module.Close())
}

// TestReadOnlySessionsSendNothing tries to write with a read-only session.
func TestReadOnlySessionsSendNothing(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	rw := r.openAs(token.User)
	o := must(rw.Create(ctx, data(engine.PublicToken, "o")...))(t)
	s := r.open(false)
	find(t, s)
	readAll(t, s, o)
	before := r.card.Exchanges()
	_, err := s.Create(ctx, data(engine.PrivateToken, "n")...)
	isCode(t, err, ckr.SessionReadOnly)
	isCode(t, s.Set(ctx, o, object.AttrLabel.Is("n")), ckr.SessionReadOnly)
	isCode(t, s.Destroy(ctx, o), ckr.SessionReadOnly)
	_, err = s.Copy(ctx, o)
	isCode(t, err, ckr.SessionReadOnly)
	isCode(t, s.SetPIN(ctx, pin(userPIN), pin("111111")), ckr.SessionReadOnly)
	isCode(t, s.UnblockPIN(ctx, pin(userPIN), pin("111111")), ckr.SessionReadOnly)
	if n := r.card.Exchanges() - before; n > 0 {
		t.Errorf("the card saw %d commands", n)
	}
}

// TestLabelsOfTokens initialises with labels at the edge.
func TestLabelsOfTokens(t *testing.T) {
	ctx := t.Context()
	r := blankRig(t)
	isCode(t, r.token.Initialize(ctx, pin(soPIN), strings.Repeat("x", 33)), ckr.ArgumentsBad)
	for _, label := range []string{"", strings.Repeat("x", 32), "Schlüssel", "日本語のトークン"} {
		noError(t, r.token.Initialize(ctx, pin(soPIN), label))
		if got := must(r.token.Info(ctx))(t).Label; got != label {
			t.Errorf("the label is %q, want %q", got, label)
		}
	}
}
