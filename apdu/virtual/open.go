package virtual

import (
	"errors"
	"fmt"
	"io/fs"

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
// command takes effect as a whole or not at all. The file is readable by its
// owner only.
//
// What a PIN guards is sealed under it: private and secret keys, and the
// contents of files and objects that are read with the PIN. The PIN itself is
// not in the file. A guess at it costs one Argon2id with 64 MiB and three
// passes, about a tenth of a second on one machine: who has stolen the file
// has what is public, and a slow search. It is a search through the PINs that
// there are, with no card that counts the tries: all PINs of six digits take
// some days. A PUK opens what its PIN does, and so does the PIN of whoever may
// set that PIN without knowing it (the administrator and the unblocker of a
// MyEID card, the global PIN of PIV); the shortest of them is the one that is
// searched.
//
// Not sealed is what the card uses without a PIN: the PIV keys 9E and F9 and
// those with the PIN policy "never", the PIV management key, keys and files
// whose access condition is "always", and everything on a MyEID card before
// ACTIVATE APPLET, but not its PINs. Public keys, certificates, the names and
// sizes of files and the counts of tries are not sealed either. Nor is the
// memory of the process: once a PIN was verified, what it guards is in there
// until the process ends.
//
// One opener at a time has the file: for another one, in this process or a
// different one, the error wraps apdu.ErrInUse. Otherwise it may wrap
// ErrDamaged, ErrForeign or ErrNewer. A file of an earlier version of this
// package is brought to the present version, at once or not at all. Close
// gives the file up.
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
	s, err := o.settle(file)
	if err != nil {
		file.Close()
		return nil, err
	}
	return o.card(s, file), nil
}

// settle loads what is in a file, and only when it was found to be a card's
// writes to it: what a process left behind that was killed is wiped, and an
// older version is brought to the present one.
func (o *options) settle(file *store.File) (*system, error) {
	if file.Version() == 1 {
		if err := o.migrate(file); err != nil {
			return nil, err
		}
	}
	s, err := o.load(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return s, file.Wipe()
}

// migrate seals a file whose records are in clear.
func (o *options) migrate(file *store.File) error {
	sealed := &draft{from: file}
	defer sealed.clear()
	s, err := o.load(sealed)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := s.rewrite(); err != nil {
		return err
	}
	return file.Replace(sealed.changes)
}

func (o *options) create(path string) (*Card, error) {
	first := &draft{}
	defer first.clear()
	if _, err := o.make(first); err != nil {
		return nil, err
	}
	file, err := store.Create(path, first.changes)
	if err != nil {
		return nil, err
	}
	file.Close()
	return o.open(path)
}
