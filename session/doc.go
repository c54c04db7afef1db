// Package session is PKCS #11 sessions: logging in, finding and making
// objects, and using keys.
//
//	s, err := session.Open(ctx, t, session.ReadWrite())
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	for o, err := range s.Find(ctx, object.AttrClass.Is(object.ClassPrivateKey)) {
//		if err != nil {
//			return err
//		}
//		key, err := s.Key(ctx, o) // a crypto.Signer
//		…
//	}
//
// A Session may be used by any number of goroutines. Operations in several
// parts are values (NewSign, NewEncrypt, NewEncryptMessages …), so that a
// session has as many as it likes, unlike in the C interface. Functions of the
// C interface that take a key once are methods of Session (Sign, Wrap,
// Unwrap, Derive, Encapsulate …). What a session may do is decided in
// internal/engine, by one table.
package session
