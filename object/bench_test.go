package object_test

import (
	"testing"

	"github.com/go-cryptoki/cryptoki/object"
)

// BenchmarkHidden is what reading one attribute pays for the rules.
func BenchmarkHidden(b *testing.B) {
	key := stored(rsaPrivate())
	for b.Loop() {
		_ = object.Hidden(key, object.AttrPrivateExponent.Type)
	}
}

// BenchmarkMatches is what one object costs a search.
func BenchmarkMatches(b *testing.B) {
	key := stored(rsaPrivate())
	match := []object.Attribute{object.AttrClass.Is(object.ClassPrivateKey), object.AttrID.Is([]byte{1})}
	for b.Loop() {
		_ = key.Matches(match)
	}
}
