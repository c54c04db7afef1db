package token

import "github.com/go-cryptoki/cryptoki/ckr"

// Role is who logs in (CK_USER_TYPE).
type Role uint64

// The roles of PKCS #11 v3.2 §5.6.8. Nobody is logged in with none of them.
const (
	SO              Role = 0
	User            Role = 1
	ContextSpecific Role = 2
	nobody          Role = ^Role(0)
)

func (r Role) String() string {
	switch r {
	case SO:
		return "security officer"
	case User:
		return "user"
	case ContextSpecific:
		return "user, for one operation"
	}
	return "nobody"
}

// State is a session's state (CK_STATE; PKCS #11 v3.2 §5.6).
type State uint64

// The five states, numbered as in PKCS #11.
const (
	ROPublic State = 0
	ROUser   State = 1
	RWPublic State = 2
	RWUser   State = 3
	RWSO     State = 4
)

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown state"
}

var stateNames = [...]string{"R/O public", "R/O user", "R/W public", "R/W user", "R/W SO"}

func stateOf(rw bool, login Role) State {
	switch {
	case login == SO:
		return RWSO
	case login == User && rw:
		return RWUser
	case login == User:
		return ROUser
	case rw:
		return RWPublic
	}
	return ROPublic
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
		Create: ckr.SessionReadOnly, Modify: ckr.SessionReadOnly, Destroy: ckr.SessionReadOnly,
	}
)

// accessTable is the whole of the access rules (PKCS #11 v3.2 §5.6, usage
// guide, table of accesses): state × kind × verb. Nothing else decides access.
var accessTable = [5][4]verdicts{
	ROPublic: {PublicSession: allowed, PrivateSession: void, PublicToken: readOnly, PrivateToken: void},
	ROUser:   {PublicSession: allowed, PrivateSession: allowed, PublicToken: readOnly, PrivateToken: readOnly},
	RWPublic: {PublicSession: allowed, PrivateSession: void, PublicToken: allowed, PrivateToken: void},
	RWUser:   {PublicSession: allowed, PrivateSession: allowed, PublicToken: allowed, PrivateToken: allowed},
	RWSO:     {PublicSession: allowed, PrivateSession: void, PublicToken: allowed, PrivateToken: void},
}

// Access tells whether a session in state s may do v with an object of kind k:
// ckr.OK, or the code of the refusal.
func Access(s State, k Kind, v Verb) ckr.Code { return accessTable[s][k][v] }
