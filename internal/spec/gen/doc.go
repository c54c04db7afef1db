// Gen makes the generated Go files of ckr, mechanism and object from the
// tables of package spec. It is run by go generate, with the name of the file
// to make, in the folder of the package:
//
//	//go:generate go run ../internal/spec/gen codes_gen.go
package main
