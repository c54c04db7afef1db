// Package store keeps the records of a virtual card in one bbolt file.
//
//	f, err := store.Create(path, records)
//	f, err := store.Open(path)
//	err = f.Commit([]store.Change{{Key: "card/head", Value: head}})
//
// One process at a time has the file; a second one gets apdu.ErrInUse. Every
// Commit is one bbolt transaction, synced before it returns. Each value
// carries a checksum, and the file's structure is walked before bbolt maps
// it, so that a damaged file is refused with a reason instead of bringing the
// process down; a file that is refused is left as it is.
//
// Values are not encrypted: the file is the card, with its keys and PINs, and
// is created for its owner alone. What the records mean is the card's affair.
package store
