package cryptoki

import (
	"context"
	"crypto"
	"iter"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// WithPIN says whom Keys ask for a PIN. Without it they work on keys that need
// none, and with PINs that URIs hold.
func WithPIN(ask token.PINFunc) Option { return func(c *config) { c.ask = ask } }

// WithPINCache lets Keys remember a PIN that the card has taken.
func WithPINCache(p PINCache) Option { return func(c *config) { c.cache = p } }

// WithPINFiles lets the pin-source of a URI name a file, whose first line is
// the PIN: by its absolute path, or as file:/path, file:///path or
// file://localhost/path. URIs must then come from those who may read any file.
func WithPINFiles() Option { return func(c *config) { c.allow.files = true } }

// WithPINCommands lets the pin-source of a URI name a program, after a |,
// whose first line of output is the PIN. URIs must then come from those who
// may run any program.
func WithPINCommands() Option { return func(c *config) { c.allow.commands = true } }

// ring returns the application that Keys work in; it begins with the first
// one. Errors: ckr.CryptokiNotInitialized after Close.
func (m *Module) ring() (*keyring, error) {
	m.once.Do(func() {
		m.keys = &keyring{
			list: m.list.Application(), ask: m.config.ask, cache: m.config.cache, allow: m.config.allow,
		}
	})
	if m.keys == nil || m.keys.isClosed() {
		return nil, ckr.Newf(ckr.CryptokiNotInitialized, "", "the module is closed")
	}
	return m.keys, nil
}

// search begins a look for what a URI names.
func (m *Module) search(uri string) (*search, error) {
	r, err := m.ring()
	if err != nil {
		return nil, err
	}
	return r.newSearch(uri)
}

// Key returns the private key that a PKCS #11 URI names (RFC 7512):
//
//	key, err := m.Key(ctx, "pkcs11:token=demo;object=signing")
//
// The key is a crypto.Signer, and by its type more; see session.Key. A URI of
// type cert or public names the key that belongs to it. The Key lives until
// the Module is closed: after a reset, or when its card was away and is back, it
// finds its object again, and logs in again if the PINFunc or the cache give the
// PIN. Keys work in an application of their own; their logins are no session's.
//
// The tokens that the URI fits are read, and where the key is private the user
// is logged in. Errors: ckr.ArgumentsBad with an *AmbiguousError if several keys
// fit, ckr.KeyHandleInvalid or ckr.TokenNotPresent with a *NotFoundError if none
// does, ckr.ArgumentsBad with a *uri.Error, and those of a login.
func (m *Module) Key(ctx context.Context, uri string) (session.Key, error) {
	const op = "key"
	q, err := m.search(uri)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	list, err := q.keys(ctx)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	f, err := q.only(list)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	key, err := q.key(ctx, f)
	return key, codes.Wrap(op, err)
}

// Keys goes over all private keys that a URI fits: with "pkcs11:" over all
// there are. An error of one key comes with a nil key and does not end the
// iteration; one that ends it is the last.
func (m *Module) Keys(ctx context.Context, uri string) iter.Seq2[session.Key, error] {
	const op = "keys"
	return func(yield func(session.Key, error) bool) {
		q, err := m.search(uri)
		if err != nil {
			yield(nil, codes.Wrap(op, err))
			return
		}
		list, failed := q.keys(ctx)
		for _, f := range list {
			key, err := q.key(ctx, f)
			if !yield(key, codes.Wrap(op, err)) {
				return
			}
		}
		if failed != nil {
			yield(nil, codes.Wrap(op, failed))
		}
	}
}

// keys finds the private keys that the URI names, itself or by what belongs to
// them.
func (q *search) keys(ctx context.Context) ([]found, error) {
	if q.u.Type == nil || *q.u.Type == "private" {
		return q.all(ctx, object.ClassPrivateKey)
	}
	class := object.ClassPublicKey
	switch *q.u.Type {
	case "public":
	case "cert":
		class = object.ClassCertificate
	default:
		return nil, ckr.Newf(ckr.KeyTypeInconsistent, "", "type=%s names no private key", *q.u.Type)
	}
	list, err := q.all(ctx, class)
	if err != nil {
		return nil, err
	}
	var keys []found
	for _, f := range list {
		key, ok, err := q.partner(ctx, f, object.ClassPrivateKey)
		if err != nil {
			return nil, err
		}
		if ok && !contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func contains(list []found, f found) bool {
	for _, x := range list {
		if x.m == f.m && x.uid == f.uid {
			return true
		}
	}
	return false
}

// partner finds the object of a class that belongs to another one on the same
// token: with the same public key, else with the same id.
func (q *search) partner(ctx context.Context, f found, class object.Class) (other found, ok bool, err error) {
	for range maxSearches {
		if f, err = q.alive(ctx, f); err != nil {
			return found{}, false, err
		}
		other, ok, err = q.companion(ctx, f, class, false)
		if err == nil && !ok && class == object.ClassPrivateKey {
			other, ok, err = q.companion(ctx, f, class, true)
		}
		if !isDisturbed(ctx, err) {
			return other, ok, err
		}
	}
	return found{}, false, resetAgain(err)
}

// companion is partner among what is seen with a login, or without one. Nobody
// is asked for a PIN where a login shows no more.
func (q *search) companion(ctx context.Context, f found, class object.Class, login bool) (other found, ok bool, err error) {
	match := object.AttrClass.Is(class)
	if login {
		needs, err := f.s.NeedsLogin(ctx, match)
		if err != nil || !needs {
			return found{}, false, err
		}
	}
	list, err := q.on(ctx, f.m, login, match)
	if err != nil {
		return found{}, false, err
	}
	return f.among(ctx, list)
}

// among finds what belongs to f in a list. Only errors that say nothing of the
// objects themselves are returned.
func (f found) among(ctx context.Context, list []found) (found, bool, error) {
	mine, err := f.public(ctx)
	if err != nil {
		return found{}, false, err
	}
	keys := make([]crypto.PublicKey, len(list))
	for i, other := range list {
		if keys[i], err = other.public(ctx); err != nil {
			return found{}, false, err
		}
		if mine != nil && sameKey(mine, keys[i]) {
			return other, true, nil
		}
	}
	id, err := f.id(ctx)
	if err != nil || len(id) == 0 {
		return found{}, false, err
	}
	for i, other := range list {
		theirs, err := other.id(ctx)
		if err != nil {
			return found{}, false, err
		}
		if string(theirs) == string(id) && (mine == nil || keys[i] == nil) {
			return other, true, nil
		}
	}
	return found{}, false, nil
}

// public returns the public key; nil if there is none to be had.
func (f found) public(ctx context.Context) (crypto.PublicKey, error) {
	key, err := f.s.PublicKey(ctx, f.o)
	if err != nil && (isDisturbed(ctx, err) || ctx.Err() != nil) {
		return nil, err
	}
	return key, nil
}

// id returns the id; empty if there is none to be had.
func (f found) id(ctx context.Context) ([]byte, error) {
	id, err := object.Get(ctx, f.o, object.AttrID)
	if err != nil && (isDisturbed(ctx, err) || ctx.Err() != nil) {
		return nil, err
	}
	return id, nil
}

func sameKey(a, b crypto.PublicKey) bool {
	x, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && x.Equal(b)
}

// key makes a Key of a private key that was found.
func (q *search) key(ctx context.Context, f found) (session.Key, error) {
	for range maxSearches {
		f, err := q.alive(ctx, f)
		if err != nil {
			return nil, err
		}
		pub, err := f.s.PublicKey(ctx, f.o)
		if isDisturbed(ctx, err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return session.NewKey(ctx, pub, f.m.reopen(f, pub, q.ask), session.WithConsent(f.m.consent(q.ask)))
	}
	return nil, resetAgain(nil)
}
