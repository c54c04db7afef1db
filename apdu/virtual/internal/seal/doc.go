// Package seal closes what a card keeps in its file under the card's PINs.
//
//	pair, err := seal.NewPair()                             // one for each PIN
//	lock := kit.Close(pin, pair.Private(), "pin/01")        // kept: lock and pair.Public()
//	sealed := pair.Seal(privateKey, "key/4b01")             // needs no PIN
//	...
//	private, ok := kit.Open(lock, pin, "pin/01")            // one Argon2id; false: another PIN
//	err := pair.Unlock(private)
//	privateKey, err := pair.Open(sealed, "key/4b01")
//
// A Lock is the private half of a Pair under AES-256-GCM with a key that
// Argon2id (RFC 9106) makes of the PIN; there is no other trace of the PIN, so
// that whoever guesses pays one Argon2id for each guess. A Pair is one of HPKE
// (RFC 9180): P-256, HKDF-SHA256, AES-256-GCM. Whoever has its public half
// can seal to it; so a card takes keys whose PIN it has not been told.
//
// The label says where something belongs; elsewhere it does not open. What is
// sealed, and under which PIN, is the card's affair. Sealing does not tell who
// sealed: a file's owner can put other secrets in the place of the card's.
package seal
