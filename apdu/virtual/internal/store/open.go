package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterr "go.etcd.io/bbolt/errors"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// lockTimeout is how long Open waits for the other holder of a file.
const lockTimeout = 200 * time.Millisecond

// Open opens an existing card file, one that may not be written only to be
// read. The error wraps fs.ErrNotExist, fs.ErrPermission, apdu.ErrInUse,
// ErrDamaged, ErrForeign or ErrNewer.
func Open(path string) (*File, error) {
	if err := examine(path); err != nil {
		return nil, err
	}
	f, err := openFile(path, false)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		f, err = openFile(path, true)
	}
	if err != nil {
		return nil, err
	}
	records, err := f.Records()
	if err != nil {
		f.Close()
		return nil, err
	}
	for _, value := range records {
		clear(value)
	}
	return f, nil
}

// examine checks a file without changing it.
func examine(path string) error {
	if err := regular(path); err != nil {
		return err
	}
	f, err := openFile(path, true)
	if err != nil {
		return err
	}
	defer f.Close()
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

// openFile opens the database that is at path, and makes none.
func openFile(path string, readOnly bool) (f *File, err error) {
	defer func() {
		// bbolt panics on some damage that the walk could miss.
		if p := recover(); p != nil {
			f, err = nil, fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	f = &File{readOnly: readOnly, wiped: make(map[uint64]bool)}
	f.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:  lockTimeout,
		ReadOnly: readOnly,
		OpenFile: func(path string, flag int, mode os.FileMode) (raw *os.File, err error) {
			raw, err = openSame(path, flag, mode)
			f.raw = raw
			return raw, err
		},
	})
	switch {
	case errors.Is(err, bolterr.ErrTimeout):
		return nil, fmt.Errorf("%w: another process has the card file open", apdu.ErrInUse)
	case errors.Is(err, bolterr.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %v", ErrForeign, err)
	case errors.Is(err, bolterr.ErrInvalid):
		return nil, fmt.Errorf("%w: %v", ErrForeign, err)
	case errors.As(err, new(*fs.PathError)), errors.As(err, new(syscall.Errno)), errors.Is(err, ErrForeign):
		return nil, err
	case err == nil:
		return f, nil
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
