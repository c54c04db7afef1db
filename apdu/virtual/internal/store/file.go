package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterr "go.etcd.io/bbolt/errors"

	"github.com/go-cryptoki/cryptoki/apdu"
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

// lockTimeout is how long Open waits for the other holder of a file.
const lockTimeout = 200 * time.Millisecond

// File is an open card file. It is safe for concurrent use.
type File struct {
	db *bbolt.DB
}

// Open opens an existing card file. The error wraps fs.ErrNotExist,
// apdu.ErrInUse, ErrDamaged, ErrForeign or ErrNewer.
func Open(path string) (*File, error) {
	if err := examine(path); err != nil {
		return nil, err
	}
	db, err := openDB(path, false)
	if err != nil {
		return nil, err
	}
	f := &File{db}
	if _, err := f.Records(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// examine checks a file without changing it.
func examine(path string) error {
	if err := regular(path); err != nil {
		return err
	}
	db, err := openDB(path, true)
	if err != nil {
		return err
	}
	defer db.Close()
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	defer clear(raw)
	return walk(raw)
}

// regular refuses anything but a plain file; a link could be made to lead
// elsewhere by someone else.
func regular(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: it is a symbolic link", ErrForeign)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is no regular file", ErrForeign)
	case info.Size() == 0:
		return fmt.Errorf("%w: it is empty", ErrDamaged)
	case info.Size() > maxFile:
		return fmt.Errorf("%w: it is too large", ErrForeign)
	}
	return nil
}

// openDB opens the database that is at path, and makes none.
func openDB(path string, readOnly bool) (db *bbolt.DB, err error) {
	defer func() {
		// bbolt panics on some damage that the walk could miss.
		if p := recover(); p != nil {
			db, err = nil, fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:  lockTimeout,
		ReadOnly: readOnly,
		OpenFile: openSame,
	})
	switch {
	case errors.Is(err, bolterr.ErrTimeout):
		return nil, fmt.Errorf("%w: another process has the card file open", apdu.ErrInUse)
	case errors.Is(err, bolterr.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %v", ErrForeign, err)
	case errors.Is(err, bolterr.ErrInvalid):
		return nil, fmt.Errorf("%w: %v", ErrForeign, err)
	case err == nil, errors.As(err, new(*fs.PathError)), errors.As(err, new(syscall.Errno)), errors.Is(err, ErrForeign):
		return db, err
	}
	return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
}

// openSame opens a file without creating or following anything: what was
// opened must be what stands at the path.
func openSame(path string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag&^os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil {
		var there os.FileInfo
		if there, err = os.Lstat(path); err == nil && !os.SameFile(opened, there) {
			err = fmt.Errorf("%w: it is a symbolic link", ErrForeign)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
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
