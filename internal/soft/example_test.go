package soft_test

import (
	"crypto"
	"fmt"

	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func Example() {
	key, err := soft.NewMaterial(object.Template{
		object.AttrClass.Is(object.ClassSecretKey),
		object.AttrKeyType.Is(object.KeyGenericSecret),
		object.AttrValue.Is([]byte("a secret of more than some bytes")),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer soft.Clear(key)
	mech := mechanism.HMAC{Hash: crypto.SHA256}
	code, err := soft.Sign(key, mech, []byte("message"))
	fmt.Println(len(code), err)
	fmt.Println(soft.Verify(key, mech, []byte("massage"), code))
	fmt.Println(key)
	// Output:
	// 32 <nil>
	// verify: signature does not verify
	// key material (CKO_SECRET_KEY, CKK_GENERIC_SECRET)
}
