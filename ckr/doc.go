// Package ckr holds the return codes of PKCS #11 as Go errors.
//
// A [Code] is a CK_RV and an error; an [Error] adds what was being done, how
// many PIN tries are left, and the error beneath. Every exported function of
// the packages above apdu returns an *Error, so that both questions have an
// answer:
//
//	err := session.Login(ctx, pin)
//	if errors.Is(err, ckr.PINIncorrect) {
//		var e *ckr.Error
//		if errors.As(err, &e) && e.Tries.Known {
//			fmt.Println(e.Tries.Left, "tries left")
//		}
//	}
//
// [Of] gives the code of any error, for those who must answer with a number.
// What caused an error stays reachable through Unwrap: status words and link
// errors of package apdu, and the errors of contexts. Which function may
// return which code is said by the functions themselves.
package ckr

//go:generate go run ../internal/spec/gen codes_gen.go
