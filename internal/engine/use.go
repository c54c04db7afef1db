package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha3"
	"crypto/subtle"
	"maps"
	"slices"
	"strings"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Grant is the right of one operation to one key, under the login that it was
// given under.
type Grant struct {
	session *Session
	entry   *entry
	epoch   uint64
	consent bool
}

// Consent reports whether each use of the key needs the user's PIN (a
// context-specific login).
func (g Grant) Consent() bool { return g.consent }

// Soft reports whether the key is used in software.
func (g Grant) Soft() bool { return g.entry.soft() }

// InSession reports whether the key is one of a session that needs no consent.
func (g Grant) InSession() bool { return !g.entry.onToken() && !g.consent }

// Purpose is what an operation does with a key: the attribute that must be
// true, and the flag that the mechanism must have.
type Purpose struct {
	Attr object.Attr[bool]
	Flag mechanism.Flags
}

// PurposeOf returns the purpose of a use of a key, such as FlagDerive.
func PurposeOf(use mechanism.Flags) (Purpose, bool) {
	for _, p := range purposes {
		if p.Flag == use {
			return p, true
		}
	}
	return Purpose{}, false
}

var purposes = []Purpose{
	ToSign, ToVerify, ToEncrypt, ToDecrypt, ToDerive, ToWrap, ToUnwrap, ToEncapsulate, ToDecapsulate, ToSignRecover, ToVerifyRecover,
}

// The purposes of operations.
var (
	ToSign    = Purpose{object.AttrSign, mechanism.FlagSign}
	ToVerify  = Purpose{object.AttrVerify, mechanism.FlagVerify}
	ToEncrypt = Purpose{object.AttrEncrypt, mechanism.FlagEncrypt}
	ToDecrypt = Purpose{object.AttrDecrypt, mechanism.FlagDecrypt}
	ToDerive  = Purpose{object.AttrDerive, mechanism.FlagDerive}

	ToWrap        = Purpose{object.AttrWrap, mechanism.FlagWrap}
	ToUnwrap      = Purpose{object.AttrUnwrap, mechanism.FlagUnwrap}
	ToEncapsulate = Purpose{object.AttrEncapsulate, mechanism.FlagEncapsulate}
	ToDecapsulate = Purpose{object.AttrDecapsulate, mechanism.FlagDecapsulate}

	ToSignRecover   = Purpose{object.AttrSignRecover, mechanism.FlagSignRecover}
	ToVerifyRecover = Purpose{object.AttrVerifyRecover, mechanism.FlagVerifyRecover}
)

// Grant checks that the session may use a key for a purpose with a mechanism,
// before anything is sent; only a public key on the card is read first, once.
// Errors: ckr.KeyHandleInvalid, ckr.KeyTypeInconsistent,
// ckr.KeyFunctionNotPermitted, ckr.MechanismInvalid,
// ckr.MechanismParamInvalid.
func (s *Session) Grant(ctx context.Context, op string, o *object.Object, p Purpose, m mechanism.Mechanism) (Grant, error) {
	if err := mechanism.Check(m); err != nil {
		return Grant{}, codes.Wrap(op, err)
	}
	e, g, err := s.grantSession(op, o, p, m.Type())
	if err != nil || !e.onToken() {
		return g, err
	}
	all, err := s.keyAttributes(ctx, op, e)
	if err != nil {
		return Grant{}, err
	}
	if err := s.fits(e, s.mechanisms(e, all), all, p, m.Type()); err != nil {
		return Grant{}, codes.Wrap(op, err)
	}
	consent, _ := object.In(all, object.AttrAlwaysAuthenticate)
	if !e.soft() {
		consent = consent || s.t.card.backend.Needs(driver.Use, e.ref).Consent
	}
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	return Grant{session: s, entry: e, epoch: s.t.epoch, consent: consent}, nil
}

