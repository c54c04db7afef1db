// Package token is what a program needs of PKCS #11 tokens: what they tell of
// themselves ([Info], [Flags]), who is logged in ([Role], [State]), and secrets
// that are not printed by accident ([PIN]).
//
//	t, err := slots[0].Token(ctx) // a token.Token; see package slot
//	if err != nil {
//		return err
//	}
//	info, err := t.Info(ctx)
//	if err != nil {
//		return err
//	}
//	fmt.Println(info.Label, info.Flags)
//
// A [PINFunc] asks a person for a PIN; package token/prompt has two. Sessions and
// objects are in package session. Drivers for cards are written with package
// token/driver.
package token
