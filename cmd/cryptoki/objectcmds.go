package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/uri"
)

// destroy destroys one object.
func destroy(ctx context.Context, e *env, args []string) error {
	f := e.flags("delete")
	pin := f.String("pin", "", "")
	rest, err := parseAll(f, args, 1, 1)
	if err != nil {
		return err
	}
	return e.withSession(ctx, rest[0], []session.Option{session.ReadWrite()}, pin, func(s *session.Session, u *uri.URI) error {
		if u.Object == nil && !u.HasID {
			return usagef("delete needs a URI with object= or id=")
		}
		o, err := one(ctx, s, u)
		if err != nil {
			return err
		}
		d, err := collectOne(ctx, o)
		if err != nil {
			return err
		}
		if err := s.Destroy(ctx, o); err != nil {
			return err
		}
		return e.print(d, fmt.Sprintf("deleted %s %q", d.Class, d.Label))
	})
}

// maxRandom bounds what random takes from a token at once.
const maxRandom = 1 << 20

// random prints random bytes of the token.
func random(ctx context.Context, e *env, args []string) error {
	f := e.flags("random")
	out := f.String("out", "", "")
	rest, err := parseAll(f, args, 1, 2)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(rest[0])
	if err != nil || n < 1 || n > maxRandom {
		return usagef("random takes a number of bytes, 1 to %d, not %q", maxRandom, rest[0])
	}
	text := uriAt(rest, 1)
	return e.withSession(ctx, text, nil, nil, func(s *session.Session, _ *uri.URI) error {
		b, err := s.Random(ctx, n)
		if err != nil {
			return err
		}
		return e.output(*out, "random", b)
	})
}
