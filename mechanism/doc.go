// Package mechanism has one Go type for each mechanism of PKCS #11 that this
// library knows, with the mechanism's parameters as fields.
//
// A [Mechanism] is a value: it is never changed by the calls that take it, and
// may be used again and by several goroutines. Outputs come back as results
// of those calls, never through a parameter.
//
//	m := mechanism.RSAPSS{Hash: crypto.SHA256}        // CKM_SHA256_RSA_PKCS_PSS
//	m.Type()                                          // TypeSHA256RSAPKCSPSS
//	h, prepared := mechanism.Prehash(m)               // SHA-256, and RSAPSS that takes a digest
//	err := mechanism.Check(m)                         // nil: parameters are sane
//
// Mechanisms of other makers, and those that have no type here, are written
// as [Raw]. [Info] says what a token can do with a mechanism; [Unit] and
// [Functions] say what the standard says of it.
//
// The package does no cryptography and knows no keys: software does its part
// in internal/soft, cards theirs behind package token/driver.
package mechanism

//go:generate go run ../internal/spec/gen types_gen.go
