package token

// Role is who logs in (CK_USER_TYPE).
type Role uint64

// The roles of PKCS #11 v3.2 §5.6.8. Nobody is logged in with none of them.
const (
	SO              Role = 0
	User            Role = 1
	ContextSpecific Role = 2
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
