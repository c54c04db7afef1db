package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/uri"
)

// wrappings is the mechanisms that wrap and unwrap know, and the types of keys
// they are for.
var wrappings = map[string]mechanism.Mechanism{
	"oaep-sha256": mechanism.RSAOAEP{Hash: hashes["sha256"]},
	"oaep-sha384": mechanism.RSAOAEP{Hash: hashes["sha384"]},
	"oaep-sha512": mechanism.RSAOAEP{Hash: hashes["sha512"]},
	"pkcs1":       mechanism.RSAPKCS{},
	"aes-kw":      mechanism.AESKeyWrap{},
	"aes-kwp":     mechanism.AESKeyWrapKWP{},
}

func parseWrapping(name string) (mechanism.Mechanism, error) {
	m, ok := wrappings[name]
	if !ok {
		return nil, usagef("say --mechanism: %s", strings.Join(slices.Sorted(maps.Keys(wrappings)), ", "))
	}
	return m, nil
}

// parseWith reads the URI of the key that wraps or unwraps.
func parseWith(text string) (*uri.URI, error) {
	if text == "" {
		return nil, usagef("say --with URI, the key that does it")
	}
	u, err := uri.Parse(text)
	if err != nil {
		return nil, usageError{err}
	}
	return u, nil
}

// unwrappedKinds is what unwrap makes of what comes out.
var unwrappedKinds = map[string]object.Template{
	"aes": {
		object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES),
		object.AttrEncrypt.Is(true), object.AttrDecrypt.Is(true),
	},
	"rsa": {
		object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyRSA),
		object.AttrSign.Is(true), object.AttrDecrypt.Is(true),
	},
	"ec": {
		object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyEC),
		object.AttrSign.Is(true), object.AttrDerive.Is(true),
	},
}

// wrap writes a key that may leave the token, encrypted by another.
func wrap(ctx context.Context, e *env, args []string) error {
	f := e.flags("wrap")
	by, with := f.String("mechanism", "", ""), f.String("with", "", "")
	out, pin := f.String("out", "", ""), f.String("pin", "", "")
	rest, err := parseAll(f, args, 1, 1)
	if err != nil {
		return err
	}
	m, err := parseWrapping(*by)
	if err != nil {
		return err
	}
	wrapper, err := parseWith(*with)
	if err != nil {
		return err
	}
	return e.withSession(ctx, rest[0], nil, pin, func(s *session.Session, u *uri.URI) error {
		key, err := one(ctx, s, u, object.ClassPrivateKey, object.ClassSecretKey)
		if err != nil {
			return err
		}
		wrapping, err := one(ctx, s, wrapper, object.ClassPublicKey, object.ClassSecretKey)
		if err != nil {
			return err
		}
		wrapped, err := s.Wrap(ctx, m, wrapping, key)
		if err != nil {
			return err
		}
		return e.output(*out, "wrapped", wrapped)
	})
}

// unwrap stores a key that comes encrypted for one of the token.
func unwrap(ctx context.Context, e *env, args []string) error {
	f := e.flags("unwrap")
	by, with := f.String("mechanism", "", ""), f.String("with", "", "")
	kind := f.String("type", "", "")
	label, id := f.String("label", "", ""), f.String("id", "", "")
	in, pin := f.String("in", "", ""), f.String("pin", "", "")
	if _, err := parseAll(f, args, 0, 0); err != nil {
		return err
	}
	m, err := parseWrapping(*by)
	if err != nil {
		return err
	}
	unwrapper, err := parseWith(*with)
	if err != nil {
		return err
	}
	template, ok := unwrappedKinds[*kind]
	if !ok {
		return usagef("say --type: %s", strings.Join(slices.Sorted(maps.Keys(unwrappedKinds)), ", "))
	}
	names, err := naming(*label, *id)
	if err != nil {
		return err
	}
	wrapped, err := e.input(*in)
	if err != nil {
		return err
	}
	template = template.With(object.AttrToken.Is(true), object.AttrSensitive.Is(true), object.AttrExtractable.Is(false)).With(names...)
	return e.withSession(ctx, *with, []session.Option{session.ReadWrite()}, pin, func(s *session.Session, _ *uri.URI) error {
		unwrapping, err := one(ctx, s, unwrapper, object.ClassPrivateKey, object.ClassSecretKey)
		if err != nil {
			return err
		}
		key, err := s.Unwrap(ctx, m, unwrapping, wrapped, template...)
		if err != nil {
			return err
		}
		d, err := collectOne(ctx, key)
		if err != nil {
			return err
		}
		return e.print(d, fmt.Sprintf("stored %s %s %q", d.Class, d.KeyType, d.Label))
	})
}
