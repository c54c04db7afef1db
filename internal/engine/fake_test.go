package engine

import (
	"context"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// link is a transport on which nothing happens but visits of others.
type link struct{ visited, reset bool }

func (l *link) Transmit(context.Context, []byte) ([]byte, error) { return []byte{0x90, 0x00}, nil }
func (l *link) Info() apdu.Info                                  { return apdu.Info{} }
func (l *link) Close() error                                     { return nil }

func (l *link) Begin(context.Context) (apdu.Begun, error) {
	if l.reset {
		l.reset = false
		return apdu.Begun{}, apdu.ErrReset
	}
	visited := l.visited
	l.visited = false
	return apdu.Begun{End: func() error { return nil }, Undisturbed: !visited}, nil
}

// bare is a Backend that does no more than it must.
type bare struct {
	conn    *apdu.Conn
	records []driver.Record
	read    map[driver.Ref]object.Template
	consent bool
	logins  []string // the PINs that were verified
	logouts int
	right   string
}

func newBare(t testing.TB, l *link) *bare {
	b := &bare{conn: apdu.NewConn(l), right: "1234"}
	t.Cleanup(func() { b.conn.Close() })
	return b
}

func (b *bare) Exclusive(ctx context.Context, f func(ctx context.Context, tx driver.Tx) error) error {
	return driver.Exclusive(ctx, b.conn, nil, f)
}

func (b *bare) Alive() bool { return b.conn.Alive() }

func (b *bare) Info(context.Context) (token.Info, error) {
	return token.Info{Label: "bare", Flags: token.FlagTokenInitialized | token.FlagUserPINInitialized, MinPIN: 4, MaxPIN: 8, MinSOPIN: 4, MaxSOPIN: 8}, nil
}

func (b *bare) Objects(context.Context, bool) ([]driver.Record, error) { return b.records, nil }

func (b *bare) Read(_ context.Context, ref driver.Ref, _ ...object.Type) (object.Template, error) {
	return b.read[ref], nil
}

func (b *bare) Mechanisms(driver.Ref) map[mechanism.Type]mechanism.Info { return nil }
func (b *bare) Needs(driver.Verb, driver.Ref) driver.Need               { return driver.Need{Consent: b.consent} }

func (b *bare) Login(_ context.Context, _ token.Role, p token.PIN) error {
	if string(p.Reveal()) != b.right {
		return ckr.New(ckr.PINIncorrect, "", nil)
	}
	b.logins = append(b.logins, string(p.Reveal()))
	return nil
}

func (b *bare) Logout(context.Context, token.Role) error { b.logouts++; return nil }

// signer is a bare Backend that signs.
type signer struct {
	*bare
	used int
}

func (s *signer) Mechanisms(driver.Ref) map[mechanism.Type]mechanism.Info {
	return map[mechanism.Type]mechanism.Info{mechanism.TypeECDSA: {Flags: mechanism.FlagSign}}
}

func (s *signer) Sign(context.Context, driver.Ref, mechanism.Mechanism, []byte, driver.Auth) ([]byte, error) {
	s.used++
	return []byte("signature"), nil
}

// record is an object of a bare Backend.
func recordOf(ref driver.Ref, class object.Class, private bool, more ...object.Attribute) driver.Record {
	return driver.Record{Ref: ref, Private: private, Known: object.Template{
		object.AttrClass.Is(class), object.AttrToken.Is(true), object.AttrPrivate.Is(private), object.AttrLabel.Is(string(ref)),
		object.AttrModifiable.Is(true), object.AttrDestroyable.Is(true), object.AttrCopyable.Is(true),
	}.With(more...)}
}

func keyRecord(ref driver.Ref) driver.Record {
	return recordOf(ref, object.ClassPrivateKey, true, object.AttrKeyType.Is(object.KeyEC), object.AttrSign.Is(true),
		object.AttrSensitive.Is(true), object.AttrExtractable.Is(false))
}

// seatOn opens a session with a Backend, and logs the user in.
func seatOn(t *testing.T, b driver.Backend) *Session {
	t.Helper()
	s, err := NewCard(b, "").Application().OpenSession(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Login(t.Context(), token.User, token.NewPIN([]byte("1234"))); err != nil {
		t.Fatal(err)
	}
	return s
}

func found(t *testing.T, s *Session, match ...object.Attribute) (all []*object.Object) {
	t.Helper()
	for o, err := range s.Find(t.Context(), match...) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

func code(t *testing.T, err error, want ckr.Code) {
	t.Helper()
	if ckr.Of(err) != want {
		t.Errorf("got %v, want %v", err, want.Name())
	}
}
