package store

import (
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/bbolt"
)

// Change is one record to write, or to delete if Value is nil. Keys have the
// form folder/name.
type Change struct {
	Key   string
	Value []byte
}

// The mark of the format, in a folder of its own.
const (
	markFolder = "format"
	markKey    = "virtual card"
	countKey   = "records"
	version    = 1
)

var (
	// ErrDamaged says that the file was a card's, or may have been, and
	// cannot be read.
	ErrDamaged = errors.New("card file is damaged")
	// ErrForeign says that the file is something else.
	ErrForeign = errors.New("not a card file")
	// ErrNewer says that a later version of this package wrote the file.
	ErrNewer = errors.New("card file is of a newer format")
)

// File is an open card file. It is safe for concurrent use.
type File struct {
	db *bbolt.DB
}

// Commit makes all changes durable, or none.
func (f *File) Commit(changes []Change) error {
	return f.db.Update(func(tx *bbolt.Tx) error {
		more := 0
		for _, c := range changes {
			n, err := apply(tx, c)
			if err != nil {
				return err
			}
			more += n
		}
		return count(tx, more)
	})
}

// apply makes one change and returns how many records there are more.
func apply(tx *bbolt.Tx, c Change) (more int, err error) {
	folder, name, ok := strings.Cut(c.Key, "/")
	if !ok || folder == "" || name == "" || folder == markFolder {
		return 0, fmt.Errorf("record %q has no folder", c.Key)
	}
	b, err := tx.CreateBucketIfNotExists([]byte(folder))
	if err != nil {
		return 0, err
	}
	there := b.Get([]byte(name)) != nil
	switch {
	case c.Value != nil && !there:
		more = 1
	case c.Value == nil && there:
		more = -1
	}
	if c.Value == nil {
		return more, b.Delete([]byte(name))
	}
	return more, b.Put([]byte(name), seal(c.Key, c.Value))
}

// Records returns all records. The values are the caller's to clear.
func (f *File) Records() (records map[string][]byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			records, err = nil, fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	records = make(map[string][]byte)
	err = f.db.View(func(tx *bbolt.Tx) error {
		if err := checkMark(tx); err != nil {
			return err
		}
		err := tx.ForEach(func(folder []byte, b *bbolt.Bucket) error {
			if string(folder) == markFolder {
				return nil
			}
			return readFolder(records, string(folder), b)
		})
		if err != nil {
			return err
		}
		return checkCount(tx, len(records))
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

func readFolder(records map[string][]byte, folder string, b *bbolt.Bucket) error {
	return b.ForEach(func(name, sealed []byte) error {
		key := folder + "/" + string(name)
		value, ok := unseal(key, sealed)
		if !ok {
			return fmt.Errorf("%w: record %q does not match its checksum", ErrDamaged, key)
		}
		records[key] = value
		return nil
	})
}

// Close gives the file up. A second Close does nothing.
func (f *File) Close() error { return f.db.Close() }
