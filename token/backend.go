package token

import (
	"context"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// Ref is a Backend's own name for an object. It stays the same for as long as
// the object exists on the card. A Backend whose Refs name places on the card
// that may hold another object later is either a [Prover], which gives another
// object another Ref, or leaves it to Card to compare public keys.
type Ref string

// Record is an object as a directory of the card shows it.
type Record struct {
	Ref     Ref
	Private bool // exists for the logged-in user only
	// Known holds the attributes that are known without another exchange. It
	// has CKA_CLASS, CKA_TOKEN and CKA_PRIVATE at least, and CKA_UNIQUE_ID,
	// which names the object's place on the card: Card adds what tells the
	// object from others that the place may hold.
	Known object.Template
	// Err says why the object is shown but cannot be read, or nil.
	Err error
	// Place is nil, except for an object of which nobody has looked yet
	// whether it is there. It has the attributes then that any object found
	// there has; Known is what is remembered, and Private is false if only
	// the look can tell. The Backend is a Confirmer, and is asked before the
	// object is shown.
	Place object.Template
}

// unconfirmed reports whether nobody has looked yet whether the object is
// there.
func (r *Record) unconfirmed() bool { return r.Place != nil }

// Info describes a token (PKCS #11 v3.2 §3.2, CK_TOKEN_INFO).
type Info struct {
	Label        string
	Manufacturer string
	Model        string
	Serial       string
	// Identity names the card among all cards, and on it the token, in full
	// where Serial has no room for it. It is empty if the card has no number of
	// its own: then nothing but its keys tells it from others.
	Identity string
	Flags    Flags
	// Lengths of PINs in bytes; a maximum of 0 means unknown.
	MinPIN, MaxPIN     int
	MinSOPIN, MaxSOPIN int
	// MinPUK and MaxPUK are the same of the unblocking PIN. What is shorter or
	// longer is not sent, since the card might count it as a wrong one.
	MinPUK, MaxPUK int
	// BinarySOPIN says that the SO's secret is a key, which may be any bytes.
	BinarySOPIN bool
	// FixedPlaces says that the card has places for its objects, each with a
	// CKA_LABEL and a CKA_ID of its own, which nobody else chooses.
	FixedPlaces bool
	// Tries left, as far as the card has told.
	UserTries, SOTries ckr.Tries
	// Memory in bytes; -1 means unavailable.
	TotalPublic, FreePublic, TotalPrivate, FreePrivate int64
	HardwareVersion, FirmwareVersion                   [2]byte
}

// Verb is what a session does with an object.
type Verb uint8

// The verbs of the access table.
const (
	Find Verb = iota
	Read
	Use
	Create
	Modify
	Destroy
)

func (v Verb) String() string {
	return [...]string{"find", "read", "use", "create", "modify", "destroy"}[v]
}

// Need is what the card demands for one use beyond the login.
type Need struct {
	Consent bool // the user's PIN right before the use
	Write   bool // a write secret of the card's own, such as a management key
}

// Auth carries what Need asks for. SO tells that the caller is the security
// officer, whose login stands for the write secret; it is verified then.
type Auth struct {
	Consent, Write PIN
	SO             bool
}

// Backend is all that a card family must do. Its methods are called inside
// Exclusive, one at a time, except Mechanisms, Needs and Alive, which answer
// from memory. Errors are *ckr.Error, or errors of package apdu that Card
// turns into them.
type Backend interface {
	// Exclusive runs f in one transaction, with the application selected.
	Exclusive(ctx context.Context, f func(ctx context.Context, tx *apdu.Tx) error) error
	// Alive is false once the card is known to be gone.
	Alive() bool
	// Info describes the token; after the first time from memory where it
	// can.
	Info(ctx context.Context) (Info, error)
	// Objects lists the objects in few exchanges; loggedIn tells that the
	// user's PIN is verified.
	Objects(ctx context.Context, loggedIn bool) ([]Record, error)
	// Read returns the named attributes of one object, or with no name all
	// that can be read. Attributes the object lacks, and those that never
	// leave the card, are left out.
	Read(ctx context.Context, ref Ref, types ...object.Type) (object.Template, error)
	// Mechanisms tells what the card does with one key, or for the empty Ref
	// with any key; the map is shared and not changed.
	Mechanisms(ref Ref) map[mechanism.Type]mechanism.Info
	// Needs tells what one use demands beyond the login.
	Needs(v Verb, ref Ref) Need
	// Login verifies a PIN. A PIN is sent at most once.
	Login(ctx context.Context, r Role, p PIN) error
	// Logout makes the card forget a verified PIN.
	Logout(ctx context.Context, r Role) error
}

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
	Initialize(ctx context.Context, so PIN, label string) error
}

// PINManager is a Backend whose PINs can be set.
type PINManager interface {
	// InitPIN sets the user's PIN and unblocks it; the SO is verified.
	InitPIN(ctx context.Context, p PIN) error
	// ChangePIN replaces a PIN.
	ChangePIN(ctx context.Context, r Role, old, new PIN) error
	// UnblockPIN sets the user's PIN with its unblocking PIN (PUK).
	UnblockPIN(ctx context.Context, puk, new PIN) error
}

// PINStatus is a Backend that can ask, without spending a try, whether a PIN
// is verified.
type PINStatus interface {
	PINStatus(ctx context.Context, r Role) (verified bool, tries ckr.Tries, err error)
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

// Hider is a Backend whose directories of private objects may be readable for
// the user only. HidesObjects tells, from memory, whether the last Objects
// call met one.
type Hider interface {
	HidesObjects() bool
}

// Driver knows one family of cards. Probe looks at a card and returns one
// Backend for each user PIN, each of which becomes a token; none if the card
// is not of the family.
type Driver struct {
	Name  string
	Probe func(ctx context.Context, c *apdu.Conn) ([]Backend, error)
}
