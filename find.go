package cryptoki

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/piv"
	"github.com/go-cryptoki/cryptoki/uri"
)

// NotFoundError says that a URI names nothing that is there.
type NotFoundError struct {
	URI    string   // without a PIN
	Looked []string // the tokens that were looked at, or what kept from it
}

func (e *NotFoundError) Error() string {
	if len(e.Looked) == 0 {
		return fmt.Sprintf("nothing is named %s: there is no token", e.URI)
	}
	return fmt.Sprintf("nothing is named %s; looked at %s", e.URI, strings.Join(e.Looked, ", "))
}

// AmbiguousError says that a URI names several things.
type AmbiguousError struct {
	URI     string   // without a PIN
	Matches []string // a URI for each
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%d things are named %s: %s", len(e.Matches), e.URI, strings.Join(e.Matches, ", "))
}

// found is an object that a URI names.
type found struct {
	m   *member
	s   *session.Session
	o   *object.Object
	uid string
	uri string

	private bool   // seen after a login only
	ckaID   []byte // CKA_ID
}

// words is the type attribute of RFC 7512 for each class.
var words = map[object.Class]string{
	object.ClassPublicKey: "public", object.ClassPrivateKey: "private", object.ClassCertificate: "cert",
	object.ClassSecretKey: "secret-key", object.ClassData: "data",
}

// search is one look through the tokens that a URI fits.
type search struct {
	ring   *keyring
	u      *uri.URI
	ask    token.PINFunc
	looked []string // as in NotFoundError
	fit    bool     // a token fits
}

// newSearch parses a URI; a PIN that it holds or points to goes before the
// Module's own.
func (r *keyring) newSearch(text string) (*search, error) {
	u, err := uri.Parse(text)
	if err != nil {
		return nil, ckr.New(ckr.ArgumentsBad, "", err)
	}
	ask, err := r.allow.pinOf(u)
	if err != nil {
		return nil, err
	}
	if ask == nil {
		ask = r.ask
	}
	return &search{ring: r, u: u, ask: ask}, nil
}

