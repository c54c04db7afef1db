package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
)

// Create makes a card file with its first records and opens it. The file
// appears under its name only when it is whole, so a process that is killed
// meanwhile leaves none that could be taken for a damaged card. If a file is
// there already the error wraps fs.ErrExist, and the file is left alone.
func Create(path string, records []record.Change) (*File, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".card-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	draft := filepath.Join(dir, "draft")
	if err := writeDraft(draft, records); err != nil {
		return nil, err
	}
	if err := place(draft, path); err != nil {
		return nil, err
	}
	os.RemoveAll(dir) // now, as Windows keeps every name of a file that is open
	return Open(path)
}

func writeDraft(path string, records []record.Change) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	err = errors.Join(db.Update(setMark), db.Close())
	if err != nil {
		return err
	}
	f, err := openFile(path, false)
	if err != nil {
		return err
	}
	return errors.Join(f.Replace(records), f.Close())
}

// place gives the draft its name without replacing what may have come there.
// A file system without hard links gets it by renaming, which leaves a moment
// between the look and the move.
func place(draft, path string) error {
	err := os.Link(draft, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return errors.Join(err, syncDir(filepath.Dir(path)))
	}
	if _, there := os.Lstat(path); there == nil {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	if err := os.Rename(draft, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a new name durable where directories can be synced; where
// they cannot, the system takes care of it.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}
