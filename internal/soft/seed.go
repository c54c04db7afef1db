package soft

import (
	"crypto/subtle"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
)

// loadSeeded returns value and seed of a post-quantum private key, which may
// have come with either or both (PKCS #11 v3.2 §6). A seed that does
// not give the value is ckr.AttributeValueInvalid.
func (m *Material) loadSeeded(all object.Template, size, seedSize int, expand func(seed []byte) ([]byte, error)) (value, seed []byte, err error) {
	value, hasValue := object.In(all, object.AttrValue)
	seed, hasSeed := object.In(all, object.AttrSeed)
	hasValue, hasSeed = hasValue && len(value) > 0, hasSeed && len(seed) > 0
	switch {
	case !hasValue && !hasSeed:
		return nil, nil, missing(object.AttrValue)
	case hasValue && len(value) != size:
		return nil, nil, ckr.Newf(ckr.AttributeValueInvalid, object.AttrValue.String(), "%d bytes, want %d", len(value), size)
	case !hasSeed:
		return value, nil, nil
	case len(seed) != seedSize:
		return nil, nil, ckr.Newf(ckr.AttributeValueInvalid, object.AttrSeed.String(), "%d bytes, want %d", len(seed), seedSize)
	}
	expanded, err := expand(seed)
	if err != nil {
		return nil, nil, ckr.New(ckr.AttributeValueInvalid, object.AttrSeed.String(), err)
	}
	if hasValue && subtle.ConstantTimeCompare(expanded, value) != 1 {
		clear(expanded)
		return nil, nil, ckr.Newf(ckr.AttributeValueInvalid, object.AttrSeed.String(), "it does not give the value")
	}
	clear(value)
	return expanded, seed, nil
}
