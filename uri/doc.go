// Package uri reads, writes and compares the PKCS #11 URIs of RFC 7512, which
// name a token, or an object on it:
//
//	u, err := uri.Parse("pkcs11:token=demo;object=signing;type=private")
//	if err != nil {
//		return err
//	}
//	u.Match(uri.Object{Token: uri.Token{Label: "demo"}, Label: "signing", Type: "private"}) // true
//
// The package knows nothing of tokens: what finds them is the front door,
// package cryptoki. A PIN in a URI is never printed by URI.Redacted.
package uri
