package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/pcsc"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/uri"
)

// openCard opens the virtual card; only some commands make a new one.
func (e *env) openCard(create bool) (*virtual.Card, error) {
	if e.card == "" {
		return nil, usagef("no card given: --card FILE names a virtual one")
	}
	if _, err := os.Stat(e.card); !create && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no card in %s; cryptoki --card %s init makes one", e.card, e.card)
	}
	return virtual.Open(e.card)
}

// readers returns the virtual card's reader, or those of the machine, and what
// closes them.
func (e *env) readers(create bool) (apdu.Provider, func() error, error) {
	if e.card == "" {
		p, err := pcsc.Open()
		if err != nil {
			return nil, nil, err
		}
		return p, func() error { return nil }, nil
	}
	card, err := e.openCard(create)
	if err != nil {
		return nil, nil, err
	}
	return virtual.Single(card), card.Close, nil
}

// logger prints the exchanges with cards, if they are wanted.
func (e *env) logger() *slog.Logger {
	if !e.trace {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(e.err, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// withModule runs f with a Module on the card or the machine's readers.
func (e *env) withModule(ctx context.Context, create bool, f func(m *cryptoki.Module) error, opts ...cryptoki.Option) error {
	readers, done, err := e.readers(create)
	if err != nil {
		return err
	}
	defer done()
	opts = append(opts, cryptoki.WithProvider(readers))
	if e.trace {
		opts = append(opts, cryptoki.WithLogger(e.logger()))
	}
	m, err := cryptoki.Open(ctx, opts...)
	if err != nil {
		return err
	}
	return errors.Join(f(m), m.Close())
}

// withSession runs f in a session with the token that a URI names; as the user,
// if login is set.
func (e *env) withSession(ctx context.Context, text string, opts []session.Option, login *string, f func(s *session.Session, u *uri.URI) error) error {
	u, err := uri.Parse(text)
	if err != nil {
		return usageError{err}
	}
	return e.withModule(ctx, false, func(m *cryptoki.Module) error {
		t, err := m.Token(ctx, text)
		if err != nil {
			return err
		}
		s, err := session.Open(ctx, t, opts...)
		if err != nil {
			return err
		}
		defer s.Close()
		if login != nil {
			if *login == "" && u.PINValue != nil {
				*login = *u.PINValue
			}
			about, err := t.Info(ctx)
			if err != nil {
				return err
			}
			user, err := e.userPIN(*login, "user's PIN", about)
			if err != nil {
				return err
			}
			defer user.Clear()
			if err := s.Login(ctx, token.User, user); err != nil {
				return err
			}
		}
		return f(s, u)
	})
}

// asker asks for the user's PIN when a key needs it.
func (e *env) asker(given string) cryptoki.Option {
	return cryptoki.WithPIN(func(_ context.Context, r token.PINRequest) (token.PIN, error) {
		who := fmt.Sprintf("PIN of the token %q", r.Token.Label)
		if r.Reason == token.ReasonConsent {
			who += fmt.Sprintf(", to use the key %q once", r.Key)
		}
		return e.userPIN(given, who, r.Token)
	})
}

// withKey runs f with the private key that a URI names.
func (e *env) withKey(ctx context.Context, text, pin string, f func(k session.Key) error) error {
	if _, err := uri.Parse(text); err != nil {
		return usageError{err}
	}
	return e.withModule(ctx, false, func(m *cryptoki.Module) error {
		k, err := m.Key(ctx, text)
		if err != nil {
			return err
		}
		return f(k.WithContext(ctx))
	}, e.asker(pin), cryptoki.WithPINCache(cryptoki.CacheOneOperation()))
}

// classes is the object classes by the word that a URI has for them.
var classes = map[string]object.Class{
	"public": object.ClassPublicKey, "private": object.ClassPrivateKey, "cert": object.ClassCertificate,
	"secret-key": object.ClassSecretKey, "data": object.ClassData,
}

// match is what a URI says of objects, for Find.
func match(u *uri.URI) (t object.Template, err error) {
	if u.Type != nil {
		class, ok := classes[*u.Type]
		if !ok {
			return nil, usagef("there is no type %q of objects", *u.Type)
		}
		t = append(t, object.AttrClass.Is(class))
	}
	if u.Object != nil {
		t = append(t, object.AttrLabel.Is(*u.Object))
	}
	if u.HasID {
		t = append(t, object.AttrID.Is(u.ID))
	}
	return t, nil
}

// one returns the only object that a URI names, of some classes.
func one(ctx context.Context, s *session.Session, u *uri.URI, among ...object.Class) (*object.Object, error) {
	t, err := match(u)
	if err != nil {
		return nil, err
	}
	var found []*object.Object
	for o, err := range s.Find(ctx, t...) {
		if err != nil {
			return nil, err
		}
		for _, class := range among {
			if o.Class() == class {
				found = append(found, o)
			}
		}
		if len(among) == 0 {
			found = append(found, o)
		}
	}
	switch len(found) {
	case 0:
		return nil, ckr.Newf(ckr.ObjectHandleInvalid, "", "nothing that is visible is named %s", u.Redacted())
	case 1:
		return found[0], nil
	}
	return nil, ckr.Newf(ckr.ArgumentsBad, "", "%d objects are named %s; say type= or id= as well", len(found), u.Redacted())
}

// input reads a file or, without a name, the standard input.
func (e *env) input(name string) ([]byte, error) {
	if name != "" && name != "-" {
		return os.ReadFile(name)
	}
	return io.ReadAll(e.in)
}

// output writes a result: to a file, as it is to the standard output for -, and
// without a name in hexadecimal digits, or for machines under a name.
func (e *env) output(out, name string, data []byte) error {
	switch out {
	case "":
		text := hex.EncodeToString(data)
		return e.print(map[string]string{name: text}, text)
	case "-":
		_, err := e.out.Write(data)
		return err
	}
	return os.WriteFile(out, data, 0o600)
}

// print prints a result for machines or for people.
func (e *env) print(v any, text string) error {
	if !e.json {
		_, err := fmt.Fprintln(e.out, text)
		return err
	}
	enc := json.NewEncoder(e.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
