// Package store keeps the records of a virtual card in one bbolt file.
//
//	f, err := store.Create(path, records)
//	f, err := store.Open(path)
//	err = f.Commit([]record.Change{{Key: "card/head", Value: head}})
//
// One process at a time has the file; a second one gets apdu.ErrInUse. Every
// Commit is one bbolt transaction, synced before it returns; what it replaced
// is overwritten afterwards. Each value carries a checksum, all of them
// together a digest, and the file's structure is walked before bbolt maps it,
// so that a damaged file is refused with a reason instead of bringing the
// process down; a file that is refused is left as it is.
//
// Files of version 1, whose values hold secrets in clear, are read; Replace
// brings them to the present version. Values are not encrypted here: what the
// records mean, and which of them are sealed, is the card's affair.
package store
