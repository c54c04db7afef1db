package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/spec"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// TestAccessTable compares the table with that of the standard, cell by cell.
func TestAccessTable(t *testing.T) {
	rows, err := spec.Rows("session_rules.tsv")
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]token.State{
		"RO_PUBLIC": token.ROPublic, "RO_USER": token.ROUser, "RW_PUBLIC": token.RWPublic, "RW_USER": token.RWUser, "RW_SO": token.RWSO,
	}
	kinds := map[string]Kind{
		"public_session": PublicSession, "private_session": PrivateSession, "public_token": PublicToken, "private_token": PrivateToken,
	}
	verbs := map[string]driver.Verb{"see": driver.Find, "read": driver.Read, "use": driver.Use, "create": driver.Create, "modify": driver.Modify, "destroy": driver.Destroy}
	cells := 0
	for _, r := range rows {
		state, ok1 := states[r["state"]]
		kind, ok2 := kinds[r["object_kind"]]
		verb, ok3 := verbs[r["operation_or_event"]]
		if r["row_type"] != "access" || !ok1 || !ok2 || !ok3 {
			continue
		}
		cells++
		got := Access(state, kind, verb)
		switch r["result"] {
		case "not found": // an answer without a code
			if got == ckr.OK {
				t.Errorf("%v, %v: is found", state, kind)
			}
		default:
			if !slices.Contains(strings.Split(r["code"], "|"), got.Name()) {
				t.Errorf("%v, %v, %v: %s, want %s", state, kind, verb, got.Name(), r["code"])
			}
		}
	}
	if all := len(states) * len(kinds) * len(verbs); cells != all {
		t.Errorf("the standard's table has %d cells of %d", cells, all)
	}
}

// TestStates derives the state from session and login.
func TestStates(t *testing.T) {
	for _, c := range []struct {
		rw    bool
		login token.Role
		want  token.State
	}{
		{false, nobody, token.ROPublic}, {true, nobody, token.RWPublic},
		{false, token.User, token.ROUser}, {true, token.User, token.RWUser}, {true, token.SO, token.RWSO},
	} {
		if got := stateOf(c.rw, c.login); got != c.want {
			t.Errorf("rw %v, %v: %v, want %v", c.rw, c.login, got, c.want)
		}
	}
}

// TestNames gives everything that is printed a name.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	add := func(s string) {
		if s == "" || seen[s] {
			t.Errorf("%q is the name of two, or none", s)
		}
		seen[s] = true
	}
	for s := token.ROPublic; s <= token.RWSO+1; s++ {
		add(s.String())
	}
	for k := PublicSession; k <= PrivateToken; k++ {
		add(k.String())
		if kindOf(k.Token(), k.Private()) != k {
			t.Errorf("%v is not its own kind", k)
		}
	}
	for v := driver.Find; v <= driver.Destroy; v++ {
		add(v.String())
	}
	for r := token.SO; r <= token.ContextSpecific+1; r++ {
		add(r.String())
	}
}
