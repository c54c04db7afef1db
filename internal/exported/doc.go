// Package exported has a test of the names that the library exports: none of
// them leads to a type of an internal package.
package exported
