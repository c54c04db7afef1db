package object_test

import (
	"fmt"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
)

func Example() {
	template := object.Template{
		object.AttrKeyType.Is(object.KeyAES),
		object.AttrLabel.Is("backup"),
		object.AttrValueLen.Is(32),
	}
	key, err := object.Complete(object.Generated, template, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	label, _ := object.In(key, object.AttrLabel)
	sensitive, _ := object.In(key, object.AttrSensitive)
	fmt.Println(label, sensitive, object.Hidden(key, object.AttrValue.Type))

	err = object.CheckSet(key, []object.Attribute{object.AttrSensitive.Is(false)}, false)
	fmt.Println(ckr.Of(err).Name())
	// Output:
	// backup true true
	// CKR_ATTRIBUTE_READ_ONLY
}

func ExampleTemplate_Matches() {
	key := object.Template{object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("sign"), object.AttrID.Is([]byte{1})}
	fmt.Println(key.Matches([]object.Attribute{object.AttrLabel.Is("sign")}))
	fmt.Println(key.Matches([]object.Attribute{object.AttrLabel.Is("sign"), object.AttrID.Is([]byte{2})}))
	// Output:
	// true
	// false
}
