package engine

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// nobody is the role of an application that is not logged in.
const nobody = ^token.Role(0)

func stateOf(rw bool, login token.Role) token.State {
	switch {
	case login == token.SO:
		return token.RWSO
	case login == token.User && rw:
		return token.RWUser
	case login == token.User:
		return token.ROUser
	case rw:
		return token.RWPublic
	}
	return token.ROPublic
}

// Kind is one of the four kinds of objects that access rules tell apart.
type Kind uint8

// The kinds: who sees the object, and how long it lives.
const (
	PublicSession Kind = iota
	PrivateSession
	PublicToken
	PrivateToken
)

func (k Kind) String() string {
	return [...]string{"public session object", "private session object", "public token object", "private token object"}[k]
}

// Private reports whether only the user may know of the object.
func (k Kind) Private() bool { return k == PrivateSession || k == PrivateToken }

// Token reports whether the object is on the card.
func (k Kind) Token() bool { return k == PublicToken || k == PrivateToken }

func kindOf(onToken, private bool) Kind {
	k := PublicSession
	if onToken {
		k = PublicToken
	}
	if private {
		k++
	}
	return k
}

// verdicts is one row of the access table: the code for Find, Read, Use,
// Create, Modify, Destroy. OK allows.
type verdicts [6]ckr.Code

var (
	allowed = verdicts{}
	// void is an object that does not exist for the caller: it is not found,
	// and a remembered handle means nothing.
	void = verdicts{
		ckr.ObjectHandleInvalid, ckr.ObjectHandleInvalid, ckr.KeyHandleInvalid,
		ckr.UserNotLoggedIn, ckr.ObjectHandleInvalid, ckr.ObjectHandleInvalid,
	}
	readOnly = verdicts{
		driver.Create: ckr.SessionReadOnly, driver.Modify: ckr.SessionReadOnly, driver.Destroy: ckr.SessionReadOnly,
	}
)

// accessTable is the whole of the access rules (PKCS #11 v3.2 §5.6, usage
// guide, table of accesses): state × kind × verb. Nothing else decides access.
var accessTable = [5][4]verdicts{
	token.ROPublic: {PublicSession: allowed, PrivateSession: void, PublicToken: readOnly, PrivateToken: void},
	token.ROUser:   {PublicSession: allowed, PrivateSession: allowed, PublicToken: readOnly, PrivateToken: readOnly},
	token.RWPublic: {PublicSession: allowed, PrivateSession: void, PublicToken: allowed, PrivateToken: void},
	token.RWUser:   {PublicSession: allowed, PrivateSession: allowed, PublicToken: allowed, PrivateToken: allowed},
	token.RWSO:     {PublicSession: allowed, PrivateSession: void, PublicToken: allowed, PrivateToken: void},
}

// Access tells whether a session in state s may do v with an object of kind k:
// ckr.OK, or the code of the refusal.
func Access(s token.State, k Kind, v driver.Verb) ckr.Code { return accessTable[s][k][v] }
