package object_test

import (
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
)

// Ciphers must not both show and wrap keys, nor make known ones. Generic
// secrets can do neither, whatever their attributes say: programs give derived
// ones all uses that there are.
func TestUsesThatBetrayKeys(t *testing.T) {
	for _, x := range []struct {
		key  object.KeyType
		uses []object.Attr[bool]
		want ckr.Code
	}{
		{object.KeyAES, []object.Attr[bool]{object.AttrWrap, object.AttrDecrypt}, ckr.TemplateInconsistent},
		{object.KeyAES, []object.Attr[bool]{object.AttrUnwrap, object.AttrEncrypt}, ckr.TemplateInconsistent},
		{object.KeyAES, []object.Attr[bool]{object.AttrWrap, object.AttrUnwrap}, ckr.OK},
		{object.KeyAES, []object.Attr[bool]{object.AttrEncrypt, object.AttrDecrypt}, ckr.OK},
		{object.KeyChaCha20, []object.Attr[bool]{object.AttrWrap, object.AttrDecrypt}, ckr.TemplateInconsistent},
		{object.KeyGenericSecret, []object.Attr[bool]{object.AttrEncrypt, object.AttrDecrypt, object.AttrWrap, object.AttrUnwrap}, ckr.OK},
	} {
		given := object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(x.key), object.AttrValue.Is(make([]byte, 32))}
		for _, use := range x.uses {
			given = given.With(use.Is(true))
		}
		_, err := object.Complete(object.Created, given, false)
		if got := ckr.Of(err); got != x.want {
			t.Errorf("%s for %v: %v, not %v", x.key, x.uses, err, x.want)
		}
	}
}
