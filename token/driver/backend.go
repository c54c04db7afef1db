package driver

import (
	"context"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
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
	Consent, Write token.PIN
	SO             bool
}

// Backend is all that a card family must do. Its methods are called inside
// Exclusive, one at a time, except Mechanisms, Needs and Alive, which answer
// from memory. Errors are *ckr.Error, or errors of package apdu that Card
// turns into them.
type Backend interface {
	// Exclusive runs f in one transaction; see the function Exclusive for cards
	// that speak APDUs, and Parallel for Backends that need none.
	Exclusive(ctx context.Context, f func(ctx context.Context, tx Tx) error) error
	// Alive is false once the card is known to be gone.
	Alive() bool
	// Info describes the token; after the first time from memory where it
	// can.
	Info(ctx context.Context) (token.Info, error)
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
	Login(ctx context.Context, r token.Role, p token.PIN) error
	// Logout makes the card forget a verified PIN.
	Logout(ctx context.Context, r token.Role) error
}

// Driver knows one family of cards. Probe looks at a card and returns one
// Backend for each user PIN, each of which becomes a token; none if the card
// is not of the family.
type Driver struct {
	Name  string
	Probe func(ctx context.Context, c *apdu.Conn) ([]Backend, error)
}
