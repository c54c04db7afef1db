package cryptoki_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
)

// A program that runs for long makes and destroys more objects than a card has
// file names, and what it keeps stays as it is.
func TestObjectsComeAndGoForLong(t *testing.T) {
	newCard(t, "demo", func(s *session.Session) {
		create := func(value []byte) *object.Object {
			t.Helper()
			o, err := s.Create(t.Context(), object.AttrClass.Is(object.ClassData), object.AttrToken.Is(true), object.AttrPrivate.Is(false),
				object.AttrLabel.Is("note"), object.AttrApplication.Is("test"), object.AttrValue.Is(value))
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		kept := create([]byte("kept"))
		for i := range 600 {
			value := fmt.Appendf(nil, "%d", i)
			o := create(value)
			if got, err := object.Get(t.Context(), o, object.AttrValue); err != nil || !bytes.Equal(got, value) {
				t.Fatalf("%d reads as %q, %v", i, got, err)
			}
			if err := s.Destroy(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := object.Get(t.Context(), kept, object.AttrValue); err != nil || string(got) != "kept" {
			t.Errorf("what was kept reads as %q, %v", got, err)
		}
	})
}
