package driver

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// Signer is a Backend that signs. The mechanism is one that mechanism.Prehash
// returned: where it names a hash, input is the digest.
type Signer interface {
	Sign(ctx context.Context, ref Ref, m mechanism.Mechanism, input []byte, a Auth) ([]byte, error)
}

// Decrypter is a Backend that decrypts.
type Decrypter interface {
	Decrypt(ctx context.Context, ref Ref, m mechanism.Mechanism, data []byte, a Auth) ([]byte, error)
}

// Encrypter is a Backend that encrypts with secret keys.
type Encrypter interface {
	Encrypt(ctx context.Context, ref Ref, m mechanism.Mechanism, data []byte, a Auth) ([]byte, error)
}

// Deriver is a Backend that agrees on secrets. Derive returns the shared
// secret as it is, before a key derivation function of the mechanism; the
// caller clears it.
type Deriver interface {
	Derive(ctx context.Context, ref Ref, m mechanism.Mechanism, a Auth) ([]byte, error)
}

// Generator is a Backend that makes keys. Of a pair, the public key is stored
// only if its template has CKA_TOKEN true; otherwise its record has no Ref,
// and all its attributes. Templates are complete (object.Complete).
type Generator interface {
	GenerateKeyPair(ctx context.Context, m mechanism.Mechanism, pub, priv object.Template, a Auth) (pubRecord, privRecord Record, err error)
	GenerateKey(ctx context.Context, m mechanism.Mechanism, t object.Template, a Auth) (Record, error)
}

// Storer is a Backend that stores objects from a complete template. What it
// could not finish it takes back.
type Storer interface {
	Store(ctx context.Context, t object.Template, a Auth) (Record, error)
}

// Updater is a Backend that changes attributes; the changes are checked.
type Updater interface {
	Update(ctx context.Context, ref Ref, changes []object.Attribute, a Auth) (Record, error)
}

// Destroyer is a Backend that removes objects.
type Destroyer interface {
	Destroy(ctx context.Context, ref Ref, a Auth) error
}

// Initializer is a Backend that can make, or remake, the token. On a token
// that is initialised so must be the SO PIN; on another it becomes the SO PIN.
// Everything on the token is lost. Label is at most 32 bytes of UTF-8.
type Initializer interface {
	Initialize(ctx context.Context, so token.PIN, label string) error
}

// PINManager is a Backend whose PINs can be set.
type PINManager interface {
	// InitPIN sets the user's PIN and unblocks it; the SO is verified.
	InitPIN(ctx context.Context, p token.PIN) error
	// ChangePIN replaces a PIN.
	ChangePIN(ctx context.Context, r token.Role, old, new token.PIN) error
	// UnblockPIN sets the user's PIN with its unblocking PIN (PUK).
	UnblockPIN(ctx context.Context, puk, new token.PIN) error
}

// PINStatus is a Backend that can ask, without spending a try, whether a PIN
// is verified.
type PINStatus interface {
	PINStatus(ctx context.Context, r token.Role) (verified bool, tries ckr.Tries, err error)
}

// Random is a Backend with a random number generator.
type Random interface {
	Random(ctx context.Context, n int) ([]byte, error)
}

// ChangeCounter is a Backend that tells in at most one exchange whether the
// card was written by somebody else since Objects was answered last.
type ChangeCounter interface {
	Changed(ctx context.Context) (bool, error)
}

// Sibling is a Backend that shares its card with Backends of other tokens.
// Outdated tells, from memory, whether one of them has written since Objects
// was answered last.
type Sibling interface {
	Outdated() bool
}

// Confirmer is a Backend that lists objects before it has looked whether they
// are there. Confirm looks, in few exchanges, and returns the record as it is
// then, or ckr.ObjectHandleInvalid if there is no such object. The record has
// another Ref if another object has taken the place of the one that was listed.
// The user need not be logged in.
type Confirmer interface {
	Confirm(ctx context.Context, ref Ref) (Record, error)
}

// Prover is a Backend that proves in each use that the private key behind a
// Ref is the one that was listed under it, also after other programs used the
// card: a use of another key ends with ckr.KeyHandleInvalid and gives no
// result. For Backends that are none, Card reads the public key again after the
// listing changed.
type Prover interface {
	ProvesKeys()
}

// Parallel is a Backend that uses keys beside each other, as a token in another
// process does. Shared runs f, which calls one method of Signer, Decrypter,
// Encrypter, Deriver, Encapsulator, Decapsulator or Wrapper, while other calls of
// Shared and one of Exclusive may run. It is called only where the listing is
// current and the login that the key needs is verified; everything else is done
// in Exclusive.
type Parallel interface {
	Shared(ctx context.Context, f func(ctx context.Context) error) error
}

// Hider is a Backend whose directories of private objects may be readable for
// the user only. HidesObjects tells, from memory, whether the last Objects
// call met one.
type Hider interface {
	HidesObjects() bool
}

// Encapsulator and Decapsulator are Backends with keys of a key encapsulation
// mechanism. The caller clears the secrets.
type (
	Encapsulator interface {
		Encapsulate(ctx context.Context, ref Ref, m mechanism.Mechanism, a Auth) (secret, ciphertext []byte, err error)
	}
	Decapsulator interface {
		Decapsulate(ctx context.Context, ref Ref, m mechanism.Mechanism, ciphertext []byte, a Auth) ([]byte, error)
	}
)

// Wrapper is a Backend that wraps keys of its own with others of its own.
type Wrapper interface {
	Wrap(ctx context.Context, wrapping Ref, m mechanism.Mechanism, key Ref, a Auth) ([]byte, error)
}
