// Package fingerprint has the SHA-1 hash where it names things and protects
// nothing: key identifiers, as the standards and other programs make them.
package fingerprint

import (
	"crypto/fips140"
	"crypto/sha1"
)

// SHA1 is the SHA-1 hash of data. Unlike crypto/sha1 it does not panic in a
// program that permits approved algorithms only (GODEBUG=fips140=only): what
// it makes is a name.
func SHA1(data []byte) (sum [sha1.Size]byte) {
	fips140.WithoutEnforcement(func() { sum = sha1.Sum(data) })
	return sum
}
