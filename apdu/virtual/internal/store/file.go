package store

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
)

// The mark of the format, in a folder of its own.
const (
	markFolder = "format"
	markKey    = "virtual card"
	countKey   = "records"
	version    = 2
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
	db      *bbolt.DB
	raw     *os.File // the same file, as bbolt has it open
	version byte     // of the format

	readOnly bool // nothing is committed, nor wiped

	mu    sync.Mutex      // bbolt must not read while pages are wiped
	wiped map[uint64]bool // pages that are free and all zero
	loose bool            // pages were wiped that may not be so on the disk yet
}

// Version is the version of the format that the file is in. One of an older
// format can be read, and replaced as a whole, but not changed.
func (f *File) Version() int { return int(f.version) }

// ReadOnly tells whether the file may only be read: then every commit fails.
func (f *File) ReadOnly() bool { return f.readOnly }

// Commit makes all changes durable, or none; each record is in a folder. What
// they replaced is wiped from the file.
func (f *File) Commit(changes []record.Change) error {
	if f.version != version {
		return fmt.Errorf("the card file is of version %d", f.version)
	}
	return f.update(changes, nil)
}

// Replace makes changes the only records of the file, and brings it to the
// present version; all or nothing, and durable. What was there is wiped.
func (f *File) Replace(records []record.Change) error {
	err := f.update(records, func(tx *bbolt.Tx) error {
		var folders []string
		err := tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			folders = append(folders, string(name))
			return nil
		})
		for _, name := range folders {
			err = errors.Join(err, tx.DeleteBucket([]byte(name)))
		}
		return errors.Join(err, setMark(tx))
	})
	if err != nil {
		return err
	}
	f.version = version
	return f.raw.Sync()
}

func (f *File) update(changes []record.Change, first func(*bbolt.Tx) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.db.Update(func(tx *bbolt.Tx) error {
		if first != nil {
			if err := first(tx); err != nil {
				return err
			}
		}
		t, err := readTally(tx)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if err := t.apply(tx, c); err != nil {
				return err
			}
		}
		return t.write(tx)
	})
	if err != nil {
		clear(f.wiped) // what was begun may lie in pages that were wiped
		return err
	}
	// The changes are made. Pages that could not be wiped are tried again at
	// the next commit, and when the file is opened again.
	_ = f.wipe(false)
	return nil
}

// apply makes one change.
func (t *tally) apply(tx *bbolt.Tx, c record.Change) error {
	folder, name, ok := strings.Cut(c.Key, "/")
	if !ok || folder == "" || name == "" || folder == markFolder {
		return fmt.Errorf("record %q has no folder", c.Key)
	}
	b, err := tx.CreateBucketIfNotExists([]byte(folder))
	if err != nil {
		return err
	}
	if old := b.Get([]byte(name)); old != nil {
		t.remove(c.Key, old)
	}
	if c.Value == nil {
		return b.Delete([]byte(name))
	}
	value := seal(c.Key, c.Value)
	t.add(c.Key, value)
	return b.Put([]byte(name), value)
}

// Records returns all records. The values are the caller's to clear.
func (f *File) Records() (records map[string][]byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			records, err = nil, fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	records = make(map[string][]byte)
	f.mu.Lock()
	defer f.mu.Unlock()
	err = f.db.View(func(tx *bbolt.Tx) error {
		want, err := readTally(tx)
		if err != nil {
			return err
		}
		got := tally{version: want.version}
		err = tx.ForEach(func(folder []byte, b *bbolt.Bucket) error {
			if string(folder) == markFolder {
				return nil
			}
			return got.readFolder(records, string(folder), b)
		})
		if err != nil {
			return err
		}
		f.version = want.version
		return want.check(got)
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

func (t *tally) readFolder(records map[string][]byte, folder string, b *bbolt.Bucket) error {
	return b.ForEach(func(name, sealed []byte) error {
		key := folder + "/" + string(name)
		value, ok := unseal(key, sealed)
		if !ok {
			return fmt.Errorf("%w: record %q does not match its checksum", ErrDamaged, key)
		}
		t.add(key, sealed)
		records[key] = value
		return nil
	})
}

// Close gives the file up. A second Close does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.loose {
		f.loose = false
		_ = f.raw.Sync() // what was committed is durable without it
	}
	return f.db.Close()
}
