package engine

import (
	"bytes"
	"testing"

	"github.com/go-cryptoki/cryptoki/object"
)

// TestSecretsOfSessionObjectsHaveOneHolder looks for the value of a secret key
// where it must not be: in what is handed out, and in memory when the object is
// gone.
func TestSecretsOfSessionObjectsHaveOneHolder(t *testing.T) {
	ctx := t.Context()
	s := seatOn(t, newBare(t, &link{}))
	secret := []byte("0123456789abcdef")
	o, err := s.Create(ctx, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrValue.Is(secret))
	if err != nil {
		t.Fatal(err)
	}
	known, err := s.Known(o)
	if err != nil || known.Has(object.AttrValue.Type) {
		t.Errorf("the value is among what is known: %v", err)
	}
	c, err := s.Copy(ctx, o, object.AttrLabel.Is("copy"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []*object.Object{o, c} {
		e := s.t.entries[key.Handle()]
		value, ok := e.all.Lookup(object.AttrValue.Type)
		if !ok || !bytes.Equal(value.Bytes(), secret) {
			t.Errorf("%v has the value %X", key, value.Bytes())
		}
		if err := s.Destroy(ctx, key); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(value.Bytes(), make([]byte, len(secret))) {
			t.Errorf("%v has left the value %X", key, value.Bytes())
		}
	}
}
