package session_test

import (
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestKeysWithoutATypeInGoSaySo asks for the keys of Go programs that there
// are no types for.
func TestKeysWithoutATypeInGoSaySo(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	ed448, _ := object.CurveByName("edwards448")
	for name, c := range map[string]struct {
		m   mechanism.Mechanism
		pub object.Attribute
	}{
		"Ed448":      {mechanism.ECEdwardsKeyPairGen{}, object.AttrECParams.Is(ed448.Params())},
		"ML-DSA-44":  {mechanism.MLDSAKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetMLDSA44)},
		"ML-KEM-512": {mechanism.MLKEMKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetMLKEM512)},
	} {
		pub, priv, err := s.GenerateKeyPair(ctx, c.m, object.Template{c.pub}, nil)
		noError(t, err)
		for _, o := range []*object.Object{pub, priv} {
			_, err := s.PublicKey(ctx, o)
			isCode(t, err, ckr.KeyTypeInconsistent)
			if err == nil || !strings.Contains(err.Error(), "the standard library") {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err = s.Key(ctx, priv)
		isCode(t, err, ckr.KeyTypeInconsistent)
	}
}
