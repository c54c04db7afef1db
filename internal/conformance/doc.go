// Package conformance is one suite of rules that every token keeps, whatever
// card it is on and however that is reached.
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, func(t *testing.T) conformance.Fixture {
//			return conformance.Fixture{Token: freshToken(t), SOPIN: "87654321", UserPIN: "123456", OtherPIN: "654321"}
//		})
//	}
//
// There is a suite for each thing that a back end may do (the interfaces of
// package token), and each asks the token first whether it does it. What a card
// refuses as unsupported is logged and not judged; everything else is.
package conformance