// members returns the tokens that the URI fits.
func (q *search) members(ctx context.Context) (list []*member, err error) {
	slots, err := q.ring.list.Slots(ctx, true)
	if err == nil && ctx.Err() != nil { // not all may be recognised yet
		err = ckr.New(ckr.FunctionCanceled, "", ctx.Err())
	}
	if err != nil {
		return nil, err
	}
	for _, s := range slots {
		t, err := s.Token(ctx)
		var info token.Info
		if err == nil {
			info, err = t.Info(ctx)
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, err
		case err != nil:
			q.looked = append(q.looked, fmt.Sprintf("slot %d (%v)", s.ID(), err))
			continue
		}
		id := identityOf(info)
		if !q.u.MatchToken(about(s, info)) {
			q.looked = append(q.looked, id.describe())
			continue
		}
		if !info.Flags.Has(token.FlagTokenInitialized) {
			q.looked = append(q.looked, fmt.Sprintf("slot %d (%v)", s.ID(), ckr.TokenNotInitialized))
			continue
		}
		q.fit = true
		m, err := q.ring.member(ctx, ownToken(t), id)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// library is what a URI may say of this one.
var library = uri.Library{Manufacturer: "go-cryptoki", Description: "cryptoki", Version: uri.Version{Major: 0, Minor: 1}}

// about is what a URI may say of a token.
func about(s *slot.Slot, info token.Info) uri.Token {
	return uri.Token{
		Slot:  uri.Slot{ID: uint64(s.ID()), Description: s.Info().Reader, Library: library},
		Label: info.Label, Manufacturer: info.Manufacturer, Model: info.Model, Serial: info.Serial,
	}
}

// Token returns the token that a PKCS #11 URI names, which may be one that is
// not initialised; what the URI says of an object is not looked at. No PIN is
// asked for. Errors: ckr.ArgumentsBad with an *AmbiguousError if several tokens
// fit, ckr.TokenNotPresent with a *NotFoundError if none does, and
// ckr.ArgumentsBad with a *uri.Error.
func (m *Module) Token(ctx context.Context, text string) (token.Token, error) {
	u, err := uri.Parse(text)
	if err != nil {
		return nil, ckr.New(ckr.ArgumentsBad, "", err)
	}
	slots, err := m.Slots(ctx, true)
	if err != nil {
		return nil, err
	}
	var fit []token.Token
	var matches, looked []string
	for _, s := range slots {
		t, err := s.Token(ctx)
		var info token.Info
		if err == nil {
			info, err = t.Info(ctx)
		}
		if err != nil {
			looked = append(looked, fmt.Sprintf("slot %d (%v)", s.ID(), err))
			continue
		}
		id := identityOf(info)
		looked = append(looked, id.describe())
		if u.MatchToken(about(s, info)) {
			fit, matches = append(fit, t), append(matches, id.String())
		}
	}
	switch len(fit) {
	case 1:
		return fit[0], nil
	case 0:
		return nil, ckr.New(ckr.TokenNotPresent, "", &NotFoundError{u.Redacted(), looked})
	}
	return nil, ckr.New(ckr.ArgumentsBad, "", &AmbiguousError{u.Redacted(), matches})
}

// match is what the URI says of an object of a class.
func (q *search) match(class object.Class) (t []object.Attribute) {
	t = append(t, object.AttrClass.Is(class))
	if q.u.Object != nil {
		t = append(t, object.AttrLabel.Is(*q.u.Object))
	}
	if q.u.HasID {
		t = append(t, object.AttrID.Is(q.u.ID))
	}
	return t
}

// maxSearches bounds how often a search begins anew that a reset of the card
// has disturbed.
const maxSearches = 8

// on looks for objects of a class on one token, after a login if that is
// wanted: again if the login ended meanwhile, for then nothing private is seen
// any more. A login that failed is not tried again.
func (q *search) on(ctx context.Context, m *member, login bool, match ...object.Attribute) (list []found, err error) {
	if login {
		if err := m.enter(ctx); err != nil {
			return nil, err
		}
		defer m.leave()
	}
	for range maxSearches {
		s, err := m.open(ctx, evidence{})
		if err != nil {
			return nil, err
		}
		if login {
			for range s.Find(ctx, object.AttrUniqueID.Is("")) { // notices a reset
			}
			if err := m.login(ctx, s, q.ask); err != nil {
				return nil, err
			}
		}
		list, err = m.look(ctx, s, match)
		if err == nil && ctx.Err() != nil { // nothing seen is not nothing there
			err = ckr.New(ckr.FunctionCanceled, "", ctx.Err())
		}
		if ctx.Err() != nil || !errors.Is(err, apdu.ErrReset) && (!login || loggedIn(s)) {
			return list, err
		}
	}
	return nil, resetAgain(err)
}

// isDisturbed reports whether an error tells of a reset, and of nothing else:
// the handle is void, the login has ended, or a read was cut off.
func isDisturbed(ctx context.Context, err error) bool {
	switch ckr.Of(err) {
	case ckr.ObjectHandleInvalid, ckr.UserNotLoggedIn:
		return ctx.Err() == nil
	}
	return errors.Is(err, apdu.ErrReset) && ctx.Err() == nil
}

// resetAgain is what comes of searching on a card that is reset all the time.
func resetAgain(err error) error {
	return ckr.Newf(ckr.UserNotLoggedIn, "", "the card was reset again and again: %w", cmp.Or(err, error(ckr.UserNotLoggedIn)))
}

// alive returns what was found with a handle that is good: of something private
// it is void after a logout or a reset.
func (q *search) alive(ctx context.Context, f found) (found, error) {
	if _, err := object.Get(ctx, f.o, object.AttrClass); err == nil {
		return f, nil
	}
	var err error
	f.s, f.o, err = f.m.reopen(f, nil, q.ask)(ctx)
	return f, err
}

// look looks for objects in a session.
func (m *member) look(ctx context.Context, s *session.Session, match []object.Attribute) (list []found, err error) {
	for o, err := range s.Find(ctx, match...) {
		if err != nil {
			return nil, err
		}
		if !isNamed(match) && isMarkedAttestation(ctx, o) {
			continue
		}
		f := found{m: m, s: s, o: o}
		if f.uid, err = object.Get(ctx, o, object.AttrUniqueID); err != nil {
			return nil, err
		}
		if f.private, err = object.Get(ctx, o, object.AttrPrivate); err != nil {
			return nil, err
		}
		f.ckaID, _ = object.Get(ctx, o, object.AttrID)
		f.uri = m.uriOf(ctx, o)
		list = append(list, f)
	}
	return list, nil
}

// isNamed reports whether a search is for an object by its name.
func isNamed(match object.Template) bool {
	return match.Has(object.AttrID.Type) || match.Has(object.AttrLabel.Type) || match.Has(object.AttrUniqueID.Type)
}

// isMarkedAttestation reports whether a token tells of a certificate that it is
// an attestation, as those of package piv do, without having the card make it.
func isMarkedAttestation(ctx context.Context, o *object.Object) bool {
	if o.Class() != object.ClassCertificate {
		return false
	}
	id, err := object.Get(ctx, o, object.AttrID)
	if err != nil || !piv.IsAttestationID(id) {
		return false
	}
	category, err := object.Get(ctx, o, object.AttrCertificateCategory)
	return err == nil && category == object.CertificateCategoryOtherEntity
}

// uriOf names an object.
func (m *member) uriOf(ctx context.Context, o *object.Object) string {
	u := uri.URI{Token: &m.id.label, Serial: &m.id.serial}
	if label, err := object.Get(ctx, o, object.AttrLabel); err == nil {
		u.Object = &label
	}
	if id, err := object.Get(ctx, o, object.AttrID); err == nil {
		u.ID, u.HasID = id, true
	}
	if w, ok := words[o.Class()]; ok {
		u.Type = &w
	}
	return u.String()
}

// all looks for objects of a class on all tokens that the URI fits. Most private
// objects need a login: where several tokens fit, those that show a public key
// or a certificate of that name are asked first, and the others only if none of
// those has it, so that no PIN is asked for in vain. What was found before an
// error comes with it.
func (q *search) all(ctx context.Context, class object.Class) (list []found, err error) {
	members, err := q.members(ctx)
	if err != nil {
		return nil, err
	}
	private := class == object.ClassPrivateKey || class == object.ClassSecretKey
	named, likely := q.u.Object != nil || q.u.HasID, len(members)
	if private && named && len(members) > 1 {
		members, likely = q.likelyFirst(ctx, members)
	}
	failed := false
	for i, m := range members {
		if i == likely && (len(list) > 0 || failed) {
			break
		}
		some, err := q.visible(ctx, m, private, q.match(class)...)
		if private && !named {
			some = slices.DeleteFunc(some, func(f found) bool { return f.idle(ctx) })
		}
		list = append(list, some...)
		if err != nil {
			if likely == 1 && i == 0 || ctx.Err() != nil {
				return list, err
			}
			q.looked = append(q.looked, fmt.Sprintf("%s (%v)", m.describe(), err))
			failed = true
			continue
		}
		q.looked = append(q.looked, m.describe())
	}
	return list, nil
}

// idle reports whether a key is one that programs cannot use, as the attestation
// key of a YubiKey. It is found only by its name.
func (f found) idle(ctx context.Context) bool {
	for _, use := range []object.Attr[bool]{object.AttrSign, object.AttrDecrypt, object.AttrDerive, object.AttrDecapsulate, object.AttrUnwrap} {
		if can, err := object.Get(ctx, f.o, use); can || err != nil && ckr.Of(err) != ckr.AttributeTypeInvalid {
			return false
		}
	}
	return true
}

// visible looks for objects of a class on one token. If they may be private, the
// user is logged in only where that may show more. Should that fail, what needs
// no login comes with the error.
func (q *search) visible(ctx context.Context, m *member, private bool, match ...object.Attribute) ([]found, error) {
	list, err := q.on(ctx, m, false, match...)
	if err != nil || !private {
		return list, err
	}
	s, err := m.open(ctx, evidence{})
	if err != nil {
		return nil, err
	}
	needs, err := s.NeedsLogin(ctx, match...)
	if isDisturbed(ctx, err) {
		needs, err = true, nil
	}
	if err != nil || !needs {
		return list, err
	}
	all, err := q.on(ctx, m, true, match...)
	if err != nil {
		return list, err
	}
	return all, nil
}

// likelyFirst puts the tokens first that show something public of the wanted
// name. n is how many they are, or if there are none that of all.
func (q *search) likelyFirst(ctx context.Context, members []*member) (ordered []*member, n int) {
	var some, others []*member
	for _, m := range members {
		if q.isLikely(ctx, m) {
			some = append(some, m)
		} else {
			others = append(others, m)
		}
	}
	if len(some) == 0 {
		return members, len(members)
	}
	return append(some, others...), len(some)
}

func (q *search) isLikely(ctx context.Context, m *member) bool {
	for _, class := range []object.Class{object.ClassPublicKey, object.ClassCertificate} {
		if hits, err := q.on(ctx, m, false, q.match(class)...); err == nil && len(hits) > 0 {
			return true
		}
	}
	return false
}

// only returns the one of the list.
func (q *search) only(list []found) (found, error) {
	switch len(list) {
	case 1:
		return list[0], nil
	case 0:
		code := ckr.KeyHandleInvalid
		if !q.fit {
			code = ckr.TokenNotPresent
		}
		return found{}, ckr.New(code, "", &NotFoundError{q.u.Redacted(), q.looked})
	}
	e := &AmbiguousError{URI: q.u.Redacted()}
	for _, f := range list {
		e.Matches = append(e.Matches, f.uri)
	}
	return found{}, ckr.New(ckr.ArgumentsBad, "", e)
}
