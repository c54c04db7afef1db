package virtual

import (
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/myeid"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/piv"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/store"
)

// keeper is where the applications of a card keep their records together: a
// file, or a draft of one.
type keeper interface {
	Commit([]store.Change) error
	Records() (map[string][]byte, error)
}

// draft takes the records of a card that is just being made, or made anew from
// another one's.
type draft struct {
	from    keeper // nil: there is nothing yet
	changes []store.Change
}

func (d *draft) Commit(changes []store.Change) error {
	for _, c := range changes {
		d.changes = append(d.changes, store.Change{Key: c.Key, Value: slices.Clone(c.Value)})
	}
	return nil
}

func (d *draft) Records() (map[string][]byte, error) {
	if d.from == nil {
		return nil, nil
	}
	return d.from.Records()
}

func (d *draft) clear() {
	for _, c := range d.changes {
		clear(c.Value)
	}
}

// The keeper as each of the applications has it.
type (
	myeidStore struct{ keeper }
	pivStore   struct{ keeper }
)

func (s myeidStore) Commit(changes []myeid.Change) error {
	out := make([]store.Change, len(changes))
	for i, c := range changes {
		out[i] = store.Change(c)
	}
	return s.keeper.Commit(out)
}

func (s pivStore) Commit(changes []piv.Change) error {
	out := make([]store.Change, len(changes))
	for i, c := range changes {
		out[i] = store.Change(c)
	}
	return s.keeper.Commit(out)
}
