package session_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/internal/spec"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// row is one row of the table of session rules.
type row struct {
	line                                   int
	typ, state, kind, op, condition        string
	result, code, newState, basis, comment string
}

func (r row) String() string {
	return fmt.Sprintf("%s %s %s %s (%s), line %d", r.typ, r.state, r.kind, r.op, r.condition, r.line)
}

// name is the row's name as a sub-test.
func (r row) name() string {
	var parts []string
	for _, p := range []string{r.state, r.kind, r.op, r.condition} {
		if p != "-" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, "/")
}

// rows returns the rows of the given type.
func rows(t testing.TB, typ string) (list []row) {
	t.Helper()
	for _, r := range allRows(t) {
		if r.typ == typ {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		t.Fatalf("the table has no rows of type %s", typ)
	}
	return list
}

func allRows(t testing.TB) (list []row) {
	t.Helper()
	for i, r := range must(spec.Rows("session_rules.tsv"))(t) {
		list = append(list, row{
			line: i + 2, typ: r["row_type"], state: r["state"], kind: r["object_kind"],
			op: r["operation_or_event"], condition: r["condition"], result: r["result"], code: r["code"],
			newState: r["new_state"], basis: r["basis"], comment: r["note"],
		})
	}
	return list
}

// states are the five states by their names in the table.
var states = map[string]token.State{
	"RO_PUBLIC": token.ROPublic, "RO_USER": token.ROUser,
	"RW_PUBLIC": token.RWPublic, "RW_USER": token.RWUser, "RW_SO": token.RWSO,
}

var stateNames = []string{"RO_PUBLIC", "RO_USER", "RW_PUBLIC", "RW_USER", "RW_SO"}

// kinds are the four kinds of objects by their names in the table.
var kinds = map[string]engine.Kind{
	"public_session": engine.PublicSession, "private_session": engine.PrivateSession,
	"public_token": engine.PublicToken, "private_token": engine.PrivateToken,
}

// stage is a session that is on its way to one of the five states: until
// settle the user is logged in, so that every object can be made.
type stage struct {
	*rig
	state  token.State
	s      *session.Session
	helper *session.Session // read/write, of the same application
}

func newStage(t testing.TB, state token.State) *stage { return newRig(t).stage(state) }

func (r *rig) stage(state token.State) *stage {
	r.t.Helper()
	st := &stage{rig: r, state: state, helper: r.open(true)}
	st.s = r.open(state != token.ROPublic && state != token.ROUser)
	r.login(st.s, token.User)
	return st
}

// settle brings the session into its state.
func (st *stage) settle() {
	st.t.Helper()
	switch st.state {
	case token.ROPublic, token.RWPublic:
		st.logout(st.s)
	case token.RWSO:
		st.logout(st.s)
		st.login(st.s, token.SO)
	}
	inState(st.t, st.s, st.state)
}

// maker is the session that can make objects of a kind, in the right hands.
func (st *stage) maker(kind engine.Kind) *session.Session {
	if kind.Token() {
		return st.helper
	}
	return st.s
}

// asUser runs f with a session of a new application in which the user is
// logged in, to see what is on the card.
func (st *stage) asUser(f func(s *session.Session)) {
	st.t.Helper()
	other := st.application()
	s := other.openAs(token.User)
	f(s)
	noError(st.t, other.module.Close())
}

// left is a row that is not run, and why.
type left struct {
	typ, state, op, condition string // empty matches all
	why                       string
}

func (l left) matches(r row) bool {
	same := func(want, have string) bool { return want == "" || want == have }
	return same(l.typ, r.typ) && same(l.state, r.state) && same(l.op, r.op) && same(l.condition, r.condition)
}

// notRun are the rows that are not run.
var notRun = []left{
	{typ: "access", state: "RO_PUBLIC", op: "any",
		why: "the usage guide's newer rule; this library keeps to the older one, by which such a session cannot exist (see open_ro with the SO logged in)"},
	{typ: "event", op: "open_any", condition: "CKF_ASYNC_SESSION, token without support (3.2)",
		why: "the Go interface has no flag for asynchronous sessions"},
	{typ: "event", op: "open_any", condition: "CKF_SERIAL_SESSION missing",
		why: "the Go interface has no flag for it: every session is serial"},
	{typ: "event", op: "open_any", condition: "too many sessions (or too many R/W)",
		why: "the number of sessions has no bound but memory"},
	{typ: "event", op: "login_user", condition: "another application has the SO logged in and token cannot hold both",
		why: "optional, and these cards can hold both; TestUserAndSOInTwoApplications shows it"},
	{typ: "event", op: "init_pin", condition: "PIN too easy",
		why: "the cards judge no PIN by its difficulty"},
	{typ: "effect", op: "fork",
		why: "a Go program does not fork without exec"},
	{typ: "priority", op: "order_01",
		why: "host memory, and failures without a cause, cannot be brought about"},
	{typ: "priority", op: "order_04",
		why: "a rule that says that there is none"},
	{typ: "priority", op: "order_10",
		why: "sessions have no function yet that unwraps a key"},
	{typ: "priority", op: "order_11",
		why: "operations are values; there is no function that saves their state"},
	{typ: "priority", op: "order_12",
		why: "there is no function that seeds the generator"},
	{typ: "priority", op: "order_13",
		why: "no mechanism here counts iterations"},
	{typ: "priority", op: "order_14",
		why: "there is no function that recovers data from a signature"},
	{typ: "template", condition: "several apply",
		why: "a rule that says that there is none"},
}

func isLeft(r row) bool {
	return slices.ContainsFunc(notRun, func(l left) bool { return l.matches(r) })
}

// TestEveryRowIsRunOrLeftForAReason holds the list of rows that are not run to
// the table. That all others have a test is checked where they are run.
func TestEveryRowIsRunOrLeftForAReason(t *testing.T) {
	all := allRows(t)
	for _, l := range notRun {
		if l.why == "" {
			t.Errorf("%+v is left without a reason", l)
		}
		if !slices.ContainsFunc(all, l.matches) {
			t.Errorf("%+v matches no row", l)
		}
	}
	known := []string{"access", "copy", "event", "effect", "priority", "template"}
	for _, r := range all {
		if !slices.Contains(known, r.typ) {
			t.Errorf("%v: rows of this type are neither run nor left", r)
		}
	}
}
