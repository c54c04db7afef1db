package virtual

import (
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
)

// draft takes the records of a card that is just being made, or made anew from
// another one's.
type draft struct {
	from    record.Store // nil: there is nothing yet
	changes []record.Change
}

func (d *draft) Commit(changes []record.Change) error {
	for _, c := range changes {
		d.changes = append(d.changes, record.Change{Key: c.Key, Value: slices.Clone(c.Value)})
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
