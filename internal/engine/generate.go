package engine

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// GenerateKeyPair makes a key pair (C_GenerateKeyPair, PKCS #11 v3.2 §5.18.2):
// on the card if the private key's template has CKA_TOKEN true, else in
// software. Both halves are made, or none. Errors: those of the access table
// and of object.Complete, ckr.MechanismInvalid, ckr.KeySizeRange,
// ckr.DeviceMemory.
func (s *Session) GenerateKeyPair(ctx context.Context, m mechanism.Mechanism, pub, priv object.Template) (pubKey, privKey *object.Object, err error) {
	const op = "generate key pair"
	if err := s.enter(op); err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil { // making keys takes its time
		return nil, nil, codes.Wrap(op, err)
	}
	if err := mechanism.Check(m); err != nil {
		return nil, nil, codes.Wrap(op, err)
	}
	so := s.isSO()
	pub, err = completeFor(op, object.GeneratedPublic, pub, m, so)
	if err != nil {
		return nil, nil, err
	}
	priv, err = completeFor(op, object.GeneratedPrivate, priv, m, so)
	if err != nil {
		return nil, nil, err
	}
	if err := object.CheckPair(pub, priv); err != nil {
		return nil, nil, codes.Wrap(op, err)
	}
	for _, half := range []object.Template{pub, priv} {
		if err := s.mayMake(op, kindOfTemplate(half)); err != nil {
			return nil, nil, err
		}
	}
	if kindOfTemplate(priv).Token() {
		return s.generateOnCard(ctx, op, m, pub, priv)
	}
	if err := s.t.Offers(op, m.Type()); err != nil {
		return nil, nil, err
	}
	if err := s.t.sound(pub); err != nil {
		return nil, nil, codes.Wrap(op, err)
	}
	pubValues, privValues, err := soft.GenerateKeyPair(m, pub, priv)
	if err != nil {
		return nil, nil, codes.Wrap(op, err)
	}
	defer privValues.Clear()
	if pub, err = object.Finish(pub.With(pubValues...)); err != nil {
		return nil, nil, codes.Wrap(op, err)
	}
	if priv, err = object.Finish(priv.With(privValues...)); err != nil {
		return nil, nil, codes.Wrap(op, err)
	}
	if pubKey, err = s.make(ctx, op, pub); err != nil {
		return nil, nil, err
	}
	if privKey, err = s.make(ctx, op, priv); err != nil {
		ctx, done := driver.CleanupContext(ctx)
		defer done()
		s.Destroy(ctx, pubKey)
		return nil, nil, err
	}
	return pubKey, privKey, nil
}

// completeFor completes a template for a generated key; class and key type
// follow from the mechanism where the template leaves them out.
func completeFor(op string, o object.Origin, t object.Template, m mechanism.Mechanism, so bool) (object.Template, error) {
	t, err := object.Imply(o, t, m.Type())
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	all, err := object.Complete(o, t, so)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	return all.With(object.AttrKeyGenMechanism.Is(m.Type())), nil
}

func (s *Session) generateOnCard(ctx context.Context, op string, m mechanism.Mechanism, pub, priv object.Template) (pubKey, privKey *object.Object, err error) {
	c := s.t.card
	g, ok := c.backend.(driver.Generator)
	if !ok {
		return nil, nil, ckr.Newf(ckr.FunctionNotSupported, op, "this card makes no keys")
	}
	if err := c.makes(op, m.Type(), mechanism.FlagGenerateKeyPair); err != nil {
		return nil, nil, err
	}
	auth, err := s.writeAuth(ctx, op, driver.Create, "")
	if err != nil {
		return nil, nil, err
	}
	defer auth.Write.Clear()
	err = c.withTransaction(ctx, op, func(ctx context.Context) error {
		for _, half := range []object.Template{pub, priv} {
			if err := s.mayWrite(ctx, kindOfTemplate(half)); err != nil {
				return err
			}
		}
		pr, sr, err := g.GenerateKeyPair(ctx, m, pub, priv, auth)
		if err != nil {
			c.doubt(err)
			return err
		}
		if privKey, err = s.adopt(sr); err != nil {
			return err
		}
		if kindOfTemplate(pub).Token() {
			pubKey, err = s.adopt(pr)
		} else {
			pubKey, err = s.add(op, pub.With(pr.Known...).Clone())
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return pubKey, privKey, nil
}

// makes refuses a mechanism that the card does not have, before anything is
// sent.
func (c *Card) makes(op string, m mechanism.Type, f mechanism.Flags) error {
	if info, ok := c.backend.Mechanisms("")[m]; !ok || info.Flags&f == 0 {
		return ckr.Newf(ckr.MechanismInvalid, op, "the card does not do %v", m)
	}
	return nil
}

// GenerateKey makes a secret key (C_GenerateKey, PKCS #11 v3.2 §5.18.1). For
// the card it is made on the card if that can, else in software and stored.
func (s *Session) GenerateKey(ctx context.Context, m mechanism.Mechanism, t object.Template) (*object.Object, error) {
	const op = "generate key"
	if err := s.enter(op); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, codes.Wrap(op, err)
	}
	if err := mechanism.Check(m); err != nil {
		return nil, codes.Wrap(op, err)
	}
	t, err := completeFor(op, object.Generated, t, m, s.isSO())
	if err != nil {
		return nil, err
	}
	k := kindOfTemplate(t)
	if err := s.mayMake(op, k); err != nil {
		return nil, err
	}
	c := s.t.card
	if g, ok := c.backend.(driver.Generator); ok && k.Token() && c.makes(op, m.Type(), mechanism.FlagGenerate) == nil {
		auth, err := s.writeAuth(ctx, op, driver.Create, "")
		if err != nil {
			return nil, err
		}
		defer auth.Write.Clear()
		var o *object.Object
		err = c.withTransaction(ctx, op, func(ctx context.Context) error {
			if err := s.mayWrite(ctx, k); err != nil {
				return err
			}
			r, err := g.GenerateKey(ctx, m, t, auth)
			if err != nil {
				c.doubt(err)
				return err
			}
			o, err = s.adopt(r)
			return err
		})
		return o, err
	}
	if err := s.t.Offers(op, m.Type()); err != nil {
		return nil, err
	}
	values, err := soft.GenerateKey(m, t)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	defer values.Clear()
	if t, err = object.Finish(t.With(values...)); err != nil {
		return nil, codes.Wrap(op, err)
	}
	return s.make(ctx, op, t)
}
