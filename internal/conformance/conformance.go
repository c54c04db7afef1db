package conformance

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// Fixture is a token to try.
type Fixture struct {
	// Token is initialised, with the user's PIN set, and in nobody's use.
	Token token.Token
	// Another returns the view of another application on the same card; nil if
	// there is none to be had.
	Another func(t *testing.T) token.Token
	// SOPIN may be empty, if nobody knows it. OtherPIN is good to be set.
	SOPIN, UserPIN, OtherPIN string
	// OwnNames says that labels and identifiers of keys and certificates are
	// the token's own, so that templates leave them out.
	OwnNames bool
	// Ask gives the card's write secret; nil if it has none.
	Ask token.PINFunc
	// Keys is the number of private keys that are on the token from the start.
	Keys int
	// Everything says that the token does all that there are suites for.
	Everything bool
}

// Run runs all suites, each on a token of its own.
func Run(t *testing.T, fresh func(t *testing.T) Fixture) {
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) { s.run(&rig{T: t, Fixture: fresh(t)}) })
	}
}

var suites = []struct {
	name string
	run  func(*rig)
}{
	{"info", info},
	{"sessions", sessions},
	{"login", login},
	{"PINs", pins},
	{"data objects", dataObjects},
	{"private objects", privateObjects},
	{"keys that are there", presentKeys},
	{"RSA keys", rsaKeys},
	{"EC keys", ecKeys},
	{"imported keys", importedKeys},
	{"secret keys", secretKeys},
	{"certificates", certificates},
	{"session objects", sessionObjects},
	{"random", random},
	{"applications", applications},
	{"initialise", initialise},
}

// rig is a token and what a suite does with it.
type rig struct {
	*testing.T
	Fixture
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// code checks that an error has one of the codes, and is of the library's kind.
func (r *rig) code(err error, want ...ckr.Code) {
	r.Helper()
	var e *ckr.Error
	if err != nil && !errors.As(err, &e) {
		r.Errorf("%T is no *ckr.Error: %v", err, err)
	}
	var names []string
	for _, w := range want {
		if ckr.Of(err) == w {
			return
		}
		names = append(names, w.Name())
	}
	r.Errorf("got %v, want %s", err, strings.Join(names, " or "))
}

// offered tells whether the token does what was tried; if not, it has said so.
func (r *rig) offered(what string, err error) bool {
	r.Helper()
	if err == nil {
		return true
	}
	if r.Everything {
		r.Errorf("%s: %v", what, err)
		return false
	}
	switch ckr.Of(err) {
	case ckr.FunctionNotSupported, ckr.MechanismInvalid, ckr.KeySizeRange, ckr.CurveNotSupported,
		ckr.TemplateInconsistent, ckr.TokenWriteProtected, ckr.UserTypeInvalid, ckr.ActionProhibited:
		r.Logf("not offered: %s: %v", what, err)
		return false
	}
	r.Errorf("%s: %v", what, err)
	return false
}

// without takes note of what the token does not do.
func (r *rig) without(what string) {
	r.Helper()
	if r.Everything {
		r.Errorf("not offered: %s", what)
		return
	}
	r.Logf("not offered: %s", what)
}

// does tells whether the token claims a function of a mechanism.
func (r *rig) does(m mechanism.Mechanism, f mechanism.Flags) bool {
	info, ok := r.Token.Mechanisms()[m.Type()]
	return ok && info.Flags.Has(f)
}

func pin(s string) token.PIN { return token.NewPIN([]byte(s)) }

func (r *rig) open(rw bool) *session.Session {
	r.Helper()
	return r.openOn(r.Token, rw)
}

func (r *rig) openOn(t token.Token, rw bool) *session.Session {
	r.Helper()
	opts := []session.Option{session.WithPINFunc(r.Ask)}
	if rw {
		opts = append(opts, session.ReadWrite())
	}
	s, err := session.Open(r.Context(), t, opts...)
	r.must(err)
	r.Cleanup(func() { s.Close() })
	return s
}

// user opens a read/write session and logs the user in.
func (r *rig) user() *session.Session {
	r.Helper()
	s := r.open(true)
	r.must(s.Login(r.Context(), token.User, pin(r.UserPIN)))
	return s
}

func (r *rig) inState(s *session.Session, want token.State) {
	r.Helper()
	i, err := s.Info()
	r.must(err)
	if i.State != want {
		r.Errorf("the session is in state %v, want %v", i.State, want)
	}
}

// find returns what a session finds.
func (r *rig) find(s *session.Session, match ...object.Attribute) (found []*object.Object) {
	r.Helper()
	for o, err := range s.Find(r.Context(), match...) {
		r.must(err)
		found = append(found, o)
	}
	return found
}

// seen checks how many objects a session finds.
func (r *rig) seen(s *session.Session, want int, match ...object.Attribute) {
	r.Helper()
	if n := len(r.find(s, match...)); n != want {
		r.Errorf("%d objects are found, want %d: %v", n, want, match)
	}
}

// named is the label and the identifier of a key or certificate, where the
// token takes them.
func (r *rig) named(label string, id []byte) object.Template {
	if r.OwnNames {
		return nil
	}
	return object.Template{labelled(label), object.AttrID.Is(id)}
}

func labelled(label string) object.Attribute { return object.AttrLabel.Is(label) }

// data is the template of a data object.
func data(label string, onToken, private bool, value string) object.Template {
	return object.Template{
		object.AttrClass.Is(object.ClassData), object.AttrToken.Is(onToken), object.AttrPrivate.Is(private),
		labelled(label), object.AttrApplication.Is("conformance"), object.AttrValue.Is([]byte(value)),
	}
}

// value reads the value of an object.
func (r *rig) value(o *object.Object) string {
	r.Helper()
	v, err := object.Get(r.Context(), o, object.AttrValue)
	r.must(err)
	return string(v)
}
