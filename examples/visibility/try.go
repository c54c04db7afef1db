package main

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// Outcomes that are no return codes.
const (
	yes     = "✓"
	unfound = "not found"
)

// try makes an object of a kind while the user is logged in, brings the
// session into a state, and has it do something with the object. An error is
// one of the preparation.
func (c *card) try(ctx context.Context, state token.State, k kind, v verb) (string, error) {
	// Token objects need a read/write session to be made, whatever the state
	// that is looked at.
	maker, err := session.Open(ctx, c.token, session.ReadWrite())
	if err != nil {
		return "", err
	}
	defer maker.Close()
	if err := maker.Login(ctx, token.User, userPIN); err != nil {
		return "", err
	}
	var opts []session.Option
	if state != token.ROPublic && state != token.ROUser {
		opts = append(opts, session.ReadWrite())
	}
	s, err := session.Open(ctx, c.token, opts...)
	if err != nil {
		return "", err
	}
	defer s.Close()

	o, err := maker.Create(ctx, template(k, "example")...)
	if err != nil {
		return "", err
	}
	if err := enter(ctx, s, state); err != nil {
		return "", err
	}
	result := do(ctx, s, o, k, v)
	return result, c.clear(ctx)
}

func template(k kind, label string) object.Template {
	return object.Template{
		object.AttrClass.Is(object.ClassData), object.AttrLabel.Is(label), object.AttrValue.Is([]byte("value")),
		object.AttrToken.Is(k.token), object.AttrPrivate.Is(k.private),
	}
}

// do has a session do one thing with an object, and tells what came of it.
func do(ctx context.Context, s *session.Session, o *object.Object, k kind, v verb) string {
	var err error
	switch v {
	case find:
		for found, err := range s.Find(ctx, object.AttrLabel.Is("example")) {
			if err != nil {
				return outcome(err)
			}
			if found.Class() == object.ClassData {
				return yes
			}
		}
		return unfound
	case read:
		_, err = s.Attributes(ctx, o, object.AttrValue.Type)
	case create:
		_, err = s.Create(ctx, template(k, "another example")...)
	case modify:
		err = s.Set(ctx, o, object.AttrLabel.Is("changed example"))
	case destroy:
		err = s.Destroy(ctx, o)
	}
	return outcome(err)
}

func outcome(err error) string {
	if err == nil {
		return yes
	}
	return ckr.Of(err).Name()
}

// clear makes the card empty for the next try. It starts from a new login,
// since the sessions of the try are in any state.
func (c *card) clear(ctx context.Context) error {
	if err := c.token.CloseSessions(ctx); err != nil {
		return err
	}
	s, err := session.Open(ctx, c.token, session.ReadWrite())
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Login(ctx, token.User, userPIN); err != nil {
		return err
	}
	for o, err := range s.Find(ctx, object.AttrToken.Is(true)) {
		if err != nil {
			return err
		}
		if err := s.Destroy(ctx, o); err != nil {
			return err
		}
	}
	return nil
}
