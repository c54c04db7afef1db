package virtual

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/myeid"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/store"
)

// Reasons why Open refuses a file, which it then leaves as it is.
var (
	// ErrDamaged says that the file cannot be read as a card any more.
	ErrDamaged = store.ErrDamaged
	// ErrForeign says that the file is no card file, or not a regular file.
	ErrForeign = store.ErrForeign
	// ErrNewer says that a newer version of this package wrote the file.
	ErrNewer = store.ErrNewer
)

// Open returns the card that is kept in a file, which is made if there is
// none. What a command changed is on the disk before the card answers; each
// command takes effect as a whole or not at all. Keys and PINs lie in the
// file unencrypted; it is readable by its owner only.
//
// One opener at a time has the file: for another one, in this process or a
// different one, the error wraps apdu.ErrInUse. Otherwise it may wrap
// ErrDamaged, ErrForeign or ErrNewer. Close gives the file up.
func Open(path string, opts ...Option) (*Card, error) {
	o := gather(opts)
	for {
		card, err := o.open(path)
		if errors.Is(err, fs.ErrNotExist) {
			card, err = o.create(path)
			if errors.Is(err, fs.ErrExist) {
				continue // somebody else made it meanwhile
			}
		}
		if err != nil {
			return nil, fmt.Errorf("virtual: open card: %w", err)
		}
		return card, nil
	}
}

func (o *options) open(path string) (*Card, error) {
	file, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	system, err := myeid.Load(keeper{file})
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return o.card(system, file), nil
}

func (o *options) create(path string) (*Card, error) {
	first := &draft{}
	if _, err := myeid.Create(o.persona.system(o.capacity), first); err != nil {
		return nil, err
	}
	file, err := store.Create(path, first.changes)
	if err != nil {
		return nil, err
	}
	file.Close()
	return o.open(path)
}

// keeper lets a card keep its records in a file.
type keeper struct{ *store.File }

func (k keeper) Commit(changes []myeid.Change) error {
	return k.File.Commit(convert(changes))
}

// draft takes the records of a card that is just being made.
type draft struct{ changes []store.Change }

func (d *draft) Commit(changes []myeid.Change) error {
	for _, c := range changes {
		d.changes = append(d.changes, store.Change{Key: c.Key, Value: slices.Clone(c.Value)})
	}
	return nil
}

func (d *draft) Records() (map[string][]byte, error) { return nil, nil }

func convert(changes []myeid.Change) []store.Change {
	out := make([]store.Change, len(changes))
	for i, c := range changes {
		out[i] = store.Change(c)
	}
	return out
}
