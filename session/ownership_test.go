package session_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestTemplatesStayTheCallers makes objects in every way: neither the making
// nor the end of the object changes the template that the caller gave.
func TestTemplatesStayTheCallers(t *testing.T) {
	everyMaking(t, func(t *testing.T, r *rig, s *session.Session, _ *object.Object, used watched) {
		noError(t, r.token.CloseSessions(t.Context()))
		if diff := cmp.Diff(used.was, text(used.Template)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestObjectsAreTheirOwn makes objects in every way: what the caller does with
// the template later does not change the object.
func TestObjectsAreTheirOwn(t *testing.T) {
	everyMaking(t, func(t *testing.T, r *rig, s *session.Session, o *object.Object, used watched) {
		if onToken := must(object.Get(t.Context(), o, object.AttrToken))(t); onToken {
			// Other applications see what the card is known to hold.
			s = r.application().openAs(token.User)
			o, _ = labelled(t, s, "mine", object.AttrClass.Is(o.Class()))
		}
		before := readAll(t, s, o)
		used.Clear()
		if diff := cmp.Diff(before, readAll(t, s, o)); diff != "" {
			t.Error(diff)
		}
		if got := must(object.Get(t.Context(), o, object.AttrLabel))(t); got != "mine" {
			t.Errorf("the label is %q", got)
		}
	})
}

func everyMaking(t *testing.T, check func(t *testing.T, r *rig, s *session.Session, o *object.Object, used watched)) {
	for name, make := range makers {
		for kindName, kind := range kinds {
			if kind == engine.PublicToken && name != "create" && name != "copy" && name != "set" {
				continue // keys of these cards are private
			}
			t.Run(name+"/"+kindName, func(t *testing.T) {
				r := newRig(t)
				s := r.openAs(token.User)
				o, used := make(t, s, object.Template{
					object.AttrToken.Is(kind.Token()), object.AttrPrivate.Is(kind.Private()),
					object.AttrLabel.Is("mine"), object.AttrDestroyable.Is(false),
				})
				check(t, r, s, o, used)
			})
		}
	}
}

// watched is a template, and what it held when it was given.
type watched struct {
	object.Template
	was []string
}

func watch(t object.Template) watched { return watched{t, text(t)} }

// readAll reads an object, session or token, as text.
func readAll(t *testing.T, s *session.Session, o *object.Object) []string {
	t.Helper()
	var all object.Template
	for _, v := range must(s.Attributes(t.Context(), o))(t) {
		all = append(all, v.Attribute)
	}
	return text(all)
}

func text(all object.Template) (lines []string) {
	for _, a := range all {
		lines = append(lines, fmt.Sprintf("%v %x", a.Type, a.Bytes()))
	}
	return lines
}

// makers make an object from a template, which they complete; they return the
// object and the template as it was given.
var makers = map[string]func(t *testing.T, s *session.Session, given object.Template) (*object.Object, watched){
	"create": func(t *testing.T, s *session.Session, given object.Template) (*object.Object, watched) {
		w := watch(given.With(object.AttrClass.Is(object.ClassData), object.AttrValue.Is([]byte("v"))))
		return must(s.Create(t.Context(), w.Template...))(t), w
	},
	"create key": func(t *testing.T, s *session.Session, given object.Template) (*object.Object, watched) {
		w := watch(given.With(object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES),
			object.AttrValue.Is([]byte("0123456789abcdef")), object.AttrEncrypt.Is(true),
			object.AttrStartDate.Is(object.Date{Year: 2026, Month: 1, Day: 1})))
		return must(s.Create(t.Context(), w.Template...))(t), w
	},
	"copy": func(t *testing.T, s *session.Session, given object.Template) (*object.Object, watched) {
		private, _ := object.In(given, object.AttrPrivate)
		source := data(engine.PublicSession, "source", object.AttrPrivate.Is(private))
		w := watch(given.Without(object.AttrPrivate.Type).With(object.AttrModifiable.Is(true)))
		return must(s.Copy(t.Context(), must(s.Create(t.Context(), source...))(t), w.Template...))(t), w
	},
	"set": func(t *testing.T, s *session.Session, given object.Template) (*object.Object, watched) {
		o := must(s.Create(t.Context(), given.With(object.AttrClass.Is(object.ClassData), object.AttrLabel.Is("old"))...))(t)
		w := watch(object.Template{object.AttrLabel.Is("mine"), object.AttrValue.Is([]byte("new"))})
		noError(t, s.Set(t.Context(), o, w.Template...))
		return o, w
	},
	"generate key": func(t *testing.T, s *session.Session, given object.Template) (*object.Object, watched) {
		w := watch(given.With(object.AttrValueLen.Is(16)))
		return must(s.GenerateKey(t.Context(), mechanism.AESKeyGen{}, w.Template...))(t), w
	},
	"generate public key": func(t *testing.T, s *session.Session, given object.Template) (*object.Object, watched) {
		pub := watch(given.With(object.AttrECParams.Is(p256)))
		o, _, err := s.GenerateKeyPair(t.Context(), mechanism.ECKeyPairGen{}, pub.Template, given.With(object.AttrPrivate.Is(true)))
		noError(t, err)
		return o, pub
	},
	"generate public session key": func(t *testing.T, s *session.Session, given object.Template) (*object.Object, watched) {
		pub := watch(object.Template{object.AttrECParams.Is(p256), object.AttrLabel.Is("mine")})
		o, _, err := s.GenerateKeyPair(t.Context(), mechanism.ECKeyPairGen{}, pub.Template, given.With(object.AttrPrivate.Is(true)))
		noError(t, err)
		return o, pub
	},
	"generate private key": func(t *testing.T, s *session.Session, given object.Template) (*object.Object, watched) {
		w := watch(given)
		_, o, err := s.GenerateKeyPair(t.Context(), mechanism.ECKeyPairGen{},
			object.Template{object.AttrECParams.Is(p256)}, w.Template)
		noError(t, err)
		return o, w
	},
	"derive": func(t *testing.T, s *session.Session, given object.Template) (*object.Object, watched) {
		pub, _ := pair(t, s, engine.PublicSession, "peer")
		_, base := pair(t, s, engine.PublicSession, "base")
		w := watch(given.With(object.AttrKeyType.Is(object.KeyAES), object.AttrValueLen.Is(16)))
		peer := must(object.Get(t.Context(), pub, object.AttrECPoint))(t)
		return must(s.Derive(t.Context(), mechanism.ECDH{Public: peer}, base, w.Template...))(t), w
	},
}
