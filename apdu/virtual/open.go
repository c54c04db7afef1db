package virtual

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/myeid"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/piv"
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
	s, err := o.load(file)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := o.settle(file); err != nil {
		file.Close()
		return nil, err
	}
	return o.card(s, file), nil
}

// settle brings a file that was found to be a card's to the present version,
// and wipes what a process left behind that was killed.
func (o *options) settle(file *store.File) error {
	if file.Version() > 1 {
		return file.Wipe()
	}
	records, err := file.Records()
	if err != nil {
		return err
	}
	var changes []store.Change
	for key, value := range records {
		changes = append(changes, store.Change{Key: key, Value: value})
	}
	return file.Replace(changes)
}

func (o *options) create(path string) (*Card, error) {
	first := &draft{}
	if _, err := o.make(myeidDraft{first}, pivDraft{first}); err != nil {
		return nil, err
	}
	file, err := store.Create(path, first.changes)
	if err != nil {
		return nil, err
	}
	file.Close()
	return o.open(path)
}

// draft takes the records of a card that is just being made.
type draft struct{ changes []store.Change }

func (d *draft) take(key string, value []byte) {
	d.changes = append(d.changes, store.Change{Key: key, Value: slices.Clone(value)})
}

func (d *draft) Records() (map[string][]byte, error) { return nil, nil }

// What the two operating systems keep their records in: the draft, or a file.
type (
	myeidDraft struct{ *draft }
	pivDraft   struct{ *draft }
	myeidFile  struct{ *store.File }
	pivFile    struct{ *store.File }
)

func (d myeidDraft) Commit(changes []myeid.Change) error {
	for _, c := range changes {
		d.take(c.Key, c.Value)
	}
	return nil
}

func (d pivDraft) Commit(changes []piv.Change) error {
	for _, c := range changes {
		d.take(c.Key, c.Value)
	}
	return nil
}

func (f myeidFile) Commit(changes []myeid.Change) error {
	out := make([]store.Change, len(changes))
	for i, c := range changes {
		out[i] = store.Change(c)
	}
	return f.File.Commit(out)
}

func (f pivFile) Commit(changes []piv.Change) error {
	out := make([]store.Change, len(changes))
	for i, c := range changes {
		out[i] = store.Change(c)
	}
	return f.File.Commit(out)
}
