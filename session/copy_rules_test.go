package session_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestCopy runs the table of copies: state × kind of the source × kind of the
// copy.
func TestCopy(t *testing.T) {
	for _, r := range rows(t, "copy") {
		if isLeft(r) {
			continue
		}
		t.Run(r.name(), func(t *testing.T) {
			target, ok := kinds[strings.TrimPrefix(r.op, "copy_to_")]
			if !ok {
				t.Fatalf("no test runs %v", r)
			}
			copyRow(t, r, newStage(t, states[r.state]), kinds[r.kind], target)
		})
	}
}

func copyRow(t *testing.T, r row, st *stage, from, to engine.Kind) {
	ctx := t.Context()
	source := must(st.maker(from).Create(ctx, data(from, "source")...))(t)
	st.settle()
	made, err := st.s.Copy(ctx, source, object.AttrLabel.Is("copy"),
		object.AttrToken.Is(to.Token()), object.AttrPrivate.Is(to.Private()))
	hasCode(t, err, r.code)
	if err == nil && r.result == "denied" || err != nil && r.result == "allowed" {
		t.Fatalf("the copy is %s, got %v", r.result, err)
	}
	if err == nil {
		isCopy(t, st, made, to)
		return
	}
	if _, ok := labelled(t, st.s, "copy"); ok {
		t.Error("there is a copy")
	}
	st.asUser(func(s *session.Session) {
		if _, ok := labelled(t, s, "copy"); ok {
			t.Error("there is a copy on the card")
		}
	})
}

func isCopy(t *testing.T, st *stage, made *object.Object, to engine.Kind) {
	t.Helper()
	type content struct {
		Token, Private bool
		Value          string
	}
	ctx := t.Context()
	got := content{
		must(object.Get(ctx, made, object.AttrToken))(t),
		must(object.Get(ctx, made, object.AttrPrivate))(t),
		string(must(object.Get(ctx, made, object.AttrValue))(t)),
	}
	if diff := cmp.Diff(content{to.Token(), to.Private(), "value of source"}, got); diff != "" {
		t.Error(diff)
	}
	if len(find(t, st.s, object.AttrLabel.Is("source"))) != 1 || len(find(t, st.s, object.AttrLabel.Is("copy"))) != 1 {
		t.Error("source and copy are not both found")
	}
	noError(t, st.s.Destroy(ctx, made))
	if _, ok := labelled(t, st.s, "source"); !ok {
		t.Error("the source went with the copy")
	}
}

// TestCopiesOfKeysStayPrivate keeps the protection of keys: no copy of a
// private key is public.
func TestCopiesOfKeysStayPrivate(t *testing.T) {
	r := newRig(t)
	s := r.openAs(token.User)
	_, priv := pair(t, s, engine.PrivateSession, "key")
	_, err := s.Copy(t.Context(), priv, object.AttrPrivate.Is(false))
	isCode(t, err, ckr.TemplateInconsistent)
	must(s.Copy(t.Context(), priv, object.AttrLabel.Is("copy")))(t)
}
