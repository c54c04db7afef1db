package uri_test

import (
	"fmt"

	"github.com/go-cryptoki/cryptoki/uri"
)

func ExampleParse() {
	u, err := uri.Parse("pkcs11:token=demo;object=signing;type=private?pin-value=123456")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u.Redacted())
	fmt.Println(u.Match(uri.Object{Token: uri.Token{Label: "demo"}, Label: "signing", Type: "private"}))
	// Output:
	// pkcs11:token=demo;object=signing;type=private?pin-value=...
	// true
}