// grantSession is Grant for the key of a session, of which everything is at
// hand; of a key on the card it checks the handle.
func (s *Session) grantSession(op string, o *object.Object, p Purpose, m mechanism.Type) (*entry, Grant, error) {
	if err := s.enter(op); err != nil {
		return nil, Grant{}, err
	}
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	e, err := s.t.find(o, ckr.KeyHandleInvalid)
	if err != nil {
		return nil, Grant{}, codes.Wrap(op, err)
	}
	if code := s.allow(e.kind(), driver.Use); code != ckr.OK {
		return nil, Grant{}, ckr.Newf(code, op, "%s", e.kind())
	}
	if !isKey(o.Class()) {
		return nil, Grant{}, ckr.Newf(ckr.KeyHandleInvalid, op, "%v is no key", o)
	}
	if e.onToken() {
		return e, Grant{}, nil
	}
	if err := s.fits(e, e.can, e.all, p, m); err != nil {
		return nil, Grant{}, codes.Wrap(op, err)
	}
	return e, Grant{session: s, entry: e, epoch: s.t.epoch, consent: object.Is(e.all, object.AttrAlwaysAuthenticate)}, nil
}

// keyAttributes returns what tells a key's mechanisms: of a public key that is
// everything, since software uses it.
func (s *Session) keyAttributes(ctx context.Context, op string, e *entry) (object.Template, error) {
	all, ok := s.t.known(e)
	if !ok {
		return nil, ckr.New(ckr.KeyHandleInvalid, op, nil)
	}
	if e.onToken() && (e.soft() || !all.Has(object.AttrKeyType.Type)) {
		return s.t.whole(ctx, op, e)
	}
	return all, nil
}

// soft reports whether the key is used in software: session keys and public
// keys are.
func (e *entry) soft() bool { return !e.onToken() || e.obj.Class() == object.ClassPublicKey }

// fits compares a key, what can be done with it and what is known of it, with
// what is to be done.
func (s *Session) fits(e *entry, can map[mechanism.Type]mechanism.Info, all object.Template, p Purpose, m mechanism.Type) error {
	info, ok := can[m]
	if !ok || info.Flags&p.Flag == 0 {
		code := ckr.MechanismInvalid
		general := soft.All(s.t.legacy)
		if !e.soft() { // for a key on the card, what the card does counts, too
			general = s.t.Mechanisms()
		}
		if general[m].Flags&p.Flag != 0 {
			code = ckr.KeyTypeInconsistent
			if len(can) == 0 && soft.Weak(all) {
				code = ckr.KeySizeRange
			}
		}
		return ckr.Newf(code, "", "%v is not what this key can do: %s", m, listed(can, p.Flag))
	}
	if !object.Is(all, p.Attr) {
		return ckr.Newf(ckr.KeyFunctionNotPermitted, "", "%v is false", p.Attr.Type)
	}
	if !all.Has(object.AttrAllowedMechanisms.Type) {
		return nil
	}
	if only, ok := object.In(all, object.AttrAllowedMechanisms); !ok || len(only) > 0 && !slices.Contains(only, m) {
		return ckr.Newf(ckr.MechanismInvalid, "", "%v is not among the key's allowed mechanisms", m)
	}
	return nil
}

