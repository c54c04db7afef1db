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
// not in the file. A guess at it costs one Argon2id of 64 MiB in three passes,
// about a tenth of a second: who has stolen the file has what is public, and a
// slow search. No card counts the tries of that search, so a short PIN can be
// found: one machine is through all PINs of four digits in a quarter of an
// hour, and through those of six in a day. Eight characters of any kind are
// another matter. A PUK opens what its PIN does, and so does the PIN of whoever
// may set that PIN without knowing it (the administrator and the unblocker of
// a MyEID card) and the global PIN of PIV; the weakest of them is the one that
// is searched.
//
// Not sealed is what the card uses without a PIN: the PIV keys 9E and F9 and
// those with the PIN policy "never", the PIV management key, keys and files
// whose access condition is "always", and all keys and files of a MyEID card
// before ACTIVATE APPLET. Public keys, certificates, the names and sizes of
// files and the counts of tries are not sealed either. Nor is the memory of
// the process: once a PIN was verified, what it guards is in there until the
// process ends. What nobody can use on a MyEID card, because the condition is
// "never" or a PIN that was not set before activation, is not kept at all.
//
// What was replaced or deleted is overwritten in the file; what the file
// system or the disk keeps of it is beyond reach. Whoever can write to the file
// can put other keys in the place of the card's; those that were there do not
// work elsewhere than in their place.
//
// One opener at a time has the file: for another one, in this process or a
// different one, the error wraps apdu.ErrInUse. Otherwise it may wrap
// ErrDamaged, ErrForeign or ErrNewer. A file that may only be read is a card
// whose memory fails: what needs no PIN can be read and used, all that writes
// is answered 6581, and so is every PIN, as tries could not be counted; several
// openers may have it, and fs.ErrPermission is wrapped if it may not be read
// either. A file of an earlier version of this
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
		if file.ReadOnly() {
			return nil, fmt.Errorf("%w: it is of an earlier version, and to be written once", fs.ErrPermission)
		}
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