// listed names the mechanisms of a purpose.
func listed(can map[mechanism.Type]mechanism.Info, f mechanism.Flags) string {
	var names []string
	for m, info := range can {
		if info.Flags&f != 0 {
			names = append(names, m.String())
		}
	}
	if len(names) == 0 {
		return "nothing of the kind"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (s *Session) mechanisms(e *entry, all object.Template) map[mechanism.Type]mechanism.Info {
	if e.soft() {
		return soft.Mechanisms(all, s.t.legacy)
	}
	return unwrapping(s.t.card.backend.Mechanisms(e.ref))
}

// unwrapping adds that who decrypts by OAEP unwraps by it, too: the card
// decrypts, and the key goes on from here.
func unwrapping(can map[mechanism.Type]mechanism.Info) map[mechanism.Type]mechanism.Info {
	info, ok := can[mechanism.TypeRSAPKCSOAEP]
	if !ok || info.Flags&mechanism.FlagDecrypt == 0 || info.Flags&mechanism.FlagUnwrap != 0 {
		return can
	}
	can = maps.Clone(can)
	info.Flags |= mechanism.FlagUnwrap
	can[mechanism.TypeRSAPKCSOAEP] = info
	return can
}

// Mechanisms lists what can be done with one key. The card is reached only for
// a public key that was not read before. Errors: ckr.KeyHandleInvalid.
func (s *Session) Mechanisms(ctx context.Context, o *object.Object) (map[mechanism.Type]mechanism.Info, error) {
	const op = "mechanisms"
	e, err := s.object(op, o, driver.Use)
	if err != nil {
		return nil, err
	}
	all, err := s.keyAttributes(ctx, op, e)
	if err != nil {
		return nil, err
	}
	return maps.Clone(s.mechanisms(e, all)), nil
}

// use runs one use of a key: card, inside a transaction in which the grant was
// checked again, the login restored and the consent verified; or software, for
// session keys and public keys. Errors: ckr.UserNotLoggedIn if the login ended
// or a consent is missing, ckr.KeyHandleInvalid if the key is void,
// ckr.SessionHandleInvalid, and what the function returns.
func (s *Session) use(ctx context.Context, u Use,
	card func(ctx context.Context, b driver.Backend, ref driver.Ref) error, software func(*soft.Material) error) error {
	op, g, a := u.Op, u.Grant, u.Auth
	if err := s.enter(op); err != nil {
		return err
	}
	if g.InSession() {
		return g.useKey(op, software)
	}
	if err := g.good(); err != nil {
		return codes.Wrap(op, err)
	}
	if g.consent && a.Consent.IsZero() {
		return ckr.Newf(ckr.UserNotLoggedIn, op, "each use of this key needs the user's PIN")
	}
	if g.entry.soft() {
		return s.useInSoftware(ctx, u, software)
	}
	c := s.t.card
	if p, ok := c.backend.(driver.Parallel); ok && c.ready(g) {
		return codes.Wrap(op, p.Shared(ctx, func(ctx context.Context) error { return c.useKey(ctx, g, card) }))
	}
	return c.withTransaction(ctx, op, func(ctx context.Context) error {
		if err := c.refresh(ctx, false); err != nil {
			return err
		}
		if err := g.good(); err != nil {
			return err
		}
		if g.entry.private && !g.consent { // the consent verifies the same PIN
			if err := c.restoreLogin(ctx, token.User); err != nil {
				return err
			}
		}
		if err := c.prove(ctx, g.entry, g.consent); err != nil {
			return err
		}
		if g.consent {
			if err := c.consent(ctx, a.Consent, true); err != nil {
				return err
			}
			defer c.mark(token.User, doubtful)
		}
		return c.useKey(ctx, g, card)
	})
}

// useKey has the card use a key, under a grant that holds before and after.
func (c *Card) useKey(ctx context.Context, g Grant, card func(ctx context.Context, b driver.Backend, ref driver.Ref) error) error {
	if err := g.good(); err != nil {
		return err
	}
	if err := card(ctx, c.backend, g.entry.ref); err != nil {
		if isVoid(err) {
			c.reload() // the card has another object there, or none
		}
		return err
	}
	return g.good()
}

// ready reports whether a key can be used without anything being done before:
// the listing is current, the key is proved, the login is verified.
func (c *Card) ready(g Grant) bool {
	current := !outdated(c.backend)
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.dir.records[g.entry.ref]
	current = current && c.dir.loaded && !c.dir.stale && r != nil && (r.wanted == nil || r.proved != nil)
	return current && !g.consent && (!g.entry.private || c.verified[token.User] == verified)
}

// isVoid reports whether an error says that there is no such object.
func isVoid(err error) bool {
	code := ckr.Of(codes.Wrap("", err))
	return code == ckr.KeyHandleInvalid || code == ckr.ObjectHandleInvalid
}

// good checks that the grant still holds.
func (g Grant) good() error {
	t := g.session.t
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case g.session.closed:
		return ckr.New(ckr.SessionHandleInvalid, "", nil)
	case g.entry.private && g.epoch != t.epoch:
		return ckr.Newf(ckr.UserNotLoggedIn, "", "the login under which the operation began has ended")
	case g.entry.dead:
		return ckr.New(ckr.KeyHandleInvalid, "", nil)
	}
	return nil
}

func (s *Session) useInSoftware(ctx context.Context, u Use, f func(*soft.Material) error) error {
	op, g, a := u.Op, u.Grant, u.Auth
	if g.consent {
		c := s.t.card
		err := c.withTransaction(ctx, op, func(ctx context.Context) error { return c.consent(ctx, a.Consent, true) })
		if err != nil {
			return err
		}
	}
	e := g.entry
	if e.onToken() {
		key, err := s.t.publicKey(ctx, op, e)
		if err != nil {
			return err
		}
		return codes.Wrap(op, f(key))
	}
	return g.useKey(op, f)
}

// useKey runs f with the key of a session, which is not cleared meanwhile.
func (g Grant) useKey(op string, f func(*soft.Material) error) error {
	g.entry.using.RLock()
	defer g.entry.using.RUnlock()
	if err := g.good(); err != nil {
		return codes.Wrap(op, err)
	}
	return codes.Wrap(op, f(g.entry.key))
}

// publicKey returns the material of a public key on the card, read once.
func (t *Token) publicKey(ctx context.Context, op string, e *entry) (*soft.Material, error) {
	c := t.card
	if r := c.record(e.ref); r != nil {
		c.mu.Lock()
		key := r.key
		c.mu.Unlock()
		if key != nil {
			return key, nil
		}
	}
	all, err := t.whole(ctx, op, e)
	if err != nil {
		return nil, err
	}
	key, err := soft.NewMaterial(all)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	if r := c.record(e.ref); r != nil && !e.private {
		c.mu.Lock()
		r.key = key
		c.mu.Unlock()
	}
	return key, nil
}

// consent verifies the user's PIN for the use that follows at once; again says
// that the card took it for the operation before, so that nobody has typed it
// for this time. A blocked PIN logs the user out. It runs inside a transaction.
func (c *Card) consent(ctx context.Context, p token.PIN, again bool) error {
	info, err := c.readInfo(ctx)
	if err != nil {
		return err
	}
	if err := checkEntered("", p, info.MinPIN, info.MaxPIN, info.Flags.Has(token.FlagProtectedAuthPath)); err != nil {
		return err
	}
	if err := c.spare(ctx, token.ContextSpecific, p, again); err != nil {
		return err
	}
	err = c.backend.Login(ctx, token.ContextSpecific, p)
	c.mu.Lock()
	c.judgePIN(token.User, p, codes.Wrap("", err))
	c.mu.Unlock()
	if err == nil {
		c.mark(token.User, verified)
		return nil
	}
	c.mark(token.User, doubtful)
	if ckr.Of(codes.Wrap("", err)) == ckr.PINLocked {
		c.lost(token.User, err)
	}
	return err
}

// Consent verifies the user's PIN for an operation under g (C_Login with
// CKU_CONTEXT_SPECIFIC, PKCS #11 v3.2 §5.6.8). A wrong PIN leaves the
// operation as it was. A PIN that is entered on the reader is entered once,
// when the operation uses the key. Errors: ckr.OperationNotInitialized if the
// key needs no consent, ckr.PINIncorrect, ckr.PINLenRange, ckr.PINLocked, which
// logs the user out.
func (s *Session) Consent(ctx context.Context, g Grant, p token.PIN) error {
	const op = "login for one operation"
	if err := s.enter(op); err != nil {
		return err
	}
	if !g.consent {
		return ckr.Newf(ckr.OperationNotInitialized, op, "the key needs no consent")
	}
	c := s.t.card
	return c.withTransaction(ctx, op, func(ctx context.Context) error {
		if err := g.good(); err != nil {
			return err
		}
		if p.IsPad() {
			info, err := c.readInfo(ctx)
			if err != nil {
				return err
			}
			return checkEntered("", p, 0, 0, info.Flags.Has(token.FlagProtectedAuthPath))
		}
		return c.consent(ctx, p, false)
	})
}

const (
	maxRandom     = 1 << 24 // the most bytes that one call of Random returns
	maxCardRandom = 128     // the most that the card is asked for: one exchange
)

// Random returns n random bytes, at most 16 MiB: those of the system, mixed
// with the card's own where it has a generator (C_GenerateRandom). The card is
// asked once; for more bytes than it then gives, its own are stretched by
// SHAKE256. Errors: ckr.ArgumentsBad.
func (s *Session) Random(ctx context.Context, n int) ([]byte, error) {
	const op = "generate random"
	if err := s.enter(op); err != nil {
		return nil, err
	}
	if n < 0 || n > maxRandom {
		return nil, ckr.Newf(ckr.ArgumentsBad, op, "%d bytes", n)
	}
	out := make([]byte, n)
	rand.Read(out)
	r, ok := s.t.card.backend.(driver.Random)
	if !ok || n == 0 {
		return out, nil
	}
	err := s.t.card.withTransaction(ctx, op, func(ctx context.Context) error {
		b, err := r.Random(ctx, min(n, maxCardRandom))
		if len(b) < n {
			stretched := sha3.SumSHAKE256(b, n)
			clear(b)
			b = stretched
		}
		subtle.XORBytes(out, out, b)
		clear(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
